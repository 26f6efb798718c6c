"""What a signature of a message says once it has been verified (RFC 9421), and why one does not."""

from dataclasses import dataclass
from typing import Final

SIGNATURE_FAILURES: Final[dict[str, str]] = {
    "missing": "there is no signature, or one without its Signature-Input",
    "malformed": "Signature or Signature-Input is not well-formed",
    "ambiguous": "more than one signature could be the one that counts",
    "tag": "no signature bears the tag that is demanded",
    "key-unknown": "no signature is by a key that this peer may sign with",
    "key-kind": "the signature says another algorithm than its key has",
    "algorithm": "the algorithm is not among those that are admitted",
    "parameter-missing": "created, expires, nonce or keyid is demanded and missing",
    "component-missing": "the signature does not cover what it must",
    "component-absent": "the signature covers what the message does not have",
    "component-malformed": "the signature covers what cannot be said in one way only",
    "not-yet": "it was created in the future, by more than clocks may differ",
    "expired": "it has expired",
    "stale": "it was created too long ago",
    "too-long": "it is to hold for longer than the window",
    "authority": "it is for another gateway: Host is none of what this one is called",
    "invalid": "it is not of this message by this key",
}
"""Why a signature is refused: the closed list of log and metric, and what each means."""

_WHOLE: Final = {
    "@target-uri": ({"@authority", "@path", "@query"}, {"@authority", "@request-target"}),
    "@authority": ({"@target-uri"},),
    "@scheme": ({"@target-uri"},),
    "@path": ({"@target-uri"}, {"@request-target"}),
    "@query": ({"@target-uri"}, {"@request-target"}),
}


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds. Times are seconds since 1970; `components` as they were covered."""

    label: str
    keyid: str
    """As the signer wrote it; empty where it wrote none."""
    key: str
    """Which key it was, fit for a receipt: its thumbprint (RFC 7638), or the `kid` of a secret."""
    algorithm: str
    created: int | None
    expires: int | None
    nonce: str | None
    tag: str | None
    components: tuple[str, ...]
    """`"@method"`, `"@query-param";name="a"`: identifiers with their parameters."""

    def covers(self, name: str) -> bool:
        """True where the whole of a component is covered, by itself or as a part of others.

        A member of a field (`;key`), a trailer (`;tr`) and the request of an answer (`;req`) are
        not that; the strict form (`;sf`) and the wrapped one (`;bs`) are. For `@target-uri`,
        `@authority` with `@path` and `@query` will do: whoever verifies knows the scheme.
        """
        whole = {
            said
            for said in (name, *_WHOLE)
            if {f'"{said}"', f'"{said}";sf', f'"{said}";bs'} & set(self.components)
        }
        whole |= {"@request-target"} if '"@request-target"' in self.components else set()
        return name in whole or any(way <= whole for way in _WHOLE.get(name, ()))
