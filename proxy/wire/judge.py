r"""h11, the second reader of every head that is not plain, and of trailers: it has to agree.

Two readers that share no code take the same octets. What they read differently, or what h11 does
not accept, is refused. Of a head they must find the same line, the same fields, and the same
framing: behind it h11 is given

    0\r\n\r\n

which is nothing of a message without content, all of one that is chunked, and of any other the
first of its octets. Heads that are plain (`grammar`) are read alike, as the property tests prove.
"""

from typing import Final

import h11

from proxy.model import AnswerHead, Framing, Head, Headers
from proxy.wire.lines import Ungrammatical

_PROBE: Final = b"0\r\n\r\n"
_CHUNKED: Final = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


def require_request(raw: bytes, head: Head) -> None:
    """h11 reads the request head `raw` as `head`. Fails closed; raises `Ungrammatical`."""
    judge = h11.Connection(h11.SERVER, len(raw) + len(_PROBE))
    event = _next(judge, raw)
    same = isinstance(event, h11.Request) and (
        (event.method, event.target, event.http_version, tuple(event.headers))
        == (head.method.encode(), head.target.encode(), head.http_version.encode(), head.headers)
    )
    if not same or not _same_framing(judge, head.framing):
        raise Ungrammatical("the grammar and h11 read the head differently")


def require_answer(raw: bytes, head: AnswerHead, method: str) -> None:
    """h11 reads the head `raw` of an answer to `method` as `head`; of an interim answer as well.

    Fails closed; raises `Ungrammatical`.
    """
    judge = h11.Connection(h11.CLIENT, len(raw) + len(_PROBE))
    judge.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    event = _next(judge, raw)
    kind = h11.Response if head.status >= 200 else h11.InformationalResponse
    same = isinstance(event, kind) and (
        (event.status_code, event.http_version, tuple(event.headers))
        == (head.status, head.http_version.encode(), head.headers)
    )
    if not same or not (head.status < 200 or _same_framing(judge, head.framing)):
        raise Ungrammatical("the grammar and h11 read the head differently")


def require_trailers(raw: bytes, trailers: Headers) -> None:
    """h11 reads the trailer section `raw` as `trailers`. Fails closed; raises `Ungrammatical`."""
    judge = h11.Connection(h11.SERVER, len(_CHUNKED) + len(raw))
    _next(judge, _CHUNKED + raw)
    event = _next(judge, b"")
    if not isinstance(event, h11.EndOfMessage) or tuple(event.headers) != trailers:
        raise Ungrammatical("the grammar and h11 read the trailers differently")


def _same_framing(judge: h11.Connection, framing: Framing) -> bool:
    event = _next(judge, _PROBE)
    left = len(judge.trailing_data[0])
    if isinstance(event, h11.Data):
        size = len(_PROBE) if framing.length is None else min(framing.length, len(_PROBE))
        return not framing.chunked and len(event.data) == size
    expected = len(_PROBE) if framing.empty else 0
    ends = framing.empty or framing.chunked
    return isinstance(event, h11.EndOfMessage) and ends and left == expected


def _next(judge: h11.Connection, data: bytes) -> object:
    try:
        if data:
            judge.receive_data(data)
        return judge.next_event()
    except h11.RemoteProtocolError:
        # Its message quotes what the peer wrote.
        raise Ungrammatical("h11 does not accept what the grammar accepts") from None
