"""A notary and its witnesses: what is served, what is kept, and that nothing waits for them."""

from pathlib import Path
from typing import Any

import pytest
import trio

from proxy.errors import EvidenceError
from proxy.notary.disk import Disk
from proxy.notary.keys import Keys
from proxy.notary.offer import TIMEOUT
from proxy.notary.publisher import Publisher
from proxy.notary.watched import Watched
from proxy.receipt import note
from proxy.receipt.merkle import EMPTY_ROOT
from proxy.receipt.policy import Policy, parse_policy
from proxy.receipt.quorum import CHECKPOINT, WITNESSED, require_quorum
from tests.notary.disks import FailingDisk, LooseDisk
from tests.notary.samples import (
    LOG_KEY,
    ORIGIN,
    PQ_KEY,
    RECEIPT_KEY,
    deliver,
    open_notary,
    running,
    until,
)
from tests.receipt.witnesses import ED_WITNESSES, VKEYS
from tests.witness.serving import Said, saying, serving

KEYS = Keys(ORIGIN, RECEIPT_KEY, LOG_KEY, PQ_KEY)


def witness(folder: Path, name: str = "north") -> Watched:
    return Watched(
        folder, VKEYS[name].name, [ED_WITNESSES[name]], KEYS.vkeys(), clock=lambda: 1_700_000_000
    )


def policy(quorum: str = "north", **urls: str) -> Policy:
    lines = [f"log {vkey}" for vkey in KEYS.vkeys()]
    lines += [f"witness {name} {VKEYS[name]} {url}" for name, url in urls.items()]
    return parse_policy("\n".join([*lines, f"quorum {quorum}", ""]).encode())


def cosigners(path: Path) -> set[str]:
    if not path.exists():
        return set()
    parsed = note.parse(path.read_bytes())
    return {name for name, vkey in VKEYS.items() if note.verify(parsed, [vkey])}


def size_of(path: Path) -> int:
    if not path.exists():
        return -1
    return note.parse_checkpoint(note.parse(path.read_bytes()).text).size


async def test_what_is_served_gains_its_cosignatures(tmp_path: Path) -> None:
    store, north = tmp_path / "log", witness(tmp_path / "north")
    async with serving(north) as url, running(store, policy=policy(north=url)) as notary:
        for size in (1, 2, 3):
            await deliver(notary)
            await notary.publish()
            await until(lambda size=size: size_of(store / WITNESSED) == size)  # type: ignore[misc]
            await until(lambda: cosigners(store / CHECKPOINT) == {"north"})
            assert (store / CHECKPOINT).read_bytes() == (store / WITNESSED).read_bytes()
            demanded = policy(north=url)
            assert require_quorum((store / WITNESSED).read_bytes(), demanded).size == size
    north.close()


async def test_a_checkpoint_from_before_a_restart_is_offered(tmp_path: Path) -> None:
    store, north = tmp_path / "log", witness(tmp_path / "north")
    async with running(store) as notary:
        await deliver(notary)
    assert cosigners(store / CHECKPOINT) == set()
    async with serving(north) as url, running(store, policy=policy(north=url)):
        await until(lambda: cosigners(store / CHECKPOINT) == {"north"})
    assert size_of(store / WITNESSED) == 1
    async with running(store) as notary:
        await deliver(notary)
    assert (size_of(store / CHECKPOINT), size_of(store / WITNESSED)) == (2, 1)
    north.close()


async def test_a_witness_that_hangs_delays_no_receipt_no_publication_and_no_end(
    tmp_path: Path,
) -> None:
    store = tmp_path / "log"
    silent = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{silent[0].socket.getsockname()[1]}"
    with trio.fail_after(TIMEOUT - 1):
        async with running(store, policy=policy(north=url)) as notary:
            for size in (1, 2, 3):
                await deliver(notary)
                await notary.publish()
                assert size_of(store / CHECKPOINT) == size
            assert notary.ready
    await silent[0].aclose()
    assert not (store / WITNESSED).exists()


async def test_what_became_of_each_offer_is_told(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []

    def answer(_: bytes) -> Said:
        return 404, "text/plain", b"unknown\n"

    with saying(answer) as url:
        changes = {"policy": policy(north=url), "on_offer": lambda *what: told.append(what)}
        async with running(tmp_path / "log", **changes) as notary:
            await deliver(notary)
            await notary.publish()
            await until(lambda: bool(told))
    assert told[0] == ("north", "refused", 0, "it answered 404")


class Fussy(FailingDisk):
    """Fails to write what witnesses cosigned, and nothing else."""

    def replace(self, path: Path, scratch: Path, data: bytes) -> None:
        if VKEYS["north"].name.encode() in data:
            self.tried = True
            raise OSError(28, "the disk fails on purpose")
        super().replace(path, scratch, data)

    tried = False


async def test_a_cosignature_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    store, north, disk = tmp_path / "log", witness(tmp_path / "north"), Fussy()
    async with (
        serving(north) as url,
        running(store, policy=policy(north=url), disk=disk) as notary,
    ):
        await deliver(notary)
        await notary.publish()
        await until(lambda: disk.tried)
        await deliver(notary)
        await notary.publish()
        assert notary.ready
        assert size_of(store / CHECKPOINT) == 2
    north.close()


def test_a_policy_whose_witness_cannot_be_reached_leaves_the_store_free(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="witness north: a URL"):
        open_notary(tmp_path / "log", policy=policy(north="ftp://x"))
    assert not (tmp_path / "log").exists()


# --- what is replaced by what --------------------------------------------------------------------


def signed(size: int, *names: str) -> bytes:
    head = note.Checkpoint(ORIGIN, size, EMPTY_ROOT)
    more = [note.witness(head, VKEYS[name].name, ED_WITNESSES[name], 1) for name in names]
    return note.render(head.text, [note.sign(head.text, ORIGIN, LOG_KEY), *more])


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    (tmp_path / CHECKPOINT).write_bytes(signed(5))
    disk: Disk = LooseDisk()
    return Publisher(disk, tmp_path, 5)


def test_cosignatures_on_the_latest_checkpoint_are_served_with_it(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cosign(signed(5, "north"), met=False)
    assert cosigners(tmp_path / CHECKPOINT) == {"north"}
    assert not (tmp_path / WITNESSED).exists()
    publisher.cosign(signed(5, "north", "east"), met=True)
    assert cosigners(tmp_path / CHECKPOINT) == cosigners(tmp_path / WITNESSED) == {"north", "east"}


def test_cosignatures_on_an_older_one_never_replace_a_newer(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cosign(signed(3, "north"), met=True)
    assert (size_of(tmp_path / CHECKPOINT), size_of(tmp_path / WITNESSED)) == (5, 3)
    publisher.cosign(signed(2, "north", "east"), met=True)
    assert size_of(tmp_path / WITNESSED) == 3
    publisher.cosign(signed(4, "north"), met=False)
    assert (size_of(tmp_path / CHECKPOINT), size_of(tmp_path / WITNESSED)) == (5, 3)


def test_a_witnessed_checkpoint_that_does_not_read_is_replaced(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / WITNESSED).write_bytes(b"nonsense")
    publisher.cosign(signed(3, "north"), met=True)
    assert size_of(tmp_path / WITNESSED) == 3
