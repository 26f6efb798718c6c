"""What both directions share when they send: framing fields of our own only, and h11's errors."""

from functools import lru_cache
from typing import Any

import h11

from proxy.errors import LockgateError
from proxy.model import Framing

Fields = list[tuple[bytes, bytes]]

_OURS = frozenset([b"content-length", b"transfer-encoding", b"connection"])
_UNUSUAL = {
    name.lower(): name
    for name in b"Content-MD5 DNT ETag SourceMap TE WWW-Authenticate X-XSS-Protection".split()
}


@lru_cache(4096)
def spelt(name: bytes) -> bytes:
    """A field name as people write it. Names have no case (RFC 9110, section 5.1); there are
    readers that do not know."""
    return _UNUSUAL.get(name) or name.title()


def framed(headers: Fields, framing: Framing | None) -> Fields:
    """`headers` with the framing fields that `framing` makes, and no others; None makes none."""
    fields = [(spelt(name), value) for name, value in headers if name.lower() not in _OURS]
    if framing is None:
        return fields
    if framing.length is None:
        fields.append((b"Transfer-Encoding", b"chunked"))
    else:
        fields.append((b"Content-Length", b"%d" % framing.length))
    return fields


def send(connection: h11.Connection, kind: type[h11.Event], **fields: Any) -> list[bytes]:
    """Pieces to write for one event of `kind`. Raises `LockgateError` when it is out of turn."""
    try:
        return connection.send_with_data_passthrough(kind(**fields)) or []
    except h11.LocalProtocolError:
        # Its message may quote a field.
        raise LockgateError("a message was sent out of turn or against its framing") from None
