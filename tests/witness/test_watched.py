"""What a witness remembers: before it answers, across crashes, and for one process at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import CredentialError, EvidenceError, LogFailure
from proxy.notary.disk import Disk
from proxy.notary.watched import Key, Watched, load_key, vkey_of
from proxy.receipt import note
from proxy.receipt.consistency import consistency
from proxy.receipt.note import Checkpoint
from proxy.receipt.vkey import ed25519_vkey
from proxy.receipt.witnessing import Declined, Offer, render_offer
from proxy.tls.keys import private_pem, public_pem
from tests.receipt.test_merkle import ROOTS, read
from tests.receipt.witnesses import (
    ED,
    ED_WITNESSES,
    LOG,
    MLDSA,
    ORIGIN,
    POLE,
    TIME,
    VKEYS,
    by_log,
    head,
)

NORTH = ED_WITNESSES["north"]
NAME = VKEYS["north"].name


def watched(folder: Path, **changes: Any) -> Watched:
    values: dict[str, Any] = {
        "name": NAME,
        "keys": [NORTH],
        "logs": [ED, MLDSA],
        "clock": lambda: float(TIME),
    }
    return Watched(folder, **(values | changes))


def offer(old: int, new: int, root: bytes | None = None) -> bytes:
    found = head(new, root=root)
    path = consistency(old, new, read)
    return render_offer(Offer(old, tuple(path), note.render(found.text, by_log(found))))


def file_of(folder: Path) -> Path:
    return folder / "receipts.example%2Fgateway-a.checkpoint"


def declined(witness: Watched, data: bytes) -> tuple[int, int | None]:
    with pytest.raises(Declined) as caught:
        witness.add(data)
    return caught.value.status, caught.value.size


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Watched]:
    found = watched(tmp_path)
    yield found
    found.close()


def test_a_cosignature_verifies_and_carries_the_time(witness: Watched) -> None:
    lines = note.parse_signatures(witness.add(offer(0, 7)).decode())
    assert note.verify(note.Note(head(7).text, lines), [VKEYS["north"]]) == (VKEYS["north"],)
    assert [int.from_bytes(line.data[:8]) for line in lines] == [TIME]


def test_both_kinds_of_key_cosign(tmp_path: Path) -> None:
    found = watched(tmp_path, keys=[NORTH, POLE])
    lines = note.parse_signatures(found.add(offer(0, 7)).decode())
    pole = vkey_of(NAME, POLE)
    assert found.vkeys == [VKEYS["north"], pole]
    assert note.verify(note.Note(head(7).text, lines), found.vkeys) == (VKEYS["north"], pole)
    found.close()


def test_what_was_cosigned_is_a_note_that_anybody_can_check(
    tmp_path: Path, witness: Watched
) -> None:
    witness.add(offer(0, 7))
    kept = file_of(tmp_path).read_bytes()
    assert note.require_signed(kept, [ED, MLDSA, VKEYS["north"]]) == head(7)


def test_it_goes_on_from_what_it_cosigned_also_after_a_restart(tmp_path: Path) -> None:
    first = watched(tmp_path)
    first.add(offer(0, 3))
    first.add(offer(3, 7))
    assert declined(first, offer(3, 9)) == (409, 7)
    first.close()
    second = watched(tmp_path)
    assert second.latest == {ORIGIN: head(7)}
    assert declined(second, offer(0, 9)) == (409, 7)
    assert declined(second, offer(7, 7, ROOTS[6])) == (409, 7)
    second.add(offer(7, 9))
    second.close()


def test_an_answer_that_was_lost_is_given_again(witness: Watched) -> None:
    witness.add(offer(0, 7))
    assert declined(witness, offer(0, 7)) == (409, 7)
    lines = note.parse_signatures(witness.add(offer(7, 7)).decode())
    assert note.verify(note.Note(head(7).text, lines), [VKEYS["north"]])


def test_the_logs_of_several_gateways_are_kept_apart(tmp_path: Path) -> None:
    other = ed25519_vkey("receipts.example/gateway-b", LOG)
    found = watched(tmp_path, logs=[ED, MLDSA, other])
    found.add(offer(0, 7))
    theirs = head(2, origin=other.name)
    data = note.render(theirs.text, by_log(theirs, pq=False))
    found.add(render_offer(Offer(0, (), data)))
    assert {origin: latest.size for origin, latest in found.latest.items()} == {
        ORIGIN: 7,
        other.name: 2,
    }
    found.close()


class Recorder(Disk):
    """Remembers what was asked of it, and stops the world where it is told."""

    def __init__(self, stop: Callable[[str], None] = lambda step: None) -> None:
        self.steps: list[str] = []
        self._stop = stop

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self._stop(name)

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self._step("sync")

    def replace(self, path: Path, scratch: Path, data: bytes) -> None:
        super().replace(path, scratch, data)
        self._step("replace")

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._step("sync folder")


def test_it_is_on_disk_before_a_cosignature_leaves_even_when_it_repeats_itself(
    tmp_path: Path,
) -> None:
    disk = Recorder()
    found = watched(tmp_path, disk=disk)
    for data in (offer(0, 7), offer(7, 7)):
        disk.steps.clear()
        found.add(data)
        assert disk.steps == ["sync", "replace", "sync folder"]
    disk.steps.clear()
    declined(found, offer(3, 9))
    assert disk.steps == []
    found.close()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(("step", "remembered"), [("sync", 3), ("replace", 7), ("sync folder", 7)])
def test_a_crash_before_the_answer_leaves_a_witness_that_goes_on(
    tmp_path: Path, step: str, remembered: int
) -> None:
    def kill(at: str) -> None:
        if at == step:
            raise Killed

    first = watched(tmp_path)
    first.add(offer(0, 3))
    first.close()
    dying = watched(tmp_path, disk=Recorder(kill))
    with pytest.raises(Killed):
        dying.add(offer(3, 7))
    dying.close()
    again = watched(tmp_path)
    assert again.latest[ORIGIN] == head(remembered)
    if remembered == 7:
        assert declined(again, offer(3, 7)) == (409, 7)
    again.add(offer(remembered, 9))
    again.close()


def test_a_disk_that_fails_cosigns_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    failing = True

    def fail(step: str) -> None:
        if failing and step == "sync folder":
            raise OSError(28, "the disk fails on purpose")

    found = watched(tmp_path, disk=Recorder(fail))
    with pytest.raises(OSError, match="on purpose"):
        found.add(offer(0, 7))
    assert found.latest[ORIGIN].size == 0
    failing = False
    found.add(offer(0, 9))
    assert found.latest[ORIGIN] == head(9)
    found.close()


def test_two_processes_do_not_watch_from_one_folder(tmp_path: Path, witness: Watched) -> None:
    with pytest.raises(LogFailure, match="in use by another process"):
        watched(tmp_path)


def test_a_memory_that_is_damaged_is_not_taken_for_none(tmp_path: Path) -> None:
    found = watched(tmp_path)
    found.add(offer(0, 7))
    found.close()
    good = file_of(tmp_path).read_bytes()
    forged = Checkpoint(ORIGIN, 6, ROOTS[6])
    for bad in (
        b"",
        good[:-1],
        good.replace(b"\n7\n", b"\n6\n"),
        note.render(forged.text, by_log(head(7))),
        note.render(forged.text, [note.sign(forged.text, "somebody", NORTH)]),
    ):
        file_of(tmp_path).write_bytes(bad)
        with pytest.raises(EvidenceError, match=r"gateway-a\.checkpoint: "):
            watched(tmp_path)
    other = head(7, origin="receipts.example/gateway-b")
    file_of(tmp_path).write_bytes(note.render(other.text, [note.witness(other, NAME, NORTH, 1)]))
    with pytest.raises(EvidenceError, match="of another log"):
        watched(tmp_path)
    file_of(tmp_path).write_bytes(good)
    watched(tmp_path).close()


def test_a_witness_may_change_its_key_and_remembers_by_the_log_s(tmp_path: Path) -> None:
    found = watched(tmp_path)
    found.add(offer(0, 7))
    found.close()
    changed = watched(tmp_path, keys=[ED_WITNESSES["east"]])
    assert changed.latest[ORIGIN] == head(7)
    changed.close()


def test_a_name_that_makes_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="too long for a file"):
        watched(tmp_path, logs=[ed25519_vkey("/" * 100, LOG)])
    with pytest.raises(LogFailure):
        watched(a_file(tmp_path))


def a_file(folder: Path) -> Path:
    path = folder / "file"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("key", [NORTH, POLE])
def test_either_kind_of_key_is_read(key: Key) -> None:
    assert vkey_of(NAME, load_key(private_pem(key))) == vkey_of(NAME, key)


def test_what_is_no_private_key_is_refused_without_a_word_of_it() -> None:
    for pem in (b"", b"secret words", public_pem(NORTH)):
        with pytest.raises(CredentialError, match="not an Ed25519 or ML-DSA-44") as caught:
            load_key(pem)
        assert "secret" not in str(caught.value)
