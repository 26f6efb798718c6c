"""`make bench-detect` counts rightly, and writes into the manual what it prints."""

import json
from pathlib import Path

import pytest

from loadtest.detection import Finder
from tests.project.tree import bench


def sample(text: str, **labelled: str) -> dict[str, object]:
    spans = [
        {
            "entity_type": label,
            "entity_value": value,
            "start_position": text.index(value),
            "end_position": text.index(value) + len(value),
        }
        for label, value in labelled.items()
    ]
    return {"full_text": text, "spans": spans}


LABELLED = [
    sample("Pay with 4111 1111 1111 1111 é", CREDIT_CARD="4111 1111 1111 1111"),
    sample("Pay with 4111111111111112", CREDIT_CARD="4111111111111112"),  # missed
    sample("Write to a@b.example", US_SSN="Write"),  # what is found has no label; the label no find
    sample("IBAN GB82WEST12345698765432", IBAN_CODE="GB82WEST12345698765432"),
    sample("Call me on 555 0199 22, from 203.0.113.7", PHONE_NUMBER="555 0199 22", IP_ADDRESS="2"),
    sample("Driver's license: A1234567, j@x.example", EMAIL_ADDRESS="j@x", US_DRIVER_LICENSE="A12"),
]


def test_the_bench_of_detection_counts_spans_and_findings(tmp_path: Path) -> None:
    data, temporary, page = tmp_path / "data", tmp_path / "tmp", tmp_path / "page.md"
    data.mkdir()
    temporary.mkdir()
    (data / "synth_dataset_v2.json").write_text(json.dumps(LABELLED), "utf-8")
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    told = bench(
        "loadtest.detection", [str(data), "--innocents", "500", "--write", str(page)], temporary
    )
    assert "| `credit_card` | CREDIT_CARD | 2 | 50.0% | 100.0% |" in told
    assert "| `us_ssn` | US_SSN | 1 | 0.0% | – |" in told
    assert "| `email` | EMAIL_ADDRESS | 1 | 100.0% | 50.0% |" in told
    assert "| `phone_number` | PHONE_NUMBER | 1 | 100.0% | 100.0% |" in told
    assert "500 UUIDs, timestamps, git hashes, floats and\nbase64 blobs: none." in told
    marks = "<!-- figures -->\n\n", "\n<!-- end of figures -->"
    assert page.read_text() == f"before\n{marks[0]}{told}{marks[1]}\nafter\n"


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("é 4111111111111111, 4111111111111111", [(2, 18), (20, 36)]),
        ("nothing", []),
    ],
)
def test_spans_are_in_characters_and_in_order(text: str, spans: list[tuple[int, int]]) -> None:
    assert Finder("credit_card").spans(text) == spans
