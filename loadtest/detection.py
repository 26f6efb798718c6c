"""`python -m loadtest.detection DATA`: how much is found, and how much of it rightly.

DATA is the folder of presidio-research: 1,500 texts with labelled spans. A finding counts as right
where it overlaps a span of its type, a span as found where a finding overlaps it. Beside it, where
`--peer` names a Python that has it, Presidio's pattern recognizers on the same texts. Then values
that are nobody's secret, through the default group, which must find nothing in them.

Prints the tables; `--write` also puts them into a page, between its marks.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from loadtest.innocents import innocents
from proxy.content.detect import Detector
from proxy.content.findings import Findings
from proxy.content.kinds import Likelihood
from proxy.content.registry import KINDS
from proxy.content.rules import compile_rules
from proxy.content.values import Masked, Scalar
from proxy.content.watch import watches
from proxy.settings.schema import ContentPolicy, Limits

Spans = list[tuple[int, int]]
TYPES: Final = {
    "CREDIT_CARD": "credit_card",
    "IBAN_CODE": "iban",
    "US_SSN": "us_ssn",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone_number",
    "IP_ADDRESS": "ip_address",
    "US_DRIVER_LICENSE": "driver_license",
}
"""Label of the corpus -> our type."""
_DATASET: Final = "synth_dataset_v2.json"
_THRESHOLDS: Final = (0.0, 0.5)
"""Presidio's default, at which nothing is left out, and one that leaves out what it doubts."""
_GONE: Final = "\ue000".encode()
_MARKS: Final = ("<!-- figures -->\n", "<!-- end of figures -->")


class Score(NamedTuple):
    spans: int
    found: int
    findings: int
    right: int

    def __str__(self) -> str:
        precision = f"{self.right / self.findings:.1%}" if self.findings else "–"
        return f"{self.found / self.spans:.1%} | {precision}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.detection")
    parser.add_argument("data", type=Path, help="folder of presidio-research")
    parser.add_argument("--peer", type=Path, help="a Python that has presidio-analyzer")
    parser.add_argument("--innocents", type=int, default=100_000)
    parser.add_argument("--write", type=Path, help="a page to put the tables into")
    wanted = parser.parse_args()
    data = wanted.data / _DATASET
    columns: dict[str, dict[str, Score]] = {"Lockgate": _scores(data, _ours(data))}
    for threshold in _THRESHOLDS if wanted.peer else ():
        name = f"Presidio, score ≥ {threshold}" if threshold else "Presidio"
        columns[name] = _scores(data, _theirs(wanted.peer, data, threshold))
    alarms = false_alarms(innocents(wanted.innocents, seed=6))
    text = _table(columns) + _verdict(wanted.innocents, alarms)
    print(text, end="")
    if wanted.write:
        _put(wanted.write, text)
    if alarms:
        sys.exit(1)


def _ours(data: Path) -> dict[str, list[Spans]]:
    samples = json.loads(data.read_text("utf-8"))
    finders = {label: Finder(name) for label, name in TYPES.items()}
    return {
        label: [finder.spans(sample["full_text"]) for sample in samples]
        for label, finder in finders.items()
    }


class Finder:
    """One type, found as a route would find it in a text."""

    def __init__(self, name: str, threshold: Likelihood = Likelihood.LIKELY) -> None:
        self._said: list[str] = []
        self._detector = Detector(watches([], [(name, self._note)], KINDS, "top"), threshold)

    def spans(self, text: str) -> Spans:
        """In characters, in order."""
        self._said.clear()
        octets = text.encode()
        suspects = self._detector.suspects_in_text(octets)
        self._detector.judge(octets, (), "$", suspects, Findings(), "the text")
        spans: Spans = []
        position = 0
        for value in self._said:
            start = text.find(value, position)
            if start >= 0:
                position = start + len(value)
                spans.append((start, position))
        return spans

    def _note(self, value: Scalar) -> Masked:
        self._said.append(value.text.decode())
        return Masked("string", _GONE)


def _theirs(python: Path, data: Path, threshold: float) -> dict[str, list[Spans]]:
    script = Path(__file__).with_name("detection_peer.py")
    done = subprocess.run(
        [python, "-P", script, data, str(threshold)], stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, list[Spans]] = json.loads(done.stdout)
    return found


def _scores(data: Path, found: dict[str, list[Spans]]) -> dict[str, Score]:
    samples = json.loads(data.read_text("utf-8"))
    return {
        label: _score(
            [
                [
                    (span["start_position"], span["end_position"])
                    for span in sample["spans"]
                    if span["entity_type"] == label
                ]
                for sample in samples
            ],
            found[label],
        )
        for label in TYPES
    }


def _score(labelled: Sequence[Spans], found: Sequence[Spans]) -> Score:
    pairs = list(zip(labelled, found, strict=True))
    return Score(
        sum(map(len, labelled)),
        sum(_meeting(spans, finds) for spans, finds in pairs),
        sum(map(len, found)),
        sum(_meeting(finds, spans) for spans, finds in pairs),
    )


def _meeting(some: Spans, others: Spans) -> int:
    """How many of some overlap one of the others."""
    return sum(any(start < b and a < end for a, b in others) for start, end in some)


def false_alarms(values: Iterable[str | int | float]) -> dict[str, int]:
    """What the default group finds in values, each an NDJSON record of its own: type -> number."""
    policy = ContentPolicy.model_validate(
        {"content": ["ndjson"], "detect": [{"type": "default", "action": "redact"}]}
    )
    inspector = compile_rules(policy, Limits(), {}, "top", ("top",)).open("ndjson")
    for value in values:
        inspector.feed(json.dumps({"value": value}).encode() + b"\n")
    inspector.finish()
    return dict(inspector.report().findings)


def _table(columns: dict[str, dict[str, Score]]) -> str:
    names = list(columns)
    lines = [
        "| type | label | spans | " + " | ".join(f"{n}: recall | precision" for n in names) + " |",
        "|---|---|---" + "|---|---" * len(names) + "|",
    ]
    for label, name in TYPES.items():
        scores = [columns[column][label] for column in names]
        cells = " | ".join(map(str, scores))
        lines.append(f"| `{name}` | {label} | {scores[0].spans} | {cells} |")
    return "\n".join(lines) + "\n"


def _verdict(count: int, alarms: dict[str, int]) -> str:
    said = ", ".join(f"{n} of {name}" for name, n in sorted(alarms.items())) or "none"
    return (
        f"\nFindings of the default group in {count:,} UUIDs, timestamps, git hashes, floats and\n"
        f"base64 blobs: {said}.\n"
    )


def _put(page: Path, text: str) -> None:
    before, mark, rest = page.read_text().partition(_MARKS[0])
    _, end, after = rest.partition(_MARKS[1])
    if not mark or not end:
        raise SystemExit(f"{page} has no place for figures")
    page.write_text(before + mark + "\n" + text + "\n" + end + after)


if __name__ == "__main__":
    main()
