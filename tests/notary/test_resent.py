"""Statements that come again while the notary stops."""

import threading
from typing import Any, cast

import trio
import trio.testing

from proxy.errors import LogFailure
from proxy.model import Receipt
from proxy.notary.resent import Resent
from proxy.notary.store import Store
from tests.notary.links import statement


class SlowStore:
    def __init__(self) -> None:
        self.looking, self.go_on = threading.Event(), threading.Event()

    def find(self, *_: Any) -> dict[bytes, int]:
        self.looking.set()
        assert self.go_on.wait(10)
        return {}


async def test_who_is_told_that_the_notary_stops_is_told_nothing_else() -> None:
    store, told, submitted = SlowStore(), list[Receipt | LogFailure](), list[object]()
    resent = Resent(cast(Store, store), lambda found, on_done, since: submitted.append(found))
    with trio.fail_after(10):
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
