"""Content as a verifier has it: its digests, taken piece by piece and in one go."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.errors import EvidenceError
from proxy.receipt import reading


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to compare of content that may be larger than the memory."""

    size: int
    """Octets."""
    sha256: str
    """In hexadecimal, as all digests here."""
    keyed: Mapping[bytes, str]
    """HMAC-SHA256 under each of the keys that were given."""

    def sides(self, statement: Mapping[str, Any], key: bytes | None) -> list[str]:
        """`received` and `delivered`, as far as this is that content. `key`: of that receipt.

        `statement` agrees with itself. Raises EvidenceError where it says another size of it.
        """
        keyed = None if key is None else self.keyed[key]
        found = []
        for side, kind, value, size in reading.digests(statement):
            if value != (self.sha256 if kind == "sha256" else keyed):
                continue
            if size != self.size:
                raise EvidenceError(
                    f"{side}: it says {size} bytes, and the content has {self.size}"
                )
            found.append(side)
        return found


def measure(pieces: Iterable[bytes], keys: Iterable[bytes | None]) -> Measured:
    """The digests of all pieces together; each is read once, and none is kept."""
    size, plain = 0, hashlib.sha256()
    keyed = {key: hmac.new(key, digestmod="sha256") for key in keys if key is not None}
    for piece in pieces:
        size += len(piece)
        plain.update(piece)
        for state in keyed.values():
            state.update(piece)
    found = {key: state.hexdigest() for key, state in keyed.items()}
    return Measured(size, plain.hexdigest(), found)
