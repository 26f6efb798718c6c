"""The power fails at any point of a notary's work, of its recovery, and of its work after a crash.

Each life of a notary is recorded down to its system calls. Then the power is cut after every step
of the record: of what was not synced by then anything may be lost, torn or out of order, and a
notary that starts on what is left has to know all that anybody was told, or could have seen.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.notary.disk import Disk
from proxy.notary.leaves import Edition
from proxy.notary.publisher import Publisher
from tests.crash.aftermath import complaint
from tests.crash.life import LOG, Mode, Published, live
from tests.crash.log import tip
from tests.crash.record import Recorder, Rename
from tests.crash.shelf import Shelf
from tests.crash.vfs import recorded


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: no power is needed to cut it."""
    memory = Path("/dev/shm")  # noqa: S108
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


async def record(root: Path, mode: Mode, rounds: int, shelf: Shelf) -> Recorder:
    """Live on what is on the shelf; the shelf is not touched."""
    files = shelf.write(root)
    recorder = Recorder(root, shelf.place, files)
    with recorder.recording(), recorded(recorder):
        await live(root, recorder, mode, rounds)
    return recorder


def steps(shelf: Shelf, recorder: Recorder) -> Iterator[None]:
    """Bring the shelf forward, step by step, and see what everybody can see."""
    for step in recorder.steps:
        shelf.take(step)
        if isinstance(step, Rename):
            published = dict(step.names).get(f"{LOG}/checkpoint")
            if isinstance(published, int):
                shelf.told.append(Published(shelf.read(published)))
        yield


class Cuts:
    """Cuts the power, counts, and keeps what was wrong."""

    def __init__(self, lab: Path, mode: Mode, seed: int) -> None:
        self.lab, self.mode = lab, mode
        self.chance = random.Random(seed)
        self.count = 0
        self.complaints: Counter[str] = Counter()

    async def cut(self, shelf: Shelf) -> None:
        self.count += 1
        found, folder = shelf.cut(self.chance), self.lab / f"cut-{self.count}"
        found.write(folder)
        audited = self.count % 20 == 0
        said = await complaint(folder / LOG, found.told, self.mode, audited=audited)
        if said is not None:
            self.complaints[said.replace(str(folder), "")] += 1
        shutil.rmtree(folder)


MODES = [
    Mode(),
    Mode(many=True),
    Mode(intents="write", short=True),
    Mode(durability="write", intents="write"),
]
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.crash_long) for seed in range(2, 12))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", MODES, ids=Mode.words)
async def test_nothing_that_was_told_is_lost(lab: Path, mode: Mode, seed: int) -> None:
    shelf, cuts = Shelf(), Cuts(lab, mode, seed)
    for _ in steps(shelf, await record(lab / "live", mode, 3, shelf)):
        await cuts.cut(shelf)
    assert not cuts.complaints
    assert cuts.count > 200


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("power", ["cut", "kept"])
async def test_nothing_is_lost_in_the_life_after(lab: Path, power: str, seed: int) -> None:
    """After a loss of power, and after a crash that leaves what was written but not synced. The log
    has come past a tile's end before, so that not all of it is in the journal."""
    mode, shelf = Mode(), Shelf()
    for _ in steps(shelf, await record(lab / "long", mode, 44, shelf)):
        pass
    (*_, last) = (each for each in shelf.told if isinstance(each, Published))
    assert tip(last.checkpoint).size > 256
    cuts = Cuts(lab, mode, seed)
    first = await record(lab / "first", mode, 2, shelf)
    places = cuts.chance.sample(range(len(first.steps)), 3)
    for place, _ in enumerate(steps(shelf, first)):
        if place in places:
            again = shelf.cut(cuts.chance) if power == "cut" else shelf.copy()
            for later, _ in enumerate(
                steps(again, await record(lab / f"later-{place}", mode, 1, again))
            ):
                if later % 2:
                    await cuts.cut(again)
    assert not cuts.complaints
    assert cuts.count > 100


def test_what_is_published_is_durable_though_who_made_its_folder_was_killed_there(
    lab: Path,
) -> None:
    shelf, store, name = Shelf(), lab / "live" / LOG, "tile/entries/x001/000.p/1"
    shelf.write(lab / "live")
    recorder = Recorder(lab / "live")
    with recorder.recording():
        Disk().make_folders((store / name).parent.parent)
        published = Edition(256_001, b"", ((name, [b"entry"]),), frozenset((name,)), (), 0)
        Publisher(Disk(), store, None).publish(published, b"checkpoint")
        Disk().sync_folder(store.parent)
    for _ in steps(shelf, recorder):
        pass
    for seed in range(20):
        found = shelf.cut(random.Random(seed))
        assert found.read(found.numbers()[f"{LOG}/{name}"]) == b"entry"


@pytest.mark.parametrize(
    "mode",
    [Mode(every_sync=False), Mode(every_folder=False), Mode(every_intent=False)],
    ids=Mode.words,
)
async def test_the_cuts_find_what_is_taken_out(lab: Path, mode: Mode) -> None:
    shelf, cuts = Shelf(), Cuts(lab, mode, 1)
    for _ in steps(shelf, await record(lab / "live", mode, 3, shelf)):
        await cuts.cut(shelf)
        if cuts.complaints:
            return
    pytest.fail("nobody noticed")
