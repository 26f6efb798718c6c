"""Every known way to smuggle a request past a gate, by name: what is sent, and what becomes of it.

A row is a name, the octets, and the code of the refusal. `REQUESTS` are refused by their heads,
`PATHS` by routing, `METHODS` by what may come with them, `CONTENTS` where the content is read.
`ONE_READING` passes, because nobody can read it in two ways, or because we write it anew in the one
way. docs/http.md says why.
"""

from typing import NamedTuple

MALFORMED, UPGRADE, PATH = "malformed-request", "upgrade-refused", "path-not-normal"
BODY = b"Content-Length: 2\r\n\r\nok"
JSON = b"Content-Type: application/json"
SETTINGS = b"HTTP2-Settings: AAMAAABkAAQAAP__"
H2C = [b"Upgrade: h2c", SETTINGS]
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
INSIDE = b"{}\r\n0\r\n\r\n" + NEXT


class Row(NamedTuple):
    name: str
    octets: bytes
    code: str


def post(
    *lines: bytes, body: bytes = b"\r\n", version: bytes = b"1.1", path: bytes = b"/orders/1"
) -> bytes:
    """A request to a route that exists, with these field lines."""
    return b"\r\n".join([b"POST %b HTTP/%b" % (path, version), b"Host: x", *lines, body])


def line(first: bytes) -> bytes:
    return first + b"\r\nHost: x\r\n\r\n"


def host(value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


def chunked(framed: bytes) -> bytes:
    return post(JSON, b"Transfer-Encoding: chunked", body=b"\r\n" + framed)


REQUESTS: tuple[Row, ...] = tuple(
    Row(*row)
    for row in (
        # Lines
        ("a blank line first", b"\r\n" + line(b"GET / HTTP/1.1"), MALFORMED),
        ("a bare LF first", b"\n" + line(b"GET / HTTP/1.1"), MALFORMED),
        ("a space first", b" " + line(b"GET / HTTP/1.1"), MALFORMED),
        ("TLS instead of HTTP", b"\x16\x03\x01\x02\x00\x01\x00", MALFORMED),
        ("bare LF after the request line", b"GET / HTTP/1.1\nHost: x\r\n\r\n", MALFORMED),
        ("bare LF after a field", b"GET / HTTP/1.1\r\nHost: x\n\r\n", MALFORMED),
        ("bare LF at the end of the head", b"GET / HTTP/1.1\r\nHost: x\r\n\n", MALFORMED),
        ("bare LF throughout", b"GET / HTTP/1.1\nHost: x\n\n", MALFORMED),
        ("bare CR in a value", post(b"A: b\rc"), MALFORMED),
        ("CR CR LF", post(b"A: b\r"), MALFORMED),
        ("bare CR in the target", line(b"GET /\r HTTP/1.1"), MALFORMED),
        ("NUL in a value", post(b"A: b\x00c"), MALFORMED),
        ("NUL in a name", post(b"A\x00: b"), MALFORMED),
        ("a control in a value", post(b"A: b\x01c"), MALFORMED),
        ("vertical tab in a value", post(b"A: b\x0bc"), MALFORMED),
        ("DEL in a value", post(b"A: b\x7fc"), MALFORMED),
        ("a folded value", post(b"A: b", b" c"), MALFORMED),
        ("a value folded by a tab", post(b"A: b", b"\tc"), MALFORMED),
        ("a folded first field", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", MALFORMED),
        ("CR CR LF at the end of the head", b"GET / HTTP/1.1\r\nHost: x\r\n\r\r\n", MALFORMED),
        ("LF CR instead of CRLF", b"GET / HTTP/1.1\n\rHost: x\n\r\n\r", MALFORMED),
        ("bare CR throughout", b"GET / HTTP/1.1\rHost: x\r\r", MALFORMED),
        ("a bare CR that hides a field", post(b"A: b\rContent-Length: 9"), MALFORMED),
        ("a bare LF that hides a field", post(b"A: b\nContent-Length: 9"), MALFORMED),
        ("a folded framing field", post(b"Transfer-Encoding:", b" chunked"), MALFORMED),
        ("a folded length", post(b"Content-Length:", b"\t2", body=b"\r\nok"), MALFORMED),
        ("white space alone on a line", post(b" "), MALFORMED),
        ("a tab alone on a line", post(b"\t"), MALFORMED),
        ("NUL before the request", b"\x00" + line(b"GET / HTTP/1.1"), MALFORMED),
        ("a byte order mark first", b"\xef\xbb\xbf" + line(b"GET / HTTP/1.1"), MALFORMED),
        ("two blank lines first", b"\r\n\r\n" + line(b"GET / HTTP/1.1"), MALFORMED),
        ("a form feed in a value", post(b"A: b\x0cc"), MALFORMED),
        ("a backspace in a value", post(b"A: b\x08c"), MALFORMED),
        ("an escape in a value", post(b"A: \x1b[2J"), MALFORMED),
        # Names
        ("a space before the colon", post(b"A : b"), MALFORMED),
        ("a tab before the colon", post(b"A\t: b"), MALFORMED),
        ("a space in a name", post(b"A B: c"), MALFORMED),
        ("a space before a name", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", MALFORMED),
        ("an empty name", post(b": b"), MALFORMED),
        ("no colon", post(b"A"), MALFORMED),
        ("a name that is no token", post(b"A(b): c"), MALFORMED),
        ("a name outside ASCII", post(b"\xc3\xa9: c"), MALFORMED),
        (
            "a space before the colon of a length",
            post(b"Content-Length : 2", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a tab before the colon of a coding", post(b"Transfer-Encoding\t: chunked"), MALFORMED),
        ("a vertical tab before the colon", post(b"Transfer-Encoding\x0b: chunked"), MALFORMED),
        ("NUL before the colon", post(b"Transfer-Encoding\x00: chunked"), MALFORMED),
        ("a bare CR before the colon", post(b"Transfer-Encoding\r: chunked"), MALFORMED),
        ("a bare CR before a name", post(b"\rTransfer-Encoding: chunked"), MALFORMED),
        ("a control before a name", post(b"\x01Transfer-Encoding: chunked"), MALFORMED),
        ("a byte order mark before a name", post(b"\xef\xbb\xbfContent-Length: 2"), MALFORMED),
        ("a quoted name", post(b'"Content-Length": 2'), MALFORMED),
        ("a slash in a name", post(b"Transfer/Encoding: chunked"), MALFORMED),
        ("a non-breaking space after a name", post(b"Content-Length\xa0: 2"), MALFORMED),
        ("DEL in a name", post(b"A\x7f: b"), MALFORMED),
        ("a semicolon instead of a colon", post(b"Content-Length; 2"), MALFORMED),
        ("an equals sign instead of a colon", post(b"Content-Length=2"), MALFORMED),
        ("colons alone", post(b":::"), MALFORMED),
        # Request line
        ("two spaces before the target", line(b"GET  / HTTP/1.1"), MALFORMED),
        ("two spaces before the version", line(b"GET /  HTTP/1.1"), MALFORMED),
        ("a tab in the request line", line(b"GET\t/ HTTP/1.1"), MALFORMED),
        ("a space after the version", line(b"GET / HTTP/1.1 "), MALFORMED),
        ("no version (HTTP/0.9)", line(b"GET /"), MALFORMED),
        ("HTTP/2.0", line(b"GET / HTTP/2.0"), MALFORMED),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
        ("HTTP/1.2", line(b"GET / HTTP/1.2"), MALFORMED),
        ("HTTP/0.9", line(b"GET / HTTP/0.9"), MALFORMED),
        ("HTTP/1.10", line(b"GET / HTTP/1.10"), MALFORMED),
        ("HTTP/01.1", line(b"GET / HTTP/01.1"), MALFORMED),
        ("http/1.1", line(b"GET / http/1.1"), MALFORMED),
        ("a lower-case method", line(b"get / HTTP/1.1"), MALFORMED),
        ("a method in mixed case", line(b"Get / HTTP/1.1"), MALFORMED),
        ("a method with odd characters", line(b"GE!T / HTTP/1.1"), MALFORMED),
        ("a method with a digit", line(b"GET2 / HTTP/1.1"), MALFORMED),
        ("no method", line(b" / HTTP/1.1"), MALFORMED),
        ("many spaces before the target", line(b"GET" + b" " * 40 + b"/ HTTP/1.1"), MALFORMED),
        ("a tab before the version", line(b"GET /\tHTTP/1.1"), MALFORMED),
        ("a vertical tab in the request line", line(b"GET\x0b/ HTTP/1.1"), MALFORMED),
        ("a form feed in the request line", line(b"GET /\x0cHTTP/1.1"), MALFORMED),
        ("a non-breaking space in the request line", line(b"GET\xa0/ HTTP/1.1"), MALFORMED),
        ("a space before the method", line(b" GET / HTTP/1.1"), MALFORMED),
        ("a tab after the version", line(b"GET / HTTP/1.1\t"), MALFORMED),
        ("two versions", line(b"GET / HTTP/1.1 HTTP/1.0"), MALFORMED),
        ("a request line inside the target", line(b"GET /a HTTP/1.1 b HTTP/1.1"), MALFORMED),
        ("HTTP/0.9 with one LF", b"GET /\n\n", MALFORMED),
        ("HTTP/1", line(b"GET / HTTP/1"), MALFORMED),
        ("HTTP/1.", line(b"GET / HTTP/1."), MALFORMED),
        ("HTTP/.1", line(b"GET / HTTP/.1"), MALFORMED),
        ("HTTP/11", line(b"GET / HTTP/11"), MALFORMED),
        ("HTTP/1.1.1", line(b"GET / HTTP/1.1.1"), MALFORMED),
        ("HTTP/1,1", line(b"GET / HTTP/1,1"), MALFORMED),
        ("HTTP/-1.1", line(b"GET / HTTP/-1.1"), MALFORMED),
        ("HTTP/2", line(b"GET / HTTP/2"), MALFORMED),
        ("HTTP/3.0", line(b"GET / HTTP/3.0"), MALFORMED),
        ("Http/1.1", line(b"GET / Http/1.1"), MALFORMED),
        ("HTTPS/1.1", line(b"GET / HTTPS/1.1"), MALFORMED),
        ("a space inside the version", line(b"GET / HTTP/ 1.1"), MALFORMED),
        ("another protocol", line(b"GET / RTSP/1.1"), MALFORMED),
        ("a status line", b"HTTP/1.1 200 OK\r\nHost: x\r\n\r\n", MALFORMED),
        ("a method with an underscore", line(b"M_SEARCH / HTTP/1.1"), MALFORMED),
        ("a method that ends in a colon", line(b"GET: / HTTP/1.1"), MALFORMED),
        ("a method with NUL", line(b"GE\x00T / HTTP/1.1"), MALFORMED),
        ("a method outside ASCII", line(b"G\xc9T / HTTP/1.1"), MALFORMED),
        # Targets
        ("an absolute target", line(b"GET http://x/ HTTP/1.1"), MALFORMED),
        ("an authority target", line(b"GET x:443 HTTP/1.1"), MALFORMED),
        ("an asterisk target", line(b"OPTIONS * HTTP/1.1"), MALFORMED),
        ("a relative target", line(b"GET a HTTP/1.1"), MALFORMED),
        ("no target", line(b"GET  HTTP/1.1"), MALFORMED),
        ("a query alone", line(b"GET ?a HTTP/1.1"), MALFORMED),
        ("a fragment", line(b"GET /a#b HTTP/1.1"), MALFORMED),
        ("a fragment after a query", line(b"GET /a?b#c HTTP/1.1"), MALFORMED),
        ("a target outside ASCII", line(b"GET /\xc3\xa9 HTTP/1.1"), MALFORMED),
        ("a control in the target", line(b"GET /\x01 HTTP/1.1"), MALFORMED),
        ("NUL in the target", line(b"GET /\x00 HTTP/1.1"), MALFORMED),
        ("a space in the target", line(b"GET /a b HTTP/1.1"), MALFORMED),
        ("a backslash in the target", line(b"GET /a\\b HTTP/1.1"), MALFORMED),
        ("brackets in the path", line(b"GET /[a] HTTP/1.1"), MALFORMED),
        ("a quote in the query", line(b'GET /?"a" HTTP/1.1'), MALFORMED),
        ("an absolute target with another host", line(b"GET http://y/ HTTP/1.1"), MALFORMED),
        ("an absolute target with https", line(b"GET https://x/ HTTP/1.1"), MALFORMED),
        ("an absolute target with a user", line(b"GET http://u:p@x/ HTTP/1.1"), MALFORMED),
        ("an absolute target of another scheme", line(b"GET file:///etc HTTP/1.1"), MALFORMED),
        ("an authority target with a method of content", line(b"POST x:80 HTTP/1.1"), MALFORMED),
        ("an asterisk target of GET", line(b"GET * HTTP/1.1"), MALFORMED),
        ("an asterisk in front of a path", line(b"OPTIONS */ HTTP/1.1"), MALFORMED),
        ("a backslash first", line(b"GET \\orders HTTP/1.1"), MALFORMED),
        ("braces in the target", line(b"GET /{a} HTTP/1.1"), MALFORMED),
        ("a bar in the target", line(b"GET /a|b HTTP/1.1"), MALFORMED),
        ("a caret in the target", line(b"GET /a^b HTTP/1.1"), MALFORMED),
        ("a back-quote in the target", line(b"GET /`a` HTTP/1.1"), MALFORMED),
        ("angle brackets in the target", line(b"GET /<a> HTTP/1.1"), MALFORMED),
        ("DEL in the target", line(b"GET /\x7f HTTP/1.1"), MALFORMED),
        ("octets that are not UTF-8 in the target", line(b"GET /\xff\xfe HTTP/1.1"), MALFORMED),
        # Host
        ("no Host", b"GET / HTTP/1.1\r\n\r\n", MALFORMED),
        ("no Host on HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", MALFORMED),
        ("two Hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", MALFORMED),
        ("two equal Hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", MALFORMED),
        ("an empty Host", host(b""), MALFORMED),
        ("a list in Host", host(b"x, y"), MALFORMED),
        ("a user in Host", host(b"u@x"), MALFORMED),
        ("a path in Host", host(b"x/y"), MALFORMED),
        ("a space in Host", host(b"x y"), MALFORMED),
        ("an empty port", host(b"x:"), MALFORMED),
        ("a port that is no number", host(b"x:http"), MALFORMED),
        ("a port above 65535", host(b"x:65536"), MALFORMED),
        ("two ports", host(b"x:1:2"), MALFORMED),
        ("an IPv6 address without brackets", host(b"2001:db8::1"), MALFORMED),
        ("an IPv6 address that is none", host(b"[2001:db8::1::2]"), MALFORMED),
        ("an escaped Host", host(b"x%41"), MALFORMED),
        ("Host in two spellings", b"GET / HTTP/1.1\r\nHost: x\r\nhOST: y\r\n\r\n", MALFORMED),
        ("two Hosts far apart", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nHost: y\r\n\r\n", MALFORMED),
        ("a list of equal names in Host", host(b"x,x"), MALFORMED),
        ("a user and a password in Host", host(b"u:p@x"), MALFORMED),
        ("a query in Host", host(b"x?y"), MALFORMED),
        ("a fragment in Host", host(b"x#y"), MALFORMED),
        ("a backslash in Host", host(b"x\\y"), MALFORMED),
        ("a URL in Host", host(b"http://x/"), MALFORMED),
        ("a tab in Host", host(b"x\ty"), MALFORMED),
        ("a semicolon in Host", host(b"x;y"), MALFORMED),
        ("a quoted Host", host(b'"x"'), MALFORMED),
        ("a Host outside ASCII", host(b"\xc3\xa9"), MALFORMED),
        ("a Host that begins with a dot", host(b".x"), MALFORMED),
        ("a port alone", host(b":80"), MALFORMED),
        ("a negative port", host(b"x:-1"), MALFORMED),
        ("a signed port", host(b"x:+80"), MALFORMED),
        ("a port of many digits", host(b"x:000080"), MALFORMED),
        ("a port that overflows 16 bits", host(b"x:65616"), MALFORMED),
        ("a port that overflows 64 bits", host(b"x:18446744073709551696"), MALFORMED),
        ("a space before the port", host(b"x :80"), MALFORMED),
        ("an open bracket in Host", host(b"[::1"), MALFORMED),
        ("a zone in an IPv6 address", host(b"[fe80::1%25eth0]"), MALFORMED),
        ("octets behind an IPv6 address", host(b"[::1]x"), MALFORMED),
        # Framing
        (
            "Content-Length and Transfer-Encoding",
            post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        ("two equal Content-Lengths", post(b"Content-Length: 2", BODY, body=b""), MALFORMED),
        ("two different Content-Lengths", post(b"Content-Length: 3", BODY, body=b""), MALFORMED),
        ("a list of Content-Lengths", post(b"Content-Length: 2, 2", body=b"\r\nok"), MALFORMED),
        ("a positive Content-Length", post(b"Content-Length: +2", body=b"\r\nok"), MALFORMED),
        ("a negative Content-Length", post(b"Content-Length: -2", body=b"\r\nok"), MALFORMED),
        ("an empty Content-Length", post(b"Content-Length:", body=b"\r\nok"), MALFORMED),
        ("a hexadecimal Content-Length", post(b"Content-Length: 0x2", body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length with a leading zero",
            post(b"Content-Length: 02", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a fractional Content-Length", post(b"Content-Length: 2.0", body=b"\r\nok"), MALFORMED),
        ("a Content-Length with a space", post(b"Content-Length: 2 2", body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length of Arabic digits",
            post("Content-Length: \u0662".encode(), body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "a Content-Length beyond 64 bits",
            post(b"Content-Length: 99999999999999999999"),
            MALFORMED,
        ),
        ("Transfer-Encoding: gzip, chunked", post(b"Transfer-Encoding: gzip, chunked"), MALFORMED),
        (
            "Transfer-Encoding: chunked, chunked",
            post(b"Transfer-Encoding: chunked, chunked"),
            MALFORMED,
        ),
        ("Transfer-Encoding: identity", post(b"Transfer-Encoding: identity"), MALFORMED),
        ("Transfer-Encoding: chunked;a=b", post(b"Transfer-Encoding: chunked;a=b"), MALFORMED),
        ("Transfer-Encoding: xchunked", post(b"Transfer-Encoding: xchunked"), MALFORMED),
        ("an empty Transfer-Encoding", post(b"Transfer-Encoding:"), MALFORMED),
        ("a quoted Transfer-Encoding", post(b'Transfer-Encoding: "chunked"'), MALFORMED),
        (
            "two Transfer-Encodings",
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            MALFORMED,
        ),
        (
            "chunked on HTTP/1.0",
            b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            MALFORMED,
        ),
        (
            "CL.TE",
            post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"\r\n0\r\n\r\nG"),
            MALFORMED,
        ),
        (
            "TE.CL",
            post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"\r\n5c\r\n" + NEXT),
            MALFORMED,
        ),
        (
            "CL.TE on HTTP/1.0",
            post(
                b"Content-Length: 6",
                b"Transfer-Encoding: chunked",
                body=b"\r\n0\r\n\r\nG",
                version=b"1.0",
            ),
            MALFORMED,
        ),
        (
            "Content-Length and an unknown coding",
            post(b"Transfer-Encoding: x", BODY, body=b""),
            MALFORMED,
        ),
        (
            "Content-Length 0 and Transfer-Encoding",
            post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=b"\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        (
            "equal Content-Lengths in two spellings",
            post(b"content-length: 2", BODY, body=b""),
            MALFORMED,
        ),
        (
            "a list of different Content-Lengths",
            post(b"Content-Length: 2, 3", body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "a list of Content-Lengths that begins empty",
            post(b"Content-Length: ,2", body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "a list of Content-Lengths that ends empty",
            post(b"Content-Length: 2,", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a Content-Length of minus nothing", post(b"Content-Length: -0"), MALFORMED),
        ("a Content-Length of many zeros", post(b"Content-Length: 000"), MALFORMED),
        ("a Content-Length with an underscore", post(b"Content-Length: 1_0"), MALFORMED),
        ("a Content-Length with an exponent", post(b"Content-Length: 1e1"), MALFORMED),
        ("a quoted Content-Length", post(b'Content-Length: "2"', body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length with a parameter",
            post(b"Content-Length: 2;a=b", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a Content-Length of letters", post(b"Content-Length: two"), MALFORMED),
        (
            "a Content-Length of 2^64 and more",
            post(b"Content-Length: 18446744073709551618", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a Content-Length of 2^63", post(b"Content-Length: 9223372036854775808"), MALFORMED),
        (
            "a Content-Length with a vertical tab",
            post(b"Content-Length: \x0b2", body=b"\r\nok"),
            MALFORMED,
        ),
        ("a Content-Length with NUL", post(b"Content-Length: 2\x00", body=b"\r\nok"), MALFORMED),
        (
            "a Content-Length of full-width digits",
            post("Content-Length: \uff12".encode(), body=b"\r\nok"),
            MALFORMED,
        ),
        (
            "Transfer-Encoding: chunked, identity",
            post(b"Transfer-Encoding: chunked, identity"),
            MALFORMED,
        ),
        (
            "Transfer-Encoding: identity, chunked",
            post(b"Transfer-Encoding: identity, chunked"),
            MALFORMED,
        ),
        ("Transfer-Encoding: chunked, gzip", post(b"Transfer-Encoding: chunked, gzip"), MALFORMED),
        ("Transfer-Encoding: x chunked", post(b"Transfer-Encoding: x chunked"), MALFORMED),
        ("Transfer-Encoding: chunkedx", post(b"Transfer-Encoding: chunkedx"), MALFORMED),
        ("Transfer-Encoding: chunke", post(b"Transfer-Encoding: chunke"), MALFORMED),
        ("Transfer-Encoding: 'chunked'", post(b"Transfer-Encoding: 'chunked'"), MALFORMED),
        ("Transfer-Encoding: ,chunked", post(b"Transfer-Encoding: ,chunked"), MALFORMED),
        ("Transfer-Encoding: chunked,", post(b"Transfer-Encoding: chunked,"), MALFORMED),
        ("Transfer-Encoding: chunked;", post(b"Transfer-Encoding: chunked;"), MALFORMED),
        ("a vertical tab before chunked", post(b"Transfer-Encoding: \x0bchunked"), MALFORMED),
        ("a vertical tab after chunked", post(b"Transfer-Encoding: chunked\x0b"), MALFORMED),
        ("a form feed before chunked", post(b"Transfer-Encoding: \x0cchunked"), MALFORMED),
        ("NUL after chunked", post(b"Transfer-Encoding: chunked\x00"), MALFORMED),
        ("a bare CR after chunked", post(b"Transfer-Encoding: chunked\r"), MALFORMED),
        ("a non-breaking space before chunked", post(b"Transfer-Encoding: \xa0chunked"), MALFORMED),
        (
            "chunked in another alphabet",
            post("Transfer-Encoding: \u0441hunked".encode()),
            MALFORMED,
        ),
        (
            "chunked with the Kelvin sign",
            post("Transfer-Encoding: chun\u212aed".encode()),
            MALFORMED,
        ),
        (
            "TE.TE, the second unknown",
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
            MALFORMED,
        ),
        (
            "TE.TE, the first unknown",
            post(b"Transfer-Encoding: x", b"Transfer-Encoding: chunked"),
            MALFORMED,
        ),
        (
            "TE.TE, the second empty",
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding:"),
            MALFORMED,
        ),
        (
            "TE.TE, in two spellings",
            post(b"Transfer-Encoding: chunked", b"transfer-encoding: identity"),
            MALFORMED,
        ),
        (
            "a comma behind chunked",
            post(b"Transfer-Encoding: chunked,", body=b"\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        (
            "a comma before chunked",
            post(b"Transfer-Encoding: , chunked", body=b"\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        (
            "a coding that is not understood on HTTP/1.0",
            post(b"Transfer-Encoding: identity", version=b"1.0"),
            MALFORMED,
        ),
        # Other fields
        ("Connection nominates Host", post(b"Connection: host"), MALFORMED),
        (
            "Connection nominates Content-Length",
            post(b"Connection: close, Content-Length", BODY),
            MALFORMED,
        ),
        ("Connection nominates Content-Digest", post(b"Connection: content-digest"), MALFORMED),
        ("Connection nominates Transfer-Id", post(b"Connection: Transfer-Id"), MALFORMED),
        ("Connection is no list", post(b"Connection: close te"), MALFORMED),
        ("commas without bound", post(b"Connection: close" + b"," * 17), MALFORMED),
        (
            "commas without bound in many lines",
            post(*[b"Connection: ,"] * 8, b"Connection: close,"),
            MALFORMED,
        ),
        ("Connection nominates Host behind a comma", post(b"Connection: ,host"), MALFORMED),
        ("an unknown expectation", post(b"Expect: 200-ok"), MALFORMED),
        ("two expectations", post(b"Expect: 100-continue", b"Expect: 100-continue"), MALFORMED),
        (
            "two Content-Types",
            post(b"Content-Type: text/plain", b"Content-Type: application/json"),
            MALFORMED,
        ),
        ("two Authorizations", post(b"Authorization: a", b"Authorization: b"), MALFORMED),
        (
            "Connection nominates Transfer-Encoding",
            post(
                b"Connection: transfer-encoding",
                b"Transfer-Encoding: chunked",
                body=b"\r\n0\r\n\r\n",
            ),
            MALFORMED,
        ),
        (
            "Connection nominates Content-Length in capitals",
            post(b"Connection: CONTENT-LENGTH", BODY, body=b""),
            MALFORMED,
        ),
        ("Connection nominates Authorization", post(b"Connection: Authorization"), MALFORMED),
        ("Connection nominates Cookie", post(b"Connection: cookie"), MALFORMED),
        ("Connection nominates Forwarded", post(b"Connection: forwarded"), MALFORMED),
        (
            "Connection nominates X-Forwarded-For",
            post(b"Connection: close, X-Forwarded-For"),
            MALFORMED,
        ),
        ("Connection nominates Client-Cert", post(b"Connection: client-cert"), MALFORMED),
        ("Connection nominates Via", post(b"Connection: via"), MALFORMED),
        ("Connection nominates Data-Sensitivity", post(b"Connection: data-sensitivity"), MALFORMED),
        (
            "the second Connection nominates Host",
            post(b"Connection: close", b"Connection: host"),
            MALFORMED,
        ),
        ("Connection is quoted", post(b'Connection: "close"'), MALFORMED),
        ("Connection with a parameter", post(b"Connection: close;a=b"), MALFORMED),
        ("an unknown expectation behind a comma", post(b"Expect: ,x"), MALFORMED),
        ("a list of expectations", post(b"Expect: 100-continue, 100-continue"), MALFORMED),
        ("an expectation with a parameter", post(b"Expect: 100-continue;a"), MALFORMED),
        ("an expectation with octets behind", post(b"Expect: 100-continuex"), MALFORMED),
        (
            "two Content-Ranges",
            post(b"Content-Range: bytes 0-1/2", b"Content-Range: bytes 0-0/2"),
            MALFORMED,
        ),
        (
            "a space at the end of a blank line",
            b"GET / HTTP/1.1\r\nHost: x\r\n \r\n\r\n",
            MALFORMED,
        ),
        ("a Content-Length of nineteen digits", post(b"Content-Length: 1" + b"0" * 18), MALFORMED),
        # Other protocols
        ("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", UPGRADE),
        ("CONNECT with a path", line(b"CONNECT / HTTP/1.1"), UPGRADE),
        (
            "WebSocket",
            post(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
            UPGRADE,
        ),
        ("WebSocket that Connection does not name", post(b"Upgrade: WebSocket"), UPGRADE),
        (
            "WebSocket among others",
            post(b"Connection: Upgrade", b"Upgrade: h2c,", b"Upgrade: websocket/13"),
            UPGRADE,
        ),
        (
            "CONNECT with a request behind",
            b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n" + NEXT,
            UPGRADE,
        ),
    )
)

PATHS: tuple[Row, ...] = tuple(
    Row(name, line(b"GET " + path + b" HTTP/1.1"), PATH)
    for name, path in (
        ("two slashes", b"/orders//1"),
        ("two slashes first", b"//orders/1"),
        ("two slashes last", b"/orders/1//"),
        ("a dot segment", b"/orders/./1"),
        ("two dots", b"/orders/../files/1"),
        ("a dot at the end", b"/orders/."),
        ("two dots at the end", b"/orders/.."),
        ("a dot segment with a parameter", b"/orders/..;a=b/files/1"),
        ("a dot segment with an empty parameter", b"/orders/.;/1"),
        ("an encoded dot", b"/orders/%2E/1"),
        ("encoded dots", b"/orders/%2e%2e/files/1"),
        ("a half encoded dot segment", b"/orders/.%2E/files/1"),
        ("a dot encoded twice", b"/orders/%252E%2E/files/1"),
        ("an encoded slash", b"/orders/a%2Fb"),
        ("an encoded slash in small letters", b"/orders/a%2fb"),
        ("an encoded backslash", b"/orders/a%5Cb"),
        ("an encoded NUL", b"/orders/1%00"),
        ("an encoded CRLF", b"/orders/1%0D%0AHost:%20y"),
        ("an encoded LF", b"/orders/1%0A"),
        ("an encoded DEL", b"/orders/1%7F"),
        ("an encoded letter", b"/%6Frders/1"),
        ("an encoded tilde", b"/orders/%7E1"),
        ("an escape in small letters", b"/orders/%c3%a9"),
        ("an escape that is none", b"/orders/%zz"),
        ("half an escape", b"/orders/%4"),
        ("a percent sign at the end", b"/orders/%"),
        ("escapes that are not UTF-8", b"/orders/%FF"),
        ("an overlong slash", b"/orders/..%C0%AF"),
        ("a surrogate", b"/orders/%ED%A0%80"),
        ("the escape of IIS", b"/orders/%u002e"),
    )
)

METHODS: tuple[Row, ...] = (
    Row("GET with content", line(b"GET /files/1 HTTP/1.1")[:-2] + BODY, "content-unexpected"),
    Row("HEAD with content", line(b"HEAD /files/1 HTTP/1.1")[:-2] + BODY, "content-unexpected"),
    Row("DELETE with content", line(b"DELETE /files/1 HTTP/1.1")[:-2] + BODY, "content-unexpected"),
    Row(
        "GET with a request as its content",
        line(b"GET /files/1 HTTP/1.1")[:-2] + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
        "content-unexpected",
    ),
    Row(
        "GET with chunks",
        line(b"GET /files/1 HTTP/1.1")[:-2]
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "content-unexpected",
    ),
    Row("TRACE", line(b"TRACE /files/1 HTTP/1.1"), "method-refused"),
)
"""Content where some servers expect none, and take it for the next request."""

CONTENTS: tuple[Row, ...] = tuple(
    Row(*row)
    for row in (
        ("a size that is no number", chunked(b"x\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an empty size", chunked(b"\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a positive size", chunked(b"+1\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a negative size", chunked(b"-1\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("0x", chunked(b"0x1\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an underscore", chunked(b"1_0\r\n0123456789012345\r\n0\r\n\r\n"), MALFORMED),
        ("a space before the size", chunked(b" 1\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a space after the size", chunked(b"1 \r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a tab after the size", chunked(b"1\t\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension", chunked(b"1;a=b\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension of the last chunk", chunked(b"0;a\r\n\r\n"), MALFORMED),
        ("a bare LF in an extension", chunked(b"1;\na\r\n0\r\n\r\n"), MALFORMED),
        ("seventeen digits", chunked(b"00000000000000001\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("bare LF after the size", chunked(b"1\na\r\n0\r\n\r\n"), MALFORMED),
        ("bare CR after the size", chunked(b"1\ra\r\n0\r\n\r\n"), MALFORMED),
        ("bare LF after the content", chunked(b"1\r\na\n0\r\n\r\n"), MALFORMED),
        ("bare CR after the content", chunked(b"1\r\na\rb0\r\n\r\n"), MALFORMED),
        ("more content than the size", chunked(b"1\r\nab\r\n0\r\n\r\n"), MALFORMED),
        ("less content than the size", chunked(b"3\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("bare LF at the end", chunked(b"0\r\n\n"), MALFORMED),
        ("bare LF after the last chunk", chunked(b"0\n\n"), MALFORMED),
        ("a bare LF in the trailers", chunked(b"0\r\nA: b\n\r\n"), MALFORMED),
        ("a folded trailer", chunked(b"0\r\nA: b\r\n c\r\n\r\n"), MALFORMED),
        ("a space before the colon of a trailer", chunked(b"0\r\nA : b\r\n\r\n"), MALFORMED),
        ("NUL in a trailer", chunked(b"0\r\nA: \x00\r\n\r\n"), MALFORMED),
        ("no name in a trailer", chunked(b"0\r\n: b\r\n\r\n"), MALFORMED),
        ("an extension with a value", chunked(b"1;a\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension with a quoted CRLF", chunked(b'1;a="\r\nX"\r\na\r\n0\r\n\r\n'), MALFORMED),
        ("an extension with a bare CR", chunked(b"1;a\rb\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension that is empty", chunked(b"1;\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension behind a space", chunked(b"1 ;a\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("an extension behind NUL", chunked(b"1\x00;a\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("NUL after the size", chunked(b"1\x00\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a vertical tab before the size", chunked(b"\x0b1\r\na\r\n0\r\n\r\n"), MALFORMED),
        (
            "a size that overflows 64 bits",
            chunked(b"10000000000000001\r\na\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        (
            "a size that overflows 32 bits twice",
            chunked(b"100000000000000000001\r\na\r\n0\r\n\r\n"),
            MALFORMED,
        ),
        ("zeros without bound", chunked(b"0" * 64 + b"1\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a size of zeros without bound", chunked(b"0" * 64 + b"\r\n\r\n"), MALFORMED),
        ("a size of minus nothing", chunked(b"-0\r\n\r\n"), MALFORMED),
        ("a size with a point", chunked(b"1.0\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a quoted size", chunked(b'"1"\r\na\r\n0\r\n\r\n'), MALFORMED),
        ("a size with h", chunked(b"1h\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("a blank line before a chunk", chunked(b"1\r\na\r\n\r\n0\r\n\r\n"), MALFORMED),
        ("CR CR LF after the size", chunked(b"1\r\r\na\r\n0\r\n\r\n"), MALFORMED),
        ("CR CR LF after the content", chunked(b"1\r\na\r\r\n0\r\n\r\n"), MALFORMED),
        ("LF CR after the content", chunked(b"1\r\na\n\r0\r\n\r\n"), MALFORMED),
        ("no CRLF after the content", chunked(b"1\r\na0\r\n\r\n"), MALFORMED),
        ("two octets instead of CRLF", chunked(b"1\r\naXX0\r\n\r\n"), MALFORMED),
        ("no CRLF after the last chunk", chunked(b"1\r\na\r\n0\r\n" + NEXT), MALFORMED),
        ("octets behind the last chunk", chunked(b"1\r\na\r\n0\r\nX\r\n\r\n"), MALFORMED),
        ("content in the last chunk", chunked(b"0\r\nabc\r\n\r\n"), MALFORMED),
        ("a control in a trailer", chunked(b"0\r\nA: \x01\r\n\r\n"), MALFORMED),
        ("a bare CR in a trailer", chunked(b"0\r\nA: b\rC: d\r\n\r\n"), MALFORMED),
        ("NUL in the name of a trailer", chunked(b"0\r\nA\x00: b\r\n\r\n"), MALFORMED),
        ("a folded first trailer", chunked(b"0\r\n A: b\r\n\r\n"), MALFORMED),
        ("a trailer that is no token", chunked(b"0\r\nA(b): c\r\n\r\n"), MALFORMED),
        *(
            Row(
                f"{name} in the trailers", chunked(b"0\r\n%b: 1\r\n\r\n" % name.encode()), MALFORMED
            )
            for name in (
                "Content-Length",
                "Transfer-Encoding",
                "Host",
                "Connection",
                "Upgrade",
                "Trailer",
                "Content-Type",
                "Content-Encoding",
                "Authorization",
                "Cookie",
                "Expect",
                "Range",
                "Via",
                "Transfer-Id",
                "content_length",
                "Transfer.Encoding",
            )
        ),
    )
)

ONE_READING: tuple[Row, ...] = tuple(
    Row(name, octets, "")
    for name, octets in (
        ("white space around a length", post(JSON, b"Content-Length:\t 2 \t", body=b"\r\n{}")),
        ("no space before a length", post(JSON, b"Content-Length:2", body=b"\r\n{}")),
        (
            "CHUNKED in capitals",
            post(JSON, b"TRANSFER-ENCODING: CHUNKED", body=b"\r\n2\r\n{}\r\n0\r\n\r\n"),
        ),
        (
            "a tab before chunked",
            post(JSON, b"Transfer-Encoding:\tchunked", body=b"\r\n2\r\n{}\r\n0\r\n\r\n"),
        ),
        (
            "white space after chunked",
            post(JSON, b"Transfer-Encoding: chunked \t", body=b"\r\n2\r\n{}\r\n0\r\n\r\n"),
        ),
        (
            "sixteen digits of a chunk size",
            chunked(b"0000000000000002\r\n{}\r\n0000000000000000\r\n\r\n"),
        ),
        (
            "a request inside the content",
            line(b"PUT /files/1 HTTP/1.1")[:-2]
            + b"Content-Length: %d\r\n\r\n" % len(INSIDE)
            + INSIDE,
        ),
        (
            "Content_Length beside Content-Length",
            post(JSON, b"Content_Length: 9", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        (
            "Content.Length beside chunked",
            post(
                JSON,
                b"Content.Length: 9",
                b"Transfer-Encoding: chunked",
                body=b"\r\n2\r\n{}\r\n0\r\n\r\n",
            ),
        ),
        (
            "Transfer_Encoding beside a length",
            post(JSON, b"Transfer_Encoding: chunked", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        (
            "X-Content-Length",
            post(JSON, b"X-Content-Length: 9", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        ("another Host in X-Host", post(JSON, b"X-Host: y", b"Content-Length: 2", body=b"\r\n{}")),
        (
            "another path in X-Original-URL",
            post(JSON, b"X-Original-URL: /smuggled", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        (
            "another method in X-HTTP-Method-Override",
            post(JSON, b"X-HTTP-Method-Override: PATCH", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        (
            "a field that Connection nominates",
            post(JSON, b"Connection: x-a", b"X-A: b", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        (
            "octets from 0x80 in a value",
            post(JSON, b"A: \xff\x80\xe9", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        ("a colon first in a value", post(JSON, b"A::b", b"Content-Length: 2", body=b"\r\n{}")),
        ("an empty value", post(JSON, b"A:", b"Content-Length: 2", body=b"\r\n{}")),
        (
            "an equal field twice",
            post(JSON, b"A: b", b"A: b", b"Content-Length: 2", body=b"\r\n{}"),
        ),
        ("a path in the query", line(b"GET /files/1?/../%2e%2e//&a[b]=c?d HTTP/1.1")),
        ("a parameter in the path", line(b"GET /files/1;a=b HTTP/1.1")),
        (
            "an expectation on HTTP/1.0",
            post(JSON, b"Expect: 200-ok", b"Content-Length: 2", body=b"\r\n{}", version=b"1.0"),
        ),
        (
            "Keep-Alive on HTTP/1.0",
            post(
                JSON,
                b"Connection: keep-alive",
                b"Content-Length: 2",
                body=b"\r\n{}",
                version=b"1.0",
            ),
        ),
        *(
            (
                f"{name} in the trailers",
                chunked(b"2\r\n{}\r\n0\r\n%b: claimed\r\n\r\n" % name.encode()),
            )
            for name in ("Forwarded", "X-Forwarded-For", "X_Forwarded_For", "client.cert")
        ),
        *(
            (name, post(JSON, *lines, b"Content-Length: 2", body=b"\r\n{}", version=version))
            for name, version, lines in (
                ("Upgrade to HTTP/2", b"1.1", [b"Connection: Upgrade, HTTP2-Settings", *H2C]),
                ("Upgrade that Connection does not name", b"1.1", [b"Upgrade: h2c"]),
                ("HTTP2-Settings that Connection does not name", b"1.1", H2C),
                ("HTTP2-Settings alone", b"1.1", [SETTINGS]),
                ("Upgrade to TLS", b"1.1", [b"Connection: upgrade", b"Upgrade: TLS/1.0"]),
                ("an unknown Upgrade", b"1.1", [b"Connection: upgrade", b"Upgrade: a/1, b;c"]),
                ("an empty Upgrade", b"1.1", [b"Connection: upgrade", b"Upgrade:"]),
                (
                    "Upgrade and an expectation",
                    b"1.1",
                    [b"Connection: Upgrade", *H2C, b"Expect: 100-continue"],
                ),
                ("HTTP2_Settings", b"1.1", [b"HTTP2_Settings: a"]),
                ("WebSocket on HTTP/1.0", b"1.0", [b"Upgrade: websocket"]),
                ("Connection is empty", b"1.1", [b"Connection:"]),
                ("a comma behind an option", b"1.1", [b"Connection: close,"]),
                ("a comma before an option", b"1.1", [b"Connection: , close"]),
                ("two commas in Connection", b"1.1", [b"Connection: close,,keep-alive"]),
                (
                    "commas in lists of names",
                    b"1.1",
                    [b"Connection: ,TE ,, close,", b"TE: , trailers,", b"Trailer: , A,,b"],
                ),
                ("sixteen commas", b"1.1", [b"Connection: close" + b" ," * 16]),
                ("a comma behind an expectation", b"1.1", [b"Expect: 100-continue ,"]),
                ("an expectation of nothing", b"1.1", [b"Expect:"]),
                ("commas in Via", b"1.1", [b"Via: , 1.1 other,,"]),
                ("commas in Content-Encoding", b"1.1", [b"Content-Encoding: ,identity ,"]),
            )
        ),
    )
)
"""What passes: the upstream gets one message, which can be read in one way only."""

BEHIND: tuple[Row, ...] = tuple(
    Row(name, post(JSON, *lines, b"Content-Length: 2", body=b"\r\n{}") + behind, MALFORMED)
    for name, lines, behind in (
        ("CRLF behind the content", [], b"\r\n" + NEXT),
        ("LF behind the content", [], b"\n" + NEXT),
        ("NUL behind the content", [], b"\x00" + NEXT),
        ("content beyond its length", [], b"{}" + NEXT),
        ("the end of chunks behind a length", [], b"\r\n0\r\n\r\n" + NEXT),
        ("a lower-case request behind", [], b"get /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("an answer behind", [], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (
            "HTTP/2 behind an Upgrade",
            [b"Connection: Upgrade, HTTP2-Settings", *H2C],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        ),
    )
)
"""A good request and what is none behind it: the first is answered, the second refused."""
