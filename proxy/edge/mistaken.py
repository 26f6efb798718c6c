"""How connections fail before anybody has shown who he is, as far as the transport knows.

Who speaks the wrong protocol at a door (HTTP where TLS is spoken, TLS where HTTP is spoken without)
is told in the one that it speaks, so that it says something that its operator understands: `400` in
plain text, or a TLS alert. Neither learns anything of the gateway.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from proxy.edge.stream import Disconnected, Stream
from proxy.errors import TlsFailure

_BODY = b"This port speaks TLS: use https://, with a client certificate.\n"
ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)
"""To HTTP without TLS."""

HANDSHAKE = b"\x16"
"""What a TLS connection begins with: the content type of a record (RFC 8446, 5.1)."""
_ALERT = b"\x15\x03\x03\x00\x02\x02\x0a"
"""A fatal unexpected_message (RFC 8446, 6.2)."""
_PARTING = 1.0


class UnexpectedTls(Disconnected):
    """The peer begins a TLS handshake where none is expected."""


async def turn_away(stream: Stream) -> None:
    """Tell a peer that speaks TLS that nobody here does, and end. Never raises."""
    with trio.move_on_after(_PARTING):
        try:
            await stream.send([_ALERT])
        except Disconnected:
            pass  # it did not wait for it
    await stream.linger(_PARTING)


@contextmanager
def translated() -> Iterator[None]:
    """Around a handshake: whatever ends it raises TlsFailure, but for the end of our own doing."""
    try:
        yield
    except Disconnected as error:
        raise TlsFailure("reset", str(error)) from None
    except trio.TooSlowError:
        raise TlsFailure("timeout", "the handshake did not complete in time") from None
