"""The digests of both sides are those of the standard library, however octets come."""

import hashlib
import hmac
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import sides
from proxy.content.native import Native


def _forms() -> Iterator[Any]:
    yield sides
    try:
        yield import_module("proxy.content._sides")
    except ImportError:
        pass


FORMS = list(_forms())
SIZES = st.one_of(st.integers(0, 130), st.sampled_from([0, 1, 55, 56, 63, 64, 65, 128, 1000]))
STEPS = st.lists(st.tuples(st.sampled_from(["received", "delivered", "asked"]), SIZES), max_size=9)


@given(st.binary(min_size=1, max_size=64), STEPS)
def test_both_are_those_of_all_octets_so_far_whenever_they_are_asked_for(
    key: bytes, steps: list[tuple[str, int]]
) -> None:
    for form in FORMS:
        received = form.Received(key)
        both = {"received": received, "delivered": form.Delivered(received)}
        came = {"received": b"", "delivered": b""}
        for n, (side, size) in enumerate([*steps, ("asked", 0)]):
            if side == "asked":
                assert both["received"].digest() == hmac.digest(key, came["received"], "sha256")
                assert both["delivered"].digest() == hashlib.sha256(came["delivered"]).digest()
            else:
                data = bytes((n + octet) % 251 for octet in range(size))
                came[side] += data
                both[side].update(data)


def test_a_key_that_no_block_holds_is_refused() -> None:
    for form in FORMS:
        for key in (b"", b"k" * 65):
            with pytest.raises(ValueError, match="wrong size"):
                form.Received(key)


@pytest.mark.parametrize("compiled", [True, False])
def test_either_engine_has_the_same_digests(compiled: bool) -> None:
    try:
        native = Native(compiled=compiled)
    except ImportError:
        pytest.skip("nothing was compiled when this was installed: there was no C compiler")
    key, one, other = b"k" * 32, b"received" * 9000, b"delivered" * 9000
    received, delivered = native.sides(key)
    for n in range(3):
        received.update(one[n:])
        delivered.update(other[n:])
    expected = b"".join(one[n:] for n in range(3)), b"".join(other[n:] for n in range(3))
    assert received.digest() == hmac.digest(key, expected[0], "sha256")
    assert delivered.digest() == hashlib.sha256(expected[1]).digest()
