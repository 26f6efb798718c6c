"""What of a configuration stands in other files: by place, and by digest.

A reload is told from the one before by two digests: that of the configuration file, which receipts
name as the policy, and that of the certificates, trust bundles and revocation lists that it refers
to. The second is SHA-256 over a line for each of these, in the order of their places:

    identity.certificate 9f86d081…0f00a08\n          SHA-256 of the file, hex

Private and masking keys, and JWKS files, which may hold secrets, are in neither: a digest of a
secret lets anyone try guesses.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Final

from proxy.app.preparation import Path, Secrets
from proxy.settings.load import Loaded
from proxy.settings.schema import Settings

_PUBLIC: Final = ("certificate", "trust", "crl")
_SECRET: Final = ("key", "secret", "jwks")


def references(settings: Settings) -> Iterator[tuple[Path, str]]:
    """(place, reference) of all that those who carry transfers read, secrets included.

    Found by the names of their keys, wherever in the configuration these stand.
    """
    for place, reference in _named(settings.model_dump(exclude_none=True), _PUBLIC + _SECRET):
        if place[0] != "receipts" and reference.startswith(("file:", "env:")):
            yield place, reference


def public_references(settings: Settings) -> Iterator[tuple[Path, str]]:
    """(place, reference) of every certificate, trust bundle and revocation list."""
    for place, reference in references(settings):
        if place[-1] in _PUBLIC:
            yield place, reference


def _named(data: object, names: Sequence[str], place: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in names and isinstance(value, str):
                yield (*place, key), value
            yield from _named(value, names, (*place, key))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield from _named(value, names, (*place, position))


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
