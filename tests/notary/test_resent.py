"""Statements that come again while the notary stops, or while its log does not read."""

import threading
from errno import EIO
from typing import Any, cast

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure
from proxy.model import Receipt
from proxy.notary import resent as module
from proxy.notary.health import Health
from proxy.notary.resent import Resent
from proxy.notary.store import Store
from tests.notary.links import statement
from tests.notary.samples import until
from tests.patience import PATIENCE


class SlowStore:
    def __init__(self) -> None:
        self.looking, self.go_on = threading.Event(), threading.Event()

    def find(self, *_: Any) -> dict[bytes, int]:
        self.looking.set()
        assert self.go_on.wait(PATIENCE)
        return {}


async def test_who_is_told_that_the_notary_stops_is_told_nothing_else() -> None:
    store, told, submitted = SlowStore(), list[Receipt | LogFailure](), list[object]()
    resent = Resent(
        cast(Store, store), Health(), lambda found, on_done, since: submitted.append(found)
    )
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resent.run)
            for _ in range(3):
                resent.put(statement(), told.append, 0)
            await trio.to_thread.run_sync(store.looking.wait)
            resent.give_up()
            store.go_on.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.cancel_scope.cancel()
    assert [type(each) for each in told] == [LogFailure] * 3
    assert not submitted


class FailingStore:
    """Its disk fails so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def find(self, *_: Any) -> dict[bytes, int]:
        if self.left:
            self.left -= 1
            raise OSError(EIO, "Input/output error")
        return {}


async def test_while_the_log_does_not_read_what_is_owed_waits_and_nothing_new_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    told, submitted, health = list[object](), list[object](), Health()
    health.running(True)
    store = FailingStore(3)
    resent = Resent(
        cast(Store, store), health, lambda found, on_done, since: submitted.append(found)
    )
    found, more = statement(), statement()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(resent.run)
        resent.put(found, told.append, 0)
        await until(lambda: not health.ready)
        assert health.trouble is not None
        assert health.trouble.code == "disk-failing"
        resent.put(more, told.append, 0)
        assert (told, submitted) == ([], [])
        await until(lambda: len(submitted) == 2)
        assert (told, submitted) == ([], [found, more])
        assert (store.left, health.ready) == (0, True)
        nursery.cancel_scope.cancel()
