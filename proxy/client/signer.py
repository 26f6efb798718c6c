"""Signs requests as gateways demand it: the fields to add, for whatever client sends them.

    signer = Signer("certs/client.key")
    fields = signer.fields("POST", "https://gateway.example:8443/orders/1", headers, sha256)

What is covered: method, target, the digest of the content, its type and coding, the label, and the
id of the transfer. Each call makes a new nonce, so a request that is sent again is signed again.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from proxy.client.ids import derived, transfer_id
from proxy.wire.digests import format_sha256
from proxy.wire.signature import Message, sign
from proxy.wire.signing_key import SigningKey, parse_signing_key

TAG: Final = "lockgate"
"""What our signatures say they are for (RFC 9421, section 2.3)."""
LASTS: Final = 60
"""Seconds that a signature is good for, unless said otherwise."""
COVERED: Final = (
    "@method",
    "@target-uri",
    "content-digest",
    "content-type",
    "content-encoding",
    "content-range",
    "data-sensitivity",
    "transfer-id",
)
"""Covered where they are there; method and target always are."""
_NONCE: Final = 18
"""Octets: 144 bits, so that two never are the same."""

Fields = list[tuple[str, str]]


class Signer:
    """A key, and what is said of its signatures. Holds no connection; may be shared by threads."""

    def __init__(
        self,
        key: SigningKey | str | Path | bytes,
        *,
        tag: str = TAG,
        lasts: int = LASTS,
        components: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`key`: a file, or its octets: PEM, or a JWK, such as that of the client certificate.

        `lasts` is how many seconds a signature is good for: the request has to arrive in them, its
        content included. `components` are covered besides `COVERED`. Raises `CredentialError` and
        `OSError`.
        """
        self.key = _key(key)
        self._tag, self._lasts, self._clock = tag, lasts, clock
        self._covered = (*COVERED, *components)

    def fields(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        sha256: bytes | None = None,
    ) -> Fields:
        """What to add to a request. `url` as it is asked for, `headers` as they are sent besides.

        `sha256` is the digest of the content as it goes on the wire, 32 octets; None for a request
        without content, or where `headers` have its Content-Digest. An id is made where they have
        none. Raises `SignatureFailure` where what is to be covered cannot be said.
        """
        given = [(name.lower(), value) for name, value in headers]
        names = {name for name, _ in given}
        made: Fields = []
        if sha256 is not None and "content-digest" not in names:
            made.append(("content-digest", format_sha256(sha256).decode()))
        if "transfer-id" not in names:
            made.append(("transfer-id", str(uuid.uuid4())))
        message = _message(method, url, [*given, *made])
        present = {name.decode() for name, _ in message.fields}
        covered = [name for name in self._covered if name.startswith(("@", '"')) or name in present]
        created = int(self._clock())
        signed = sign(
            message,
            self.key,
            covered,
            created=created,
            expires=created + self._lasts,
            nonce=secrets.token_urlsafe(_NONCE),
            tag=self._tag,
        )
        return [*made, *((name.decode(), value.decode()) for name, value in signed)]

    def transfer_id(self, *parts: str | bytes) -> str:
        """An id that is the same for the same parts and key, and says nothing of them to others.

        For tasks that are run again: the same id, so the transfer arrives once.
        """
        octets = (part.encode() if isinstance(part, str) else part for part in parts)
        return transfer_id(derived(self.key.material), *octets)


def _key(key: SigningKey | str | Path | bytes) -> SigningKey:
    if isinstance(key, SigningKey):
        return key
    return parse_signing_key(key if isinstance(key, bytes) else Path(key).read_bytes())


def _message(method: str, url: str, fields: Fields) -> Message:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL cannot be read") from None
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    authority = shown + (f":{port}" if port is not None else "")
    query = "?" + parts.query if "?" in url.partition("#")[0] else ""  # also where it is empty
    return Message(
        tuple((name.encode(), value.encode("latin-1")) for name, value in fields),
        method.upper(),
        (parts.path or "/") + query,
        parts.scheme,
        dict(fields).get("host", authority),
    )
