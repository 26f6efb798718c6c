"""What a reload looks at is what a preparation reads, and nothing that is secret is digested."""

import shutil
from pathlib import Path

import pytest

from proxy.app.prepare import prepare_workers
from proxy.app.references import credentials_sha256, digests, public_references, references
from proxy.observe.metrics import Metrics
from tests import pki
from tests.settings.example import Change, loaded, put

EVERYWHERE = (
    put("identity.crl", "file:ca.crl"),
    put("listeners.in.tls", {"trust": "file:ca.pem", "crl": "file:in.crl"}),
    put("upstreams.out.tls", {"trust": "file:out.pem", "crl": "file:ca.crl"}),
    put("routes.0.trust", "file:route.pem"),
    put("routes.0.crl", "file:ca.crl"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    pki.write(folder / "made")
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "p.key": "pseudonym.key"}
    names |= dict.fromkeys(("ca.pem", "out.pem", "route.pem"), "ca.pem")
    names |= dict.fromkeys(("ca.crl", "in.crl"), "ca.crl")
    for name, made in names.items():
        shutil.copy(folder / "made" / made, folder / name)
    return folder


@pytest.mark.parametrize("changes", [(), EVERYWHERE])
def test_every_file_that_is_read_is_looked_at(folder: Path, changes: tuple[Change, ...]) -> None:
    config = loaded(folder, *changes)
    _, read = prepare_workers(config, Metrics())
    assert {reference for _, reference in references(config.settings)} == set(read)


def test_the_keys_of_receipts_are_not_looked_at_for_they_cannot_change(folder: Path) -> None:
    found = {reference for _, reference in references(loaded(folder).settings)}
    assert not found & {"file:r", "file:l"}


def test_the_published_digest_is_of_public_files_alone(folder: Path) -> None:
    config = loaded(folder, *EVERYWHERE)
    _, read = prepare_workers(config, Metrics())
    before = credentials_sha256(config, read)
    for _, reference in references(config.settings):
        public = any(reference == other for _, other in public_references(config.settings))
        changed = dict(read) | {reference: b"something else"}
        assert (credentials_sha256(config, changed) != before) is public, reference
        assert digests(config, changed) != digests(config, read)
