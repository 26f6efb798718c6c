"""Everything that a configuration names and that ends: each certificate of a file, and lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from proxy.app.preparation import Secrets
from proxy.app.references import public_references
from proxy.settings.load import Loaded
from proxy.settings.yaml12 import Path
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import printable
from proxy.tls.revocation import RevocationList, read_lists
from proxy.tls.standing import rank


@dataclass(frozen=True, slots=True, order=True)
class Ending:
    """One thing that ends, and the key of the configuration that names its file."""

    at: datetime
    place: Path
    what: str


def endings(loaded: Loaded, read: Secrets) -> list[Ending]:
    """All of them, what ends first standing first. `read` is what a preparation has read."""
    found = {
        ending
        for place, reference in public_references(loaded.settings)
        if reference in read
        for ending in _of(place, read[reference])
    }
    return sorted(found, key=lambda ending: (ending.at, str(ending.place), ending.what))


def _of(place: Path, content: bytes) -> Iterator[Ending]:
    if place[-1] == "crl":
        lists, now = read_lists(content), datetime.now(UTC)
        for each in lists:
            if not any(_follows(other, each, now) for other in lists):
                yield Ending(each.next_update, place, f"the CRL of {each.issuer_text!r}")
        return
    for certificate in parse_chain(content):
        subject, serial = printable(certificate.subject), certificate.serial_number
        yield Ending(certificate.not_valid_after_utc, place, f"{subject!r}, serial {serial:x}")


def _follows(later: RevocationList, each: RevocationList, now: datetime) -> bool:
    """Whether `later` has taken the place of `each`, or will before that ends."""
    if (later.issuer, later.scope) != (each.issuer, each.scope):
        return False
    return rank(each) < rank(later) and later.this_update <= max(each.next_update, now)
