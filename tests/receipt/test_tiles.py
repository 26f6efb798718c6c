"""Where tiles lie and what entry bundles hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt.tiles import ENTRIES, MAX_ENTRY, bundle, load_tile, tile_path, tiles_of, unbundle


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path(0, 1_000) == "tile/0/x001/000"
    assert tile_path(2, 999, 17) == "tile/2/999.p/17"
    assert tile_path(ENTRIES, 0, 1) == "tile/entries/000.p/1"


def test_a_log_names_its_tiles_and_no_empty_one() -> None:
    assert list(tiles_of(0)) == []
    assert list(tiles_of(256)) == [(ENTRIES, 0, 256), (0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(257))[1] == (ENTRIES, 1, 1)
    assert list(tiles_of(70_000))[-3:] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]


@given(st.lists(st.binary(max_size=40)))
def test_a_bundle_gives_back_its_entries_and_nothing_when_it_is_cut(entries: list[bytes]) -> None:
    data = bundle(entries)
    assert unbundle(data) == entries
    for end in range(len(data)):
        try:
            assert unbundle(data[:end]) == entries[: len(unbundle(data[:end]))]
        except EvidenceError:
            continue


def test_an_entry_fits_into_its_length_field() -> None:
    largest = bytes(MAX_ENTRY)
    assert unbundle(bundle([largest])) == [largest]
    with pytest.raises(EvidenceError):
        bundle([bytes(MAX_ENTRY + 1)])


@pytest.mark.parametrize(
    ("level", "data"),
    [
        (0, bytes(31)),
        (0, bytes(33)),
        (0, bytes(64)),
        (ENTRIES, b"\x00"),
        (ENTRIES, b"\x00\x00" * 2),
    ],
)
def test_a_tile_of_the_wrong_size_is_refused_by_name(level: int, data: bytes) -> None:
    name = tile_path(level, 0, 1)
    with pytest.raises(EvidenceError, match=name.replace(".", r"\.")):
        load_tile({name: data}.get, level, 0, 1)
