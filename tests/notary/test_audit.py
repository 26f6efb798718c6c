"""Whatever is done to a log, the audit finds it and names it."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, audit_log, require_tail
from proxy.receipt.marks import Demand
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.notary.samples import (
    LOG_KEY,
    ORIGIN,
    PQ_KEY,
    RECEIPT_KEY,
    audited,
    conclude,
    deliver,
    refusal,
    running,
)

VKEYS = [ed25519_vkey(ORIGIN, LOG_KEY), mldsa44_vkey(ORIGIN, PQ_KEY)]


@asynccontextmanager
async def _log(store: Path, entries: int) -> AsyncIterator[None]:
    async with running(store) as notary:
        await deliver(notary)
        await notary.publish()
        for _ in range(entries - 1):
            await conclude(notary, refusal())
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


def test_every_octet_of_the_journal_counts(small: Path, copy: Callable[[Path], Path]) -> None:
    store = copy(small)
    folder = Folder(store)
    walk = audit_log(folder, Demand(VKEYS), [RECEIPT_KEY.public_key()]).log.walk
    path = store / "journal"
    whole = path.read_bytes()
    missed = []
    with path.open("r+b", buffering=0) as file:
        for at in range(len(whole)):
            os.pwrite(file.fileno(), bytes([whole[at] ^ (1 << at % 8)]), at)
            try:
                tail = folder.tail()
                assert tail is not None
                require_tail(folder, tail, walk)  # the last thing that an audit looks at
                missed.append(at)
            except EvidenceError:
                os.pwrite(file.fileno(), whole[at : at + 1], at)
    assert not missed
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(EvidenceError, match=r"^journal: "):
        audited(store)


def test_what_is_the_gateways_own_is_not_the_logs(
    small: Path, copy: Callable[[Path], Path]
) -> None:
    store = copy(small)
    ours = {"journal", "checkpoint", "tile"}
    for path in store.iterdir():
        if path.name not in ours:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (store / "journal").unlink()
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


async def test_a_log_that_was_cut_back_is_found_with_a_kept_checkpoint(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with _log(store, 3):
        shutil.copytree(store, tmp_path / "earlier")
    async with running(store) as notary:
        await conclude(notary, refusal())
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
            await conclude(notary, refusal())
        await notary.publish()
        for _ in range(2):
            await conclude(notary, refusal())
        assert audited(store) == (3, 2)
        shutil.copytree(store, tmp_path / "copy")
    journal = tmp_path / "copy" / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-9])
    assert audited(tmp_path / "copy") == (3, 1)
    journal.write_bytes(whole[:-9] + bytes(9))
    with pytest.raises(EvidenceError, match=r"^journal: damaged"):
        audited(tmp_path / "copy")
