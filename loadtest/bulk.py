"""One large transfer, up or down, on a connection of its own; what arrived is checked."""

import base64
import ssl
import time
from collections.abc import Callable

from isal import isal_zlib

from loadtest import orders
from loadtest.http import Connection
from loadtest.judge import Judge, link_in, receipt_in
from loadtest.line import connected, context_of, head_of
from loadtest.work import Work, pieces


def transfer(work: Work, stand: Callable[[], None]) -> list[float]:
    """Seconds of each, from the first octet to the last. `stand` is called when the connection
    stands. Raises ValueError and ConnectionError."""
    sock = connected(work, context_of(work), shake=True)
    talk = Connection(sock)
    stand()
    if work.kind == "down":
        return [_down(work, sock, talk)]
    if work.kind == "up":
        content, due = pieces(work.count), work.count
        return [
            _sent(work, sock, talk, "application/octet-stream", content, due)
            for _ in range(work.times)
        ]
    count = max(1, round(work.count / len(orders.PIECE)))
    # A peer writes its JSON as its library does; the upstream looks whether it is masked.
    records = orders.DELIVERED * count if work.receipts == "signed" else None
    return [_sent(work, sock, talk, "application/x-ndjson", [orders.PIECE] * count, records)]


def _sent(
    work: Work,
    sock: ssl.SSLSocket,
    answer: Connection,
    kind: str,
    content: list[bytes],
    octets: int | None,
) -> float:
    judge, begun = Judge(work), time.perf_counter()
    head = head_of("POST", work.path, kind, sum(map(len, content)))
    if len(content) == 1:
        sock.sendall(head + content[0])
    else:
        sock.sendall(head)
        for piece in content:
            sock.sendall(piece)
    if not answer.head():
        raise ConnectionError("ended without an answer")
    body = answer.content()
    seconds = time.perf_counter() - begun
    sha = judge.require_said(answer.raw, body, octets) or work.sha256
    if work.receipts != "none":
        _require_receipt(judge, receipt_in(answer.raw), sha)
    return seconds


def _down(work: Work, sock: ssl.SSLSocket, answer: Connection) -> float:
    judge, begun = Judge(work), time.perf_counter()
    sock.sendall(f"GET {work.path}{work.count} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    crc = 0

    def take(piece: memoryview) -> None:
        nonlocal crc
        crc = isal_zlib.crc32(piece, crc)

    if not answer.head() or not answer.raw.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"answered {answer.raw[:60]!r}")
    octets = answer.discard(take)
    seconds = time.perf_counter() - begun
    if octets != work.count or f"{crc:08x}" != work.crc32:
        raise ValueError(f"{octets} octets of {work.count} came, or not those that were sent")
    if work.receipts != "none":
        _require_receipt(judge, receipt_in(answer.trailers) or _fetched(answer, sock), work.sha256)
    return seconds


def _require_receipt(judge: Judge, text: bytes | None, sha256: str) -> None:
    if text is None:
        raise ValueError("an answer without a receipt")
    judge.require_receipt(text, sha256)


def _fetched(answer: Connection, sock: ssl.SSLSocket) -> bytes | None:
    """The receipt that a Link in the head leads to, as a header would have it."""
    link = link_in(answer.raw)
    if link is None:
        return None
    sock.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % link)
    if not answer.head() or not answer.raw.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"the receipt: answered {answer.raw[:60]!r}")
    return base64.b64encode(answer.content())
