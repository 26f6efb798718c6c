"""An ASGI application: /…/echo says what it got, /…/stream answers in pieces, /…/early unread."""

from collections.abc import Awaitable, Callable
from typing import Any

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
PIECES, PIECE = 32, b"0123456789abcdef" * 4096


async def application(scope: Event, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    what = scope["path"].rpartition("/")[2]
    if what == "early":
        await _answer(send, 413, b'{"error": "too large"}')
        return
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    if what == "stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(PIECES):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _answer(send, 200, body or b"{}")


async def _answer(send: Send, status: int, body: bytes) -> None:
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
