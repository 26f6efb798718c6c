"""Tests of JSON hold for both engines."""

from collections.abc import Iterator

import pytest

from proxy.content.native import Native
from tests.content.policies import CHOSEN


@pytest.fixture(scope="module", params=["compiled", "interpreted"])
def either_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Policies that the tests of a module compile go by one engine, then by the other."""
    try:
        native = Native(compiled=request.param == "compiled")
    except ImportError:
        pytest.skip("nothing was compiled when this was installed: there was no C compiler")
    token = CHOSEN.set(native)
    yield
    CHOSEN.reset(token)
