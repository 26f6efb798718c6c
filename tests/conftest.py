"""What every test shares: async tests run under trio, and the corpora are found."""

import functools
import gc
import inspect
import os
from collections.abc import Generator
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, settings

# Every start of a program would compile all of it again; what is kept is kept beside the source.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100)
settings.register_profile(
    "fuzz", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("LOCKGATE_HYPOTHESIS", "ci"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have nobody look for garbage among all the tests, now or later: they stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run an `async def` test with trio."""
    function = pyfuncitem.obj
    if inspect.iscoroutinefunction(function):
        pyfuncitem.obj = functools.wraps(function)(
            lambda **arguments: trio.run(functools.partial(function, **arguments))
        )
    return (yield)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of third-party test data: `LOCKGATE_CORPORA`, or beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LOCKGATE_CORPORA", default))
    if not folder.is_dir():
        pytest.skip("the corpora are not on this machine; LOCKGATE_CORPORA names their folder")
    return folder
