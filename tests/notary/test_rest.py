"""While nothing is under way nobody wakes up to look: an idle sidecar costs next to nothing."""

from io import StringIO
from pathlib import Path

import trio
import trio.testing

from proxy.app.vigil import Vigil
from proxy.model import Trouble
from proxy.notary.desk import Desk
from proxy.observe.log import Log
from tests.notary.places import settled
from tests.notary.samples import intents_in, open_notary, refusal, until

PATIENCE = 2.0
BEAT = 1.0


def due() -> float:
    """Seconds until anybody wakes up by the clock."""
    return trio.lowlevel.current_statistics().seconds_to_next_deadline


def test_a_log_of_which_nobody_asks_anything_rests_before_and_after_what_it_wrote(
    tmp_path: Path,
) -> None:
    clock, lines = trio.testing.MockClock(), StringIO()

    async def test() -> None:
        notary = open_notary(tmp_path / "log", checkpoint_every=BEAT)
        desk = Desk(notary, intents_in(tmp_path), PATIENCE)

        async def trouble() -> Trouble | None:
            return desk.trouble

        async with trio.open_nursery() as nursery:
            with notary.watching(desk.stir):
                await nursery.start(notary.run)
                nursery.start_soon(desk.run)
                nursery.start_soon(Vigil(Log("json", lines), trouble, desk.stirring).run)
                await until(lambda: notary._store.publisher.size == 0)
                await settled()
                assert due() > 5 * BEAT
                await desk.conclude(refusal())
                await settled()
                assert due() <= BEAT, "it is published with what comes until the next beat"
                while notary._store.publisher.size == 0:
                    clock.jump(BEAT)
                    await settled()
                    await until(lambda: not notary._writer._publishing.locked())
                clock.jump(BEAT)  # the desk has looked once more, and found nobody
                await settled()
                assert due() > 2 * BEAT
                await desk.close()
                await notary.close()
            nursery.cancel_scope.cancel()

    trio.run(test, clock=clock)
