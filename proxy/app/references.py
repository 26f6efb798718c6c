"""What of a configuration stands in other files: by place, and by digest.

A reload is told from the one before by two digests: that of the configuration file, which receipts
name as the policy, and that of the certificates, trust bundles and revocation lists that it refers
to. The second is SHA-256 over a line for each of these, in the order of their places:

    identity.certificate 9f86d081…0f00a08\n          SHA-256 of the file, hex

Private and masking keys are in neither: a digest of a secret lets anyone try guesses.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path as File

from proxy.app.preparation import Path, Secrets
from proxy.settings.load import Loaded
from proxy.settings.schema import Settings


def references(settings: Settings) -> Iterator[tuple[Path, str]]:
    """(place, reference) of all that those who carry transfers read, secrets included."""
    yield from public_references(settings)
    if settings.identity is not None:
        yield ("identity", "key"), settings.identity.key
    for name, versions in settings.keys.items():
        for position, version in enumerate(versions):
            yield ("keys", name, position, "secret"), version.secret


def public_references(settings: Settings) -> Iterator[tuple[Path, str]]:
    """(place, reference) of every certificate, trust bundle and revocation list."""
    identity = settings.identity
    if identity is not None:
        yield ("identity", "certificate"), identity.certificate
        yield ("identity", "trust"), identity.trust
        if identity.crl is not None:
            yield ("identity", "crl"), identity.crl
    for section, members in (("listeners", settings.listeners), ("upstreams", settings.upstreams)):
        for name, member in members.items():
            for kind in ("trust", "crl"):
                reference = getattr(member.tls, kind)
                if reference is not None:
                    yield (section, name, "tls", kind), reference


def files(loaded: Loaded) -> dict[File, str]:
    """Every file that a reload reads -> how people know it; links are not followed."""
    found = {
        loaded.directory / reference.removeprefix("file:"): reference
        for _, reference in references(loaded.settings)
        if reference.startswith("file:")
    }
    return {loaded.directory / loaded.path.name: "configuration"} | found


def digests(loaded: Loaded, secrets: Secrets) -> dict[File, bytes]:
    """What the files held when they were read: SHA-256 of each."""
    return {
        path: loaded.sha256
        if reference == "configuration"
        else hashlib.sha256(secrets.get(reference, b"")).digest()
        for path, reference in files(loaded).items()
    }


def credentials_sha256(loaded: Loaded, secrets: Secrets) -> bytes:
    """The digest of all that is public among what the configuration refers to, see above."""
    lines = {
        ".".join(map(str, place)): hashlib.sha256(secrets.get(reference, b"")).hexdigest()
        for place, reference in public_references(loaded.settings)
    }
    text = "".join(f"{place} {digest}\n" for place, digest in sorted(lines.items()))
    return hashlib.sha256(text.encode()).digest()
