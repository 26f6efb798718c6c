"""Authorities of a trust bundle from which no path can lead: whoever is below one is refused.

A bundle with one is not refused, for others may stand in it, and many do that somebody else made.
"""

from collections.abc import Iterator

from cryptography import x509

from proxy.app.preparation import Secrets
from proxy.app.references import public_references
from proxy.errors import Problem, TlsFailure
from proxy.settings.load import Loaded
from proxy.tls.context import read_trust
from proxy.tls.identity import printable
from proxy.tls.offline import CLIENT, SERVER
from proxy.tls.profile import examine


def useless(loaded: Loaded, read: Secrets) -> Iterator[Problem]:
    """What is wrong with each, at the key that names its bundle; `read` is of a preparation."""
    for place, reference in public_references(loaded.settings):
        if place[-1] == "trust" and reference in read:
            for authority in read_trust(read[reference]):
                said = [_refusal(authority, usage) for usage in (CLIENT, SERVER)]
                if all(said):
                    subject = printable(authority.subject)
                    what = f"trust: nobody below {subject!r} will be let in: {said[0]}"
                    yield loaded.problem(place, what, "useless-anchor")


def _refusal(authority: x509.Certificate, usage: x509.ObjectIdentifier) -> str | None:
    """Why a handshake would refuse the authority for that usage; None where it would not."""
    try:
        examine(authority, usage, authority=True)
    except TlsFailure as failure:
        return str(failure)
    return None
