"""A request that is shed after its head is counted, as one that is shed at the door is."""

from pathlib import Path

from proxy.edge.budget import Share
from tests.edge.stage import route, stage
from tests.edge.table import Table
from tests.scenarios.client import request


async def test_what_is_shed_for_want_of_memory_is_counted_beside_its_receipt(
    tmp_path: Path,
) -> None:
    table = Table()
    async with stage(tmp_path, table, route("orders", replay={"require": "off"})) as at:
        others = [Share(name, at.keeper.budget) for name in ("one", "another")]
        for share in others:
            share.take(2**19)
        assert (await at.ask(request("/orders/1", b"x" * 100))).status == 503
        for share in others:
            share.release()
        assert (await at.ask(request("/orders/1", b"x" * 100))).status == 200
    assert table.counts == {"local:overloaded": 1}
    assert [each.problem for each in table.outcomes] == ["overloaded", None]
