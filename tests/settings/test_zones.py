"""Routes lead where their zone may send, and nowhere else once any zone says where that is."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import ConfigError
from proxy.settings.yaml12 import parse
from tests.settings.example import Change, changed, loaded, mistakes, put, warned

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
TABLE = re.search(
    r"^```yaml\n(zones:\n(?:(?!```).*\n)*)```\n\n\| from \| to .*\n\|[-|]+\|\n((?:\|.*\n)+)",
    PAGE,
    re.M,
)
assert TABLE is not None
ZONES: Any = parse(TABLE[1].encode(), "manual").data
ROWS = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", TABLE[2], re.M)


def between(here: str, there: str) -> tuple[Change, ...]:
    own = {"sensitivity": ["internal", "confidential", "secret"], **ZONES}
    changes = [put(key, value) for key, value in own.items()]
    return (*changes, put("listeners.in.zone", here), put("upstreams.out.zone", there))


def leaves(**said: list[str]) -> tuple[Change, ...]:
    """From `far` to `near` leads the one route of the example."""
    return tuple(put(f"zones.{name}.may_send_to", names) for name, names in said.items())


@pytest.mark.parametrize(("here", "there", "answer"), ROWS)
def test_what_the_manual_says_of_a_way_holds(
    tmp_path: Path, here: str, there: str, answer: str
) -> None:
    found = mistakes(tmp_path, changed(*between(here, there)))
    assert found == ([] if answer == "accepted" else [("routes[0].upstream", answer)])


def test_the_manual_has_both_answers() -> None:
    assert len(ROWS) == 5
    assert {answer == "accepted" for *_, answer in ROWS} == {True, False}


def test_where_no_zone_says_where_it_may_send_clearances_alone_decide(tmp_path: Path) -> None:
    assert mistakes(tmp_path, changed()) == []


@pytest.mark.parametrize(
    ("said", "covered"),
    [
        ({"far": ["near"]}, True),
        ({"far": []}, False),
        ({"far": ["far"]}, False),
        ({"near": ["far"]}, False),
        ({"near": []}, False),
        ({"near": [], "far": ["near"]}, True),
    ],
)
def test_a_route_needs_the_leave_of_the_zone_it_comes_from(
    tmp_path: Path, said: dict[str, list[str]], covered: bool
) -> None:
    found = mistakes(tmp_path, changed(*leaves(**said)))
    assert [path for path, _ in found] == ([] if covered else ["routes[0].upstream"])


def test_each_route_without_leave_is_told_at_its_place_and_by_its_code(tmp_path: Path) -> None:
    second = changed()["routes"][0] | {"name": "b", "match": {"path": "/b"}}
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *leaves(far=[]), put("routes.1", second))
    found = [(each.path, each.code) for each in caught.value.problems]
    assert found == [(f"routes[{n}].upstream", "way-not-covered") for n in (0, 1)]


def test_a_tunnel_needs_leave_as_well(tmp_path: Path) -> None:
    route = {
        "name": "raw", "listener": "in", "upstream": "out", "allow": [{"spiffe": "spiffe://a/b"}],
        "request": {"content": ["opaque"], "label": "public"},
    }  # fmt: skip
    changes = (
        put("routes", [route]),
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
    )
    assert mistakes(tmp_path, changed(*changes)) == []
    found = mistakes(tmp_path, changed(*changes, *leaves(far=[])))
    assert [path for path, _ in found] == ["routes[0].upstream"]


def test_only_a_zone_that_there_is_can_be_named(tmp_path: Path) -> None:
    ((path, message),) = mistakes(tmp_path, changed(*leaves(far=["near", "nowhere"])))
    assert path == "zones.far.may_send_to[1]"
    assert message.startswith("there is no such zone")


def test_leave_that_nothing_uses_is_told(tmp_path: Path) -> None:
    found = warned(loaded(tmp_path, *leaves(far=["near", "far"], near=["far", "near"])))
    assert [(each.path, each.code) for each in found] == [
        ("zones.near.may_send_to[0]", "unused-way"),
        ("zones.near.may_send_to[1]", "means-nothing"),
        ("zones.far.may_send_to[1]", "means-nothing"),
    ]
