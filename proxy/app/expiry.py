"""Everything that a configuration names and that ends: each certificate of a file, and lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from proxy.app.preparation import Secrets
from proxy.app.references import public_references
from proxy.settings.load import Loaded
from proxy.settings.yaml12 import Path
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import printable
from proxy.tls.revocation import read_crls


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
        for crl in read_crls(content):
            if crl.next_update_utc is not None:
                yield Ending(crl.next_update_utc, place, f"the CRL of {printable(crl.issuer)!r}")
        return
    for each in parse_chain(content):
        subject, serial = printable(each.subject), each.serial_number
        yield Ending(each.not_valid_after_utc, place, f"{subject!r}, serial {serial:x}")
