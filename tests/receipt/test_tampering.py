"""Whatever is done to the files of a log is found: each octet, each file, each entry."""

import functools
from collections.abc import Iterator, Mapping
from itertools import combinations

import pytest

from proxy.errors import EvidenceError
from proxy.receipt.audit import Audited, audit
from proxy.receipt.marks import Demand, Kept
from proxy.receipt.strays import require_stray
from proxy.receipt.tiles import unbundle
from proxy.receipt.walk import Walk
from tests.receipt.logs import KEYS, VKEYS, Maker, files, log, outcome, signed

Files = Mapping[str, bytes]
SIZES = (3, 256, 259, 515)
SHORT = 512
"""Octets of a file that is small: all the hashes of these logs are."""


def audited(folder: Files, kept: bytes | None = None) -> Audited:
    """The audit of a folder: what the checkpoint demands, and whatever else is there."""

    def beyond(walk: Walk) -> None:
        for path in sorted(folder):
            if path.startswith("tile/"):
                require_stray(folder.get, path, walk.tree.size)

    earlier = None if kept is None else Kept("kept", kept)
    return audit(folder.get, Demand(VKEYS), KEYS, kept=earlier, beyond=beyond)


def small() -> tuple[list[bytes], dict[str, bytes]]:
    """A start and a receipt, with the tiles and the checkpoint before the latter."""
    maker = Maker()
    maker.event("start", {"version": "0"})
    maker.receipt(outcome(1))
    folder = files(maker.entries, older=[1])
    return maker.entries, {**folder, "checkpoint.witnessed": signed(maker.entries[:1])}


ENTRIES, SMALL = small()
LOGS = pytest.mark.parametrize(
    "size", [*SIZES[:-1], pytest.param(SIZES[-1], marks=pytest.mark.large)]
)
"""The last is two whole bundles: what it takes is some seconds more."""


@functools.cache
def logged(size: int) -> list[bytes]:
    return log(size)


def changed(folder: Files, third: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The folder with one octet changed: each of a small file, each third of one that is not.

    Every bit has its turn.
    """
    for path, data in folder.items():
        small = len(data) <= SHORT
        for at in range(0 if small else third, len(data), 1 if small else 3):
            flipped = bytes([data[at] ^ (1 << at % 8)])
            yield f"{path}: {at}", {**folder, path: data[:at] + flipped + data[at + 1 :]}


@pytest.mark.parametrize(
    "third", [0, pytest.param(1, marks=pytest.mark.large), pytest.param(2, marks=pytest.mark.large)]
)
def test_every_octet_of_every_file_counts(third: int) -> None:
    assert audited(SMALL).checkpoint.size == 2
    missed = []
    for what, folder in changed(SMALL, third):
        try:
            audited(folder)
        except EvidenceError:
            continue
        missed.append(what)
    assert not missed


@LOGS
def test_every_octet_that_is_missing_or_too_many_counts(size: int) -> None:
    folder = files(logged(size), older=[size - 1])
    for path, data in folder.items():
        for wrong in (data[:-1], data[1:], data + b"\x00", data + data[-32:], b""):
            with pytest.raises(EvidenceError):
                audited({**folder, path: wrong})


@pytest.mark.parametrize("size", SIZES)
def test_every_file_that_the_checkpoint_demands_is_missed_by_name(size: int) -> None:
    folder = files(logged(size))
    for path in folder:
        less = {name: data for name, data in folder.items() if name != path}
        with pytest.raises(EvidenceError, match=f"^{path}: missing"):
            audited(less)


@LOGS
def test_no_two_files_can_change_places(size: int) -> None:
    folder = files(logged(size), older=[size - 1])
    for one, other in combinations(folder, 2):
        if folder[one] != folder[other]:
            with pytest.raises(EvidenceError):
                audited({**folder, one: folder[other], other: folder[one]})


@pytest.mark.parametrize("resigned", [False, True])
def test_no_entry_can_be_taken_out_doubled_or_change_places(resigned: bool) -> None:
    """All tiles are made anew each time; where `resigned`, the log's own keys sign that."""
    entries = logged(259)
    whole = files(entries)
    places = [0, 1, 2, 3, 100, 254, 255, 256, 257]
    # The last entry of a stream can be left out by whoever has all the keys: see the next test.
    taken = [entries[:at] + entries[at + 1 :] for at in places[1:-1]]
    doubled = [entries[:at] + entries[at : at + 1] + entries[at:] for at in places]
    swapped = []
    for one, other in combinations(places, 2):
        order = list(entries)
        order[one], order[other] = order[other], order[one]
        swapped.append(order)
    for wrong in [*taken, *doubled, *swapped]:
        folder = files(wrong)
        with pytest.raises(EvidenceError):
            audited(folder if resigned else {**folder, "checkpoint": whole["checkpoint"]})


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 258])
def test_a_log_that_was_cut_is_found_by_a_kept_checkpoint_and_by_nothing_else(size: int) -> None:
    kept = signed(logged(259))
    cut = files(logged(259)[:size])
    assert audited(cut).checkpoint.size == size
    with pytest.raises(EvidenceError, match="the log was cut"):
        audited(cut, kept)
    with pytest.raises(EvidenceError):
        audited({**cut, "checkpoint": kept})


def test_entries_of_another_log_by_the_same_keys_do_not_fit_under_a_checkpoint() -> None:
    maker = Maker()
    maker.event("start", {"version": "0"})
    maker.receipt(outcome(7))
    ours, theirs = files(ENTRIES), files(maker.entries)
    for path in ours:
        with pytest.raises(EvidenceError):
            audited({**ours, path: theirs[path]})
    with pytest.raises(EvidenceError, match=r"^checkpoint: its root is not the root"):
        audited({**theirs, "checkpoint": ours["checkpoint"]})


def test_what_lies_beside_the_log_is_looked_at() -> None:
    for name in ("tile/0/x", "tile/00/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/0"):
        with pytest.raises(EvidenceError, match="is not a file of a log"):
            audited({**SMALL, name: b""})
    stale = files(logged(3)[1:], older=[1])["tile/entries/000.p/1"]
    with pytest.raises(EvidenceError, match=r"^tile/entries/000\.p/1: item 0 is not that of"):
        audited({**SMALL, "tile/entries/000.p/1": stale})


def test_a_flipped_bit_is_named_with_file_and_entry() -> None:
    folder = files(logged(515))
    path = "tile/entries/001"
    data = bytearray(folder[path])
    before = sum(len(entry) + 2 for entry in unbundle(folder[path])[:77])
    data[before + 100] ^= 4
    with pytest.raises(EvidenceError, match=rf"^{path}: entry 333: no signature on the envelope"):
        audited({**folder, path: bytes(data)})
    hashes = bytearray(folder["tile/0/001"])
    hashes[40] ^= 1
    with pytest.raises(
        EvidenceError, match=rf"^tile/0/001: entry 257: this is not the hash of {path}"
    ):
        audited({**folder, "tile/0/001": bytes(hashes)})
    above = bytearray(folder["tile/1/000.p/2"])
    above[40] ^= 1
    with pytest.raises(EvidenceError, match="hash 1 is not that of entries 256 to 511"):
        audited({**folder, "tile/1/000.p/2": bytes(above)})
