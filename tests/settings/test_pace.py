"""A rate or a volume is one word, and says what it is when it is none."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.settings import editor
from proxy.settings.pace import Pace, Rate, Volume

KIB = 1024


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("100/s", (100, 1, 100)),
        ("1/m", (1, 60, 1)),
        ("10 / h burst 50", (10, 3600, 50)),
        ("7/d", (7, 86400, 7)),
        ("7/day burst 1", (7, 86400, 1)),
    ],
)
def test_a_rate_is_so_many_in_a_time(text: str, meant: tuple[int, int, int]) -> None:
    pace: Pace = TypeAdapter(Rate).validate_python(text)
    assert (pace.amount, pace.seconds, pace.burst) == meant
    assert str(pace) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("50 KiB/day", (50 * KIB, 86400, 50 * KIB)),
        ("1MB/s burst 4KiB", (10**6, 1, 4 * KIB)),
        ("100/h", (100, 3600, 100)),
    ],
)
def test_a_volume_is_a_size_in_a_time(text: str, meant: tuple[int, int, int]) -> None:
    pace: Pace = TypeAdapter(Volume).validate_python(text)
    assert (pace.amount, pace.seconds, pace.burst) == meant


BAD = [
    "",
    "100",
    "/s",
    "0/s",
    "-1/s",
    "1.5/s",
    "1/w",
    "1/s burst",
    "1/s burst 0",
    "1/s, burst 2",
    5,
]


@pytest.mark.parametrize("value", [*BAD, "1KiB/s", "1/s burst 1KiB"])
def test_what_is_no_rate_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValidationError, match="expected a rate such as 100/s"):
        TypeAdapter(Rate).validate_python(value)


@pytest.mark.parametrize("value", [*BAD, "0KiB/s", "1Kib/s", "KiB/s"])
def test_what_is_no_volume_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValidationError, match="expected a volume such as 1MiB/s"):
        TypeAdapter(Volume).validate_python(value)


@pytest.mark.parametrize("kind", ["rate", "volume"])
def test_an_editor_takes_what_the_program_takes(kind: str) -> None:
    shape = editor.schema()["$defs"]["Limits"]["properties"][kind]
    pattern = re.compile(shape["pattern"])
    unit = "" if kind == "rate" else " KiB"
    assert pattern.search(f"10{unit}/day burst 5{unit}")
    assert not any(pattern.search(each) for each in BAD if isinstance(each, str))
