"""What is unknown counts as the highest; what is above a zone's clearance does not go there."""

import itertools

import pytest

from proxy.errors import Refusal
from proxy.policy.clearance import Scale
from tests.settings.example import settings

SCALE = Scale(settings())
LABELS = ["public", "internal", "secret"]


@pytest.mark.parametrize(
    ("label", "named", "raised", "effective"),
    [
        ("public", [], None, "public"),
        ("public", [], "internal", "internal"),
        ("internal", [], "public", "internal"),
        (None, [b"public"], None, "public"),
        (None, [b"public"], "secret", "secret"),
        ("internal", [b"public"], None, "internal"),
        ("public", [b"internal"], None, "internal"),
        (None, [], None, "secret"),
        (None, [], "public", "secret"),
        (None, [b""], None, "secret"),
        (None, [b"PUBLIC"], None, "secret"),
        (None, [b"public "], None, "secret"),
        (None, [b"\xff"], None, "secret"),
        (None, [b"public", b"public"], None, "secret"),
        ("public", [b"what"], None, "secret"),
        ("public", [], "what", "secret"),
        ("what", [], None, "secret"),
    ],
)
def test_the_effective_label(
    label: str | None, named: list[bytes], raised: str | None, effective: str
) -> None:
    assert SCALE.effective(label, named, raised) == effective


def test_content_goes_exactly_where_the_clearance_reaches() -> None:
    for label, (zone, clearance) in itertools.product(
        LABELS, [("far", "internal"), ("near", "secret")]
    ):
        if LABELS.index(label) <= LABELS.index(clearance):
            assert SCALE.require_cleared(label, [], None, zone) == label
        else:
            with pytest.raises(Refusal, match="above-clearance"):
                SCALE.require_cleared(label, [], None, zone)


def test_an_answer_is_refused_under_its_own_code() -> None:
    with pytest.raises(Refusal) as caught:
        SCALE.require_cleared("secret", [], None, "far", "answer-refused")
    assert caught.value.code == "answer-refused"


@pytest.mark.parametrize(
    ("named", "raised", "reason"),
    [([], None, "as nothing names a label"), ([b"marker"], None, "is not on the scale"),
     ([b"secret"], None, "by the header"), ([b"public"], "secret", "by a finding"),
     ([b"marker", b"x"], None, "names several")],
)  # fmt: skip
def test_the_reason_says_why_and_repeats_nothing(
    named: list[bytes], raised: str | None, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        SCALE.require_cleared(None, named, raised, "far")
    assert reason in caught.value.reason
    assert "marker" not in caught.value.reason


def test_a_zone_that_is_not_known_sees_nothing() -> None:
    with pytest.raises(Refusal, match="no clearance"):
        SCALE.require_cleared("public", [], None, "nowhere")


def test_what_is_above_a_zone_is_exactly_what_may_not_go_there() -> None:
    assert SCALE.above("far") == {"secret"}
    assert SCALE.above("near") == frozenset()
    assert SCALE.above("nowhere") == set(LABELS)


def test_the_highest_label_of_several_is_that_of_the_scale() -> None:
    assert SCALE.highest_of(["secret", "public"]) == "secret"
    assert SCALE.highest_of([]) is None
