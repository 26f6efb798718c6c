"""Every known way to split or poison answers, by name: what an upstream says to one request.

`ANSWERS` are refused with upstream-malformed. `UNASKED` is a good answer with octets that nobody
asked for behind it: it passes, and what is behind it is never taken for an answer to anybody.
"""

from proxy.wire.client import MAX_INTERIM
from tests.wire.ambiguous import CONTENTS, Row

MALFORMED = "upstream-malformed"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def ok(*lines: bytes, body: bytes = b"\r\n") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, body])


def status(first: bytes) -> bytes:
    return first + b"\r\nContent-Length: 0\r\n\r\n"


def json(*lines: bytes) -> bytes:
    """A good answer, with these field lines."""
    return ok(b"Content-Type: application/json", *lines, b"Content-Length: 2", body=b"\r\n{}")


ANSWERS: tuple[Row, ...] = tuple(
    Row(*row)
    for row in (
        ("a blank line first", b"\r\n" + OK, MALFORMED),
        ("something else first", b"SSH-2.0-x\r\n", MALFORMED),
        ("lower case", status(b"http/1.1 200 OK"), MALFORMED),
        ("HTTP/2", status(b"HTTP/2 200 OK"), MALFORMED),
        ("HTTP/2.0", status(b"HTTP/2.0 200 OK"), MALFORMED),
        ("HTTP/1.2", status(b"HTTP/1.2 200 OK"), MALFORMED),
        ("ICY", status(b"ICY 200 OK"), MALFORMED),
        ("a status of two digits", status(b"HTTP/1.1 20 OK"), MALFORMED),
        ("a status of four digits", status(b"HTTP/1.1 2000 OK"), MALFORMED),
        ("status 099", status(b"HTTP/1.1 099 OK"), MALFORMED),
        ("status 600", status(b"HTTP/1.1 600 OK"), MALFORMED),
        ("status 999", status(b"HTTP/1.1 999 OK"), MALFORMED),
        ("a signed status", status(b"HTTP/1.1 +20 OK"), MALFORMED),
        ("no status", status(b"HTTP/1.1 OK"), MALFORMED),
        ("no space after the status", status(b"HTTP/1.1 200"), MALFORMED),
        ("two spaces before the status", status(b"HTTP/1.1  200 OK"), MALFORMED),
        ("a control in the reason", status(b"HTTP/1.1 200 O\x01K"), MALFORMED),
        ("a bare CR in the reason", status(b"HTTP/1.1 200 O\rK"), MALFORMED),
        ("bare LF throughout", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", MALFORMED),
        ("bare LF after a field", b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", MALFORMED),
        ("a folded value", ok(b"A: b", b" c"), MALFORMED),
        ("a space before the colon", ok(b"A : b"), MALFORMED),
        ("an empty name", ok(b": b"), MALFORMED),
        ("NUL in a value", ok(b"A: \x00"), MALFORMED),
        ("both length fields", ok(b"Transfer-Encoding: chunked", b"Content-Length: 2"), MALFORMED),
        (
            "two equal Content-Lengths",
            ok(b"Content-Length: 2", b"Content-Length: 2", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a list of Content-Lengths", ok(b"Content-Length: 2,2", body=b"\r\nok"), MALFORMED),
        ("a signed Content-Length", ok(b"Content-Length: +2", body=b"\r\nok"), MALFORMED),
        ("Transfer-Encoding: gzip", ok(b"Transfer-Encoding: gzip"), MALFORMED),
        ("Transfer-Encoding: gzip, chunked", ok(b"Transfer-Encoding: gzip, chunked"), MALFORMED),
        (
            "two Transfer-Encodings",
            ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            MALFORMED,
        ),
        (
            "chunked on HTTP/1.0",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            MALFORMED,
        ),
        ("two Content-Types", ok(b"Content-Type: a/b", b"Content-Type: a/b"), MALFORMED),
        ("204 with content", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", MALFORMED),
        (
            "204 and chunked",
            b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            MALFORMED,
        ),
        ("100 with content", b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok", MALFORMED),
        (
            "101",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
            MALFORMED,
        ),
        ("too many fields", ok(*[b"A: b"] * 101), MALFORMED),
        ("a head that is too large", ok(b"A: " + b"a" * 4096), MALFORMED),
        (
            "too many interim answers",
            b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1) + OK,
            MALFORMED,
        ),
        ("no answer but content", b"{}\r\n\r\n", MALFORMED),
        ("a request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", MALFORMED),
        ("a bare LF first", b"\n" + OK, MALFORMED),
        ("NUL first", b"\x00" + OK, MALFORMED),
        ("HTTP/0.9: content alone", b"<html>", MALFORMED),
        ("HTTP/1", status(b"HTTP/1 200 OK"), MALFORMED),
        ("HTTP/1.10", status(b"HTTP/1.10 200 OK"), MALFORMED),
        ("HTTP/0.9", status(b"HTTP/0.9 200 OK"), MALFORMED),
        ("a tab before the status", status(b"HTTP/1.1\t200 OK"), MALFORMED),
        ("a tab after the status", status(b"HTTP/1.1 200\tOK"), MALFORMED),
        ("a status of no digits", status(b"HTTP/1.1  OK"), MALFORMED),
        ("status 000", status(b"HTTP/1.1 000 OK"), MALFORMED),
        ("a negative status", status(b"HTTP/1.1 -20 OK"), MALFORMED),
        ("a hexadecimal status", status(b"HTTP/1.1 0xC OK"), MALFORMED),
        ("a status with a point", status(b"HTTP/1.1 200.1 OK"), MALFORMED),
        ("a status of Arabic digits", status("HTTP/1.1 \u0662\u0660\u0660 OK".encode()), MALFORMED),
        ("NUL in the reason", status(b"HTTP/1.1 200 O\x00K"), MALFORMED),
        ("an escape in the reason", status(b"HTTP/1.1 200 \x1b[2J"), MALFORMED),
        ("DEL in the reason", status(b"HTTP/1.1 200 O\x7fK"), MALFORMED),
        ("a bare LF in the reason", status(b"HTTP/1.1 200 O\nSet-Cookie: a=b"), MALFORMED),
        ("two status lines", b"HTTP/1.1 200 OK\r\n" + OK, MALFORMED),
        ("a status line as a field", ok(b"HTTP/1.1 302 Found", body=b"\r\n"), MALFORMED),
        ("CR CR LF", ok(b"A: b\r"), MALFORMED),
        ("LF CR", b"HTTP/1.1 200 OK\n\rContent-Length: 0\n\r\n\r", MALFORMED),
        ("bare CR throughout", b"HTTP/1.1 200 OK\rContent-Length: 0\r\r", MALFORMED),
        ("a bare CR that hides a field", ok(b"A: b\rSet-Cookie: a=b"), MALFORMED),
        ("a bare LF that hides a field", ok(b"A: b\nSet-Cookie: a=b"), MALFORMED),
        ("a value folded by a tab", ok(b"A: b", b"\tc"), MALFORMED),
        ("a folded framing field", ok(b"Transfer-Encoding:", b" chunked"), MALFORMED),
        ("a folded first field", ok(b" A: b"), MALFORMED),
        ("white space alone on a line", ok(b" "), MALFORMED),
        ("a space in a name", ok(b"A B: c"), MALFORMED),
        ("NUL in a name", ok(b"A\x00: b"), MALFORMED),
        (
            "a space before the colon of a length",
            ok(b"Content-Length : 2", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a control before a name", ok(b"\x01A: b"), MALFORMED),
        ("a name that is no token", ok(b"A(b): c"), MALFORMED),
        ("no colon", ok(b"A"), MALFORMED),
        ("a control in a value", ok(b"A: b\x0bc"), MALFORMED),
        (
            "two different Content-Lengths",
            ok(b"Content-Length: 2", b"Content-Length: 3", body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "a list of different Content-Lengths",
            ok(b"Content-Length: 2, 3", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a negative Content-Length", ok(b"Content-Length: -2", body=b"\r\nok"), MALFORMED),
        ("a Content-Length of minus nothing", ok(b"Content-Length: -0"), MALFORMED),
        ("a hexadecimal Content-Length", ok(b"Content-Length: 0x2", body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length with a leading zero",
            ok(b"Content-Length: 02", body=b"\r\nok"),
            MALFORMED,
        ),
        ("an empty Content-Length", ok(b"Content-Length:", body=b"\r\nok"), MALFORMED),
        ("a Content-Length with a space", ok(b"Content-Length: 2 2", body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length beyond 64 bits",
            ok(b"Content-Length: 18446744073709551618", body=b"\r\nok"),
            MALFORMED,
        ),
        ("Transfer-Encoding: xchunked", ok(b"Transfer-Encoding: xchunked"), MALFORMED),
        ("Transfer-Encoding: identity", ok(b"Transfer-Encoding: identity"), MALFORMED),
        (
            "Transfer-Encoding: chunked, identity",
            ok(b"Transfer-Encoding: chunked, identity"),
            MALFORMED,
        ),
        ("an empty Transfer-Encoding", ok(b"Transfer-Encoding:"), MALFORMED),
        ("a vertical tab before chunked", ok(b"Transfer-Encoding: \x0bchunked"), MALFORMED),
        (
            "TE.TE, the second unknown",
            ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
            MALFORMED,
        ),
        (
            "both length fields on HTTP/1.0",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
            MALFORMED,
        ),
        (
            "Connection nominates Content-Length",
            ok(b"Connection: content-length", b"Content-Length: 2", body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "Connection nominates Set-Cookie",
            ok(b"Connection: set-cookie", b"Set-Cookie: a=b"),
            MALFORMED,
        ),
        ("Connection nominates Content-Type", ok(b"Connection: Content-Type"), MALFORMED),
        ("Connection is no list", ok(b"Connection: close te"), MALFORMED),
        ("commas without bound", ok(b"Connection: close" + b"," * 17), MALFORMED),
        (
            "Connection nominates Content-Type behind a comma",
            ok(b"Connection: ,Content-Type"),
            MALFORMED,
        ),
        ("a comma behind chunked", ok(b"Transfer-Encoding: chunked,"), MALFORMED),
        (
            "100 and chunked",
            b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            MALFORMED,
        ),
        (
            "103 with content",
            b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok" + OK,
            MALFORMED,
        ),
        ("100 followed by content", b"HTTP/1.1 100 Continue\r\n\r\nok" + OK, MALFORMED),
        (
            "101 and the answer behind it",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK,
            MALFORMED,
        ),
        *(
            Row(
                f"chunked: {row.name}",
                ok(b"Transfer-Encoding: chunked", body=b"\r\n")
                + row.octets.partition(b"\r\n\r\n")[2],
                MALFORMED,
            )
            for row in CONTENTS
        ),
    )
)

UNASKED: tuple[tuple[str, bytes], ...] = (
    ("another answer", json() + FORGED),
    ("CRLF", json() + b"\r\n"),
    ("CRLF and another answer", json() + b"\r\n" + FORGED),
    ("content beyond its length", json() + b"{}"),
    ("the beginning of another answer", json() + b"H"),
    ("an interim answer", json() + b"HTTP/1.1 100 Continue\r\n\r\n"),
    (
        "a chunk behind the last one",
        ok(
            b"Content-Type: application/json",
            b"Transfer-Encoding: chunked",
            body=b"\r\n2\r\n{}\r\n0\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ),
    ),
    ("204 followed by content", b"HTTP/1.1 204 No Content\r\n\r\n{}"),
    ("304 followed by content", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}"),
    ("304 and chunks", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
)
