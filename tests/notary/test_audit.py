"""Whatever is done to a log, the audit finds it and names it."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from proxy.errors import EvidenceError
from proxy.receipt.tiles import bundle, unbundle
from tests.notary.samples import audited, deliver, refusal, running


@asynccontextmanager
async def _log(store: Path, entries: int) -> AsyncIterator[None]:
    async with running(store) as notary:
        await deliver(notary)
        await notary.publish()
        for _ in range(entries - 1):
            await notary.conclude(refusal())
        await notary.publish()
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three entries, with the unfinished tiles of two checkpoints."""
    store = tmp_path_factory.mktemp("small") / "log"

    async def make() -> None:
        async with _log(store, 3):
            pass

    trio.run(make)
    return store


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 entries: full and unfinished tiles on two levels."""
    store = tmp_path_factory.mktemp("large") / "log"

    async def make() -> None:
        async with _log(store, 600):
            pass

    trio.run(make)
    return store


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    def make(store: Path) -> Path:
        return Path(shutil.copytree(store, tmp_path / "copy"))

    return make


def _files(store: Path) -> list[Path]:
    return [path for path in sorted(store.rglob("*")) if path.is_file()]


def test_an_untouched_log_passes(small: Path, large: Path) -> None:
    assert audited(small) == (3, 0)
    assert audited(large) == (600, 0)


def test_every_octet_of_a_log_counts(small: Path, copy: Callable[[Path], Path]) -> None:
    store = copy(small)
    for path in _files(store):
        whole = path.read_bytes()
        # Every octet of what is small, and of the beginning and end of what is large.
        places = [at for at in range(len(whole)) if at < 60 or at > len(whole) - 60 or at % 41 == 0]
        for at in places:
            flipped = whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :]
            path.write_bytes(flipped)
            with pytest.raises(EvidenceError):
                audited(store)
        path.write_bytes(whole)
    assert audited(store) == (3, 0)


def test_every_file_that_the_checkpoint_names_is_missed(
    large: Path, copy: Callable[[Path], Path]
) -> None:
    store = copy(large)
    for path in _files(store / "tile"):
        if path.parent.name.endswith(".p") and path.name == "1":
            continue  # of the checkpoint before; nothing demands it any more
        path.rename(path.with_name("gone"))
        name = str(path.relative_to(store))
        with pytest.raises(EvidenceError, match=f"^{name}: missing"):
            audited(store)
        path.with_name("gone").rename(path)
    (store / "checkpoint").unlink()
    with pytest.raises(EvidenceError, match=r"^checkpoint: missing"):
        audited(store)


def test_swapped_entries_are_named(large: Path, copy: Callable[[Path], Path]) -> None:
    store = copy(large)
    path = store / "tile/entries/001"
    entries = unbundle(path.read_bytes())
    entries[10], entries[11] = entries[11], entries[10]
    path.write_bytes(bundle(entries))
    with pytest.raises(EvidenceError, match=r"^tile/entries/001: entry 266: is number"):
        audited(store)


def test_a_changed_hash_is_named_with_the_entries_below_it(
    large: Path, copy: Callable[[Path], Path]
) -> None:
    store = copy(large)
    path = store / "tile/1/000.p/2"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        EvidenceError, match=r"^tile/1/000\.p/2: hash 1 is not that of entries 256 to 511"
    ):
        audited(store)


def test_a_flipped_bit_in_an_entry_is_named(large: Path, copy: Callable[[Path], Path]) -> None:
    store = copy(large)
    path = store / "tile/entries/000"
    entries = unbundle(path.read_bytes())
    changed = bytearray(entries[77])
    changed[len(changed) // 2] ^= 1
    path.write_bytes(bundle([*entries[:77], bytes(changed), *entries[78:]]))
    with pytest.raises(EvidenceError, match=r"^tile/entries/000: entry 77: "):
        audited(store)


def test_a_file_that_is_no_tile_is_named(small: Path, copy: Callable[[Path], Path]) -> None:
    store = copy(small)
    for name in ("tile/0/x", "tile/00/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/0"):
        (store / name).parent.mkdir(exist_ok=True, parents=True)
        (store / name).write_bytes(b"")
        with pytest.raises(EvidenceError, match="is not a file of a log"):
            audited(store)
        (store / name).unlink()


async def test_a_log_that_was_cut_back_is_found_with_a_kept_checkpoint(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with _log(store, 3):
        shutil.copytree(store, tmp_path / "earlier")
    async with running(store) as notary:
        await notary.conclude(refusal())
    kept = (store / "checkpoint").read_bytes()
    assert audited(store, kept) == (4, 0)
    assert audited(tmp_path / "earlier") == (3, 0)
    with pytest.raises(EvidenceError, match="the log was cut"):
        audited(tmp_path / "earlier", kept)
    assert audited(store, (tmp_path / "earlier" / "checkpoint").read_bytes()) == (4, 0)


async def test_a_log_that_was_written_anew_is_found_with_a_kept_checkpoint(tmp_path: Path) -> None:
    async with _log(tmp_path / "one", 3), _log(tmp_path / "two", 5):
        kept = (tmp_path / "one" / "checkpoint").read_bytes()
    assert audited(tmp_path / "two") == (5, 0)
    with pytest.raises(EvidenceError, match="kept: the first 3 entries have another root now"):
        audited(tmp_path / "two", kept)


async def test_entries_and_tiles_that_agree_but_are_not_what_was_signed_are_found(
    tmp_path: Path,
) -> None:
    async with _log(tmp_path / "one", 3), _log(tmp_path / "two", 3):
        pass
    shutil.rmtree(tmp_path / "one" / "tile")
    shutil.copytree(tmp_path / "two" / "tile", tmp_path / "one" / "tile")
    (tmp_path / "one" / "journal").unlink()
    with pytest.raises(EvidenceError, match=r"^checkpoint: its root is not the root"):
        audited(tmp_path / "one")


async def test_a_kept_checkpoint_of_another_log_or_key_is_refused(tmp_path: Path) -> None:
    async with _log(tmp_path / "one", 3):
        pass
    async with running(tmp_path / "other", origin="receipts.example/gateway-b"):
        pass
    with pytest.raises(EvidenceError, match=r"^kept: "):
        audited(tmp_path / "one", (tmp_path / "other" / "checkpoint").read_bytes())
    with pytest.raises(EvidenceError, match=r"^kept: this is not a signed note"):
        audited(tmp_path / "one", b"nonsense")


async def test_a_log_is_audited_while_the_gateway_runs(tmp_path: Path) -> None:
    async with _log(tmp_path / "log", 300):
        assert audited(tmp_path / "log") == (300, 0)
        with pytest.raises(EvidenceError):
            audited(tmp_path / "nothing")


async def test_entries_under_no_checkpoint_yet_are_audited_in_the_journal(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        for _ in range(3):
            await notary.conclude(refusal())
        await notary.publish()
        for _ in range(2):
            await notary.conclude(refusal())
        assert audited(store) == (3, 2)
        shutil.copytree(store, tmp_path / "copy")
    journal = tmp_path / "copy" / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-9])
    assert audited(tmp_path / "copy") == (3, 1)
    journal.write_bytes(whole[:-9] + bytes(9))
    with pytest.raises(EvidenceError, match=r"^journal: damaged"):
        audited(tmp_path / "copy")
