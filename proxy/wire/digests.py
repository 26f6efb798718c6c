"""Content-Digest and Repr-Digest (RFC 9530): what is said of content, and whether it is so.

    Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
    Want-Content-Digest: sha-512=3, sha-256=10

Either may come in the head, in the trailers, or in both, which must then agree. Only sha-256 and
sha-512 prove anything (RFC 9530 section 5); members of other names are well-formed and ignored. A
name that comes twice is refused, where RFC 9651 lets the last one win: no honest sender writes it,
and two readers could take different ones.

Repr-Digest is of the whole representation, codings included (section 3). Where a message holds all
of that, it is of the same octets as Content-Digest, and held against the same hash.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from proxy.errors import Refusal
from proxy.model import Headers
from proxy.wire import sfv
from proxy.wire.structured import NotStructured, format_bytes, parse_dictionary

ALGORITHMS: Final = {"sha-256": 32, "sha-512": 64}
"""Name -> octets of its digest. The first is preferred."""
_HASHES: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
CONTENT: Final = b"content-digest"
REPRESENTATION: Final = b"repr-digest"
DIGESTS: Final = (CONTENT, REPRESENTATION)
_NAMES: Final = {CONTENT: "Content-Digest", REPRESENTATION: "Repr-Digest"}
WISHED: Final = b"sha-256=10, sha-512=5"
"""What we say that we want, where a digest is missing or wrong."""


def parse_content_digest(values: tuple[bytes, ...]) -> dict[str, bytes]:
    """Algorithm -> digest, of the two that count; empty when none of them is there.

    Of either field. Raises `Refusal` ("digest-malformed").
    """
    if not values:
        return {}
    try:
        members = parse_dictionary(values)
    except NotStructured as error:
        raise Refusal("digest-malformed", str(error)) from None
    known = {name: digest for name, digest in members.items() if name in ALGORITHMS}
    for name, digest in known.items():
        if len(digest) != ALGORITHMS[name]:
            raise Refusal("digest-malformed", f"a {name} digest of the wrong length")
    return known


def preferred(values: Sequence[bytes]) -> str | None:
    """The algorithm that Want-Content-Digest or Want-Repr-Digest asks for (section 4).

    None where it asks for none that there is, or is malformed: it is a wish, and refuses nothing.
    """
    if not values:
        return None
    try:
        members = sfv.parse_dictionary(values)
    except NotStructured:
        return None
    weights: dict[str, int] = {}
    for name in ALGORITHMS:
        match members.get(name):
            case sfv.Item(value=int(weight)) if type(weight) is int and 0 < weight <= 10:
                weights[name] = weight
    return max(weights, key=weights.__getitem__) if weights else None


def format_digest(name: str, digest: bytes) -> bytes:
    """The value of a field for the digest of this algorithm."""
    if len(digest) != ALGORITHMS[name]:
        raise ValueError(f"a {name} digest has {ALGORITHMS[name]} octets")
    return name.encode("ascii") + b"=" + format_bytes(digest)


def format_sha256(digest: bytes) -> bytes:
    """The value of a field for a SHA-256 digest of 32 octets."""
    return format_digest("sha-256", digest)


def digest_of(name: str, content: bytes) -> bytes:
    """The value of a field for content that is in memory."""
    return format_digest(name, _HASHES[name](content).digest())


class ContentDigest:
    """Compares content with what was declared of it. Fails closed: `require` raises.

    `declared` is what Content-Digest says in the head, `representation` what Repr-Digest says where
    the content is the whole representation; None where it is not, so that nothing can be said of
    it. With `trailers`, a digest may still come after the content, so every algorithm is computed;
    without, only those declared, and none costs nothing.
    """

    def __init__(
        self,
        declared: Mapping[str, bytes],
        representation: Mapping[str, bytes] | None = None,
        *,
        trailers: bool = False,
    ) -> None:
        self._declared = {CONTENT: dict(declared)}
        if representation is not None:
            self._declared[REPRESENTATION] = dict(representation)
        names = ALGORITHMS if trailers else {*declared, *(representation or {})}
        self._hashes = {name: _HASHES[name]() for name in names}

    @property
    def present(self) -> bool:
        """True when a Content-Digest that counts has been declared, in the head or the trailers."""
        return bool(self._declared[CONTENT])

    @property
    def declares(self) -> bool:
        """True when either field has declared anything that counts."""
        return any(self._declared.values())

    def update(self, data: bytes) -> None:
        """Add content, in order, as it was received."""
        for state in self._hashes.values():
            state.update(data)

    def add_trailers(self, trailers: Headers) -> None:
        """Add what the trailers declare. Raises `Refusal`: digest-malformed, digest-mismatch."""
        if not trailers:
            return
        for field, known in self._declared.items():
            values = tuple(value for name, value in trailers if name == field)
            for name, digest in parse_content_digest(values).items():
                if not hmac.compare_digest(known.setdefault(name, digest), digest):
                    raise Refusal("digest-mismatch", f"head and trailers disagree on {name}")
                if name not in self._hashes:
                    raise Refusal("digest-mismatch", f"{name} came in a trailer nobody waited for")

    def require(self) -> None:
        """Every declared digest must be that of the content. Raises `Refusal`: digest-mismatch."""
        for field, known in self._declared.items():
            for name, digest in known.items():
                if not hmac.compare_digest(self._hashes[name].digest(), digest):
                    reason = f"the content does not have the {name} digest of {_NAMES[field]}"
                    raise Refusal("digest-mismatch", reason)
