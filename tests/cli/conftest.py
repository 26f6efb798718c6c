"""What every test of a command needs: a home that is not the one of whoever runs the tests."""

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where `lockgate send` keeps the secret of its ids, for this process and those it starts."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
