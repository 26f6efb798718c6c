"""Receipts in header fields: one list in several lines, bounded, never with a gap."""

import pytest

from proxy.model import Headers
from proxy.wire.evidence import (
    MAX_HOPS,
    MAX_LINE,
    NOTHING,
    Evidence,
    evidence_fields,
    key_field,
    receipt_field,
    upstream_evidence,
)

LONG = b"x" * (MAX_LINE * 3 // 4)
"""Too long for a line by no more than the name of its field."""


def read(fields: Headers) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    found = upstream_evidence(fields)
    return found.envelopes, found.keys


def test_an_upstreams_receipts_come_first_and_ours_last_each_in_a_line() -> None:
    behind = upstream_evidence(
        (
            (b"transfer-receipt", b":YQ==:, :Yg==:"),
            (b"transfer-receipt", b":Yw==:"),
            (b"transfer-receipt-key", b":eA==:"),
        )
    )
    assert behind == Evidence((b"a", b"b", b"c"), (b"x",))
    assert evidence_fields(behind, b"ours", b"key", 1024) == [
        *map(receipt_field, (b"a", b"b", b"c", b"ours")),
        (b"transfer-receipt-key", b":eA==:, :a2V5:"),
    ]


@pytest.mark.parametrize("hops", range(1, 6))
def test_what_one_gateway_sends_the_next_one_reads(hops: int) -> None:
    fields: Headers = ()
    for hop in range(hops):
        name = b"%d" % hop
        fields = tuple(evidence_fields(upstream_evidence(fields), name, b"key " + name, 1024))
    names = tuple(b"%d" % hop for hop in range(hops))
    assert read(fields) == (names, tuple(b"key " + name for name in names))


@pytest.mark.parametrize("room", range(5))
def test_what_does_not_fit_is_left_out_from_the_front_with_its_key(room: int) -> None:
    behind = Evidence((b"aa", b"bb", b"cc"), (b"A", b"B", b"C"))
    line = len(b"Transfer-Receipt: :YWE=:\r\n")
    for spare in (0, line - 1):
        fields = evidence_fields(behind, b"us", b"U", line * room + spare)
        count = max(1, min(room, 4))
        assert read(tuple(fields)) == (
            (b"aa", b"bb", b"cc", b"us")[-count:],
            (b"A", b"B", b"C", b"U")[-count:],
        )


def test_keys_stay_with_their_receipts_where_a_gateway_further_on_gave_none() -> None:
    behind = Evidence((b"a", b"b"), (b"B",))
    assert evidence_fields(behind, b"ours", b"U", 1024)[-1] == key_field((b"B", b"U"))
    two = 2 * len(b"Transfer-Receipt: :b3Vycw==:\r\n")
    assert evidence_fields(behind, b"ours", b"U", two)[-1] == key_field((b"B", b"U"))


def test_a_receipt_too_long_for_a_line_is_left_out_and_what_is_behind_it_too() -> None:
    assert evidence_fields(NOTHING, LONG, b"U", 99999) == [key_field((b"U",))]
    behind = Evidence((b"a", LONG, b"b"))
    found = read(tuple(evidence_fields(behind, b"ours", b"U", 99999)))
    assert found == ((b"b", b"ours"), (b"U",))


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"transfer-receipt", b"nonsense"),),
        ((b"transfer-receipt", b":YQ==:;x=1"),),
        ((b"transfer-receipt", b":YQ==:"), (b"transfer-receipt-key", b"nonsense")),
        ((b"transfer-receipt", b":YQ==:"), (b"transfer-receipt-key", b":YQ==:, :Yg==:")),
        ((b"transfer-receipt-key", b":YQ==:"),),
        ((b"transfer-receipt", b", ".join([b":YQ==:"] * (MAX_HOPS + 1))),),
    ],
    ids=["none", "nonsense", "parameters", "bad-key", "more-keys", "key-alone", "too-many"],
)
def test_a_list_that_is_not_well_formed_proves_nothing(fields: Headers) -> None:
    assert upstream_evidence(fields) is NOTHING
