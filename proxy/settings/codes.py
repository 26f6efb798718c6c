"""The code of everything that `lockgate check` says, how severe it is, and what it means.

Codes are for machines, and for the comments by which a file allows one (see allowances): they stay
what they are. docs/policy-lint.md has a paragraph with an example for each.

    error    the configuration is refused
    warning  probably not meant, or weaker than it could be; `--strict` refuses it
    note     worth a thought; refused by nothing
"""

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    severity: Severity
    meaning: str
    """One line, without anything of the configuration at hand."""


def _error(meaning: str) -> Code:
    return Code("error", meaning)


def _warning(meaning: str) -> Code:
    return Code("warning", meaning)


def _note(meaning: str) -> Code:
    return Code("note", meaning)


CODES: Final[dict[str, Code]] = {
    "invalid": _error("the configuration cannot be used"),
    "ends-soon": _error("a certificate or revocation list ends sooner than was asked for"),
    # Who may send, and to whom
    "admits-nobody": _warning("a route whose `allow` is empty"),
    "entry-never-holds": _warning("a grant or denial that no peer of its listener can fit"),
    "wildcard-principal": _warning("a pattern that names everybody"),
    "grant-without-end": _error("a grant that does not end within policy.grants_expire_within"),
    "endless-grants": _note("grants without an end, where no policy asks for one"),
    "ended": _note("a grant or denial whose end has passed"),
    "subject-only": _note("a grant by CN or OU alone, which is weaker than a name of the SAN"),
    "shadowed-route": _warning("a route that never matches: earlier ones take all of it"),
    "unpinned-upstream": _warning("an upstream without `pins`"),
    "other-host": _warning("an endpoint whose host is not the name that is checked"),
    # What may cross
    "way-not-covered": _error("a route to where its zone may not send"),
    "above-clearance": _warning("content labelled above the clearance of where it goes"),
    "opaque-beside": _warning("`opaque` beside formats that are looked into"),
    "opaque-downhill": _warning("content that nobody looks into, into a zone of less clearance"),
    "unused-way": _note("a zone that may be sent to, and is not"),
    "carries-nothing": _warning("a tunnel in which nothing may cross either way"),
    "mask-never-matches": _warning("a rule of `mask` that never masks anything"),
    "detect-never-matches": _warning("a rule of `detect` that never decides anything"),
    "detect-repeats": _note("a rule of `detect` that says what its group says already"),
    "only-in-shadow": _warning("content rules of which none is in force"),
    "in-shadow": _note("a rule that decides nothing, and only reports"),
    # Weaker than the default
    "shared-secret": _warning("a secret that more than one peer can sign with"),
    "revocation-soft": _warning("peers of whom nothing is known are let in"),
    "hygiene-off": _warning("carelessly kept keys are not even reported"),
    "long-lifetime": _warning("certificates may live longer than by default"),
    "tls-below-1.3": _warning("TLS 1.2 is accepted"),
    "no-hybrid-group": _note("key exchange without any post-quantum group"),
    "durability-write": _warning("receipts are not on the disk when an answer completes"),
    "get-content-passes": _warning("content of GET, HEAD and DELETE passes"),
    "forwards-undecided": _warning("a transfer whose end is unknown may be delivered twice"),
    "streams-unproven": _note("content goes on before its digest has been compared"),
    "likelihood-raised": _note("likely findings are taken for none"),
    "receipt-in-log-only": _note("senders are handed no receipt"),
    # What means nothing
    "means-nothing": _warning("a key that means nothing where it stands"),
    "unused": _warning("something that nothing uses"),
    "useless-allowance": _warning("a comment that allows what is not found, or says no reason"),
    # In the files that are named
    "useless-anchor": _warning("an authority below which nobody will be let in"),
    "crl-expired": _warning("a revocation list that is out of date"),
    "crl-future": _warning("a revocation list that begins later than now"),
    "careless-key": _warning("our own certificate or key is kept carelessly"),
}

OF_FILES: Final = frozenset(
    ["ends-soon", "useless-anchor", "crl-expired", "crl-future", "careless-key", "shared-secret"]
)
"""Found only where the files are opened that a configuration names."""
