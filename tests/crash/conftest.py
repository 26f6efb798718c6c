"""What the crash tests share: one PKI, and sites that are ended whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.site import Site
from tests.scenarios.parties import make_parties

StartSite = Callable[..., Site]


@pytest.fixture(scope="session")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everybody's certificates and keys."""
    return make_parties(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def start_site(parties: Path, tmp_path: Path) -> Iterator[StartSite]:
    """Start a site; see `Site`."""
    running: list[Site] = []

    def start(**how: object) -> Site:
        running.append(Site(tmp_path / f"site-{len(running)}", parties, **how))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for each in running:
        each.close()
