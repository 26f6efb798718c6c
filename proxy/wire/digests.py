"""Content-Digest (RFC 9530): what the sender says of its content, and whether it is so.

    Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:

It may come in the head, in the trailers, or in both, which must then agree. Only sha-256 and
sha-512 prove anything (RFC 9530 section 5); members of other names are well-formed and ignored. A
name that comes twice is refused, where RFC 9651 lets the last one win: no honest sender writes it,
and two readers could take different ones.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from proxy.errors import Refusal
from proxy.wire.structured import NotStructured, format_bytes, parse_dictionary

ALGORITHMS: Final = {"sha-256": 32, "sha-512": 64}
"""Name -> octets of its digest."""
_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def parse_content_digest(values: tuple[bytes, ...]) -> dict[str, bytes]:
    """Algorithm -> digest, of the two that count; empty when none of them is there.

    Raises `Refusal` ("digest-malformed").
    """
    try:
        members = parse_dictionary(values)
    except NotStructured as error:
        raise Refusal("digest-malformed", str(error)) from None
    known = {name: digest for name, digest in members.items() if name in ALGORITHMS}
    for name, digest in known.items():
        if len(digest) != ALGORITHMS[name]:
            raise Refusal("digest-malformed", f"a {name} digest of the wrong length")
    return known


def format_sha256(digest: bytes) -> bytes:
    """The value of a Content-Digest field for a SHA-256 digest of 32 octets."""
    if len(digest) != ALGORITHMS["sha-256"]:
        raise ValueError("a SHA-256 digest has 32 octets")
    return b"sha-256=" + format_bytes(digest)


class ContentDigest:
    """Compares content with what was declared of it. Fails closed: `require` raises.

    `declared` is what the head says. With `trailers`, a digest may still come after the content,
    so every algorithm is computed; without, only those declared, and none costs nothing.
    """

    def __init__(self, declared: Mapping[str, bytes], *, trailers: bool = False) -> None:
        self._declared = dict(declared)
        names = ALGORITHMS if trailers else declared
        self._hashes = {name: _HASHES[name]() for name in names}

    @property
    def present(self) -> bool:
        """True when a digest that counts has been declared, in the head or the trailers."""
        return bool(self._declared)

    def update(self, data: bytes) -> None:
        """Add content, in order, as it was received."""
        for state in self._hashes.values():
            state.update(data)

    def add_trailers(self, values: tuple[bytes, ...]) -> None:
        """Add what the trailers declare. Raises `Refusal`: digest-malformed, digest-mismatch."""
        for name, digest in parse_content_digest(values).items():
            if not hmac.compare_digest(self._declared.setdefault(name, digest), digest):
                raise Refusal("digest-mismatch", f"head and trailers disagree on {name}")
            if name not in self._hashes:
                raise Refusal("digest-mismatch", f"{name} came in a trailer nobody waited for")

    def require(self) -> None:
        """Every declared digest must be that of the content. Raises `Refusal`: digest-mismatch."""
        for name, digest in self._declared.items():
            if not hmac.compare_digest(self._hashes[name].digest(), digest):
                raise Refusal("digest-mismatch", f"the content does not have its {name} digest")
