"""What was measured, as tables in Markdown, and into the page between its marks."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtest import targets
from loadtest.contest import OURS, Contest
from loadtest.figures import Standing, digits, duration, octets, ratio
from loadtest.growth import Points
from loadtest.targets import Facts

BEGIN: Final = "<!-- measured: `make bench` writes from here -->"
END: Final = "<!-- to here -->"


@dataclass(slots=True)
class Report:
    """Grows as rows are measured."""

    lines: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=dict)

    def add(self, title: str, header: list[str], rows: Iterable[list[str]], note: str = "") -> str:
        """One table more; its text."""
        lines = [f"### {title}", "", *([note, ""] if note else []), *markdown(header, rows), ""]
        self.lines += lines
        return "\n".join(lines)

    def failed(self, row: str, why: str) -> str:
        """A row that no figure stands for, and what was wrong: the last line of it."""
        last = why.strip().splitlines()[-1] if why.strip() else "no answer"
        text = f"### {row}\n\nNot measured: {last[:200].replace('|', ' ')}\n"
        self.lines += [*text.splitlines(), ""]
        return text

    def contest(self, contest: Contest, count: int, told: list[Standing]) -> str:
        """A row of the table of works, and the ratios that targets ask for."""
        ours, *peers = told
        if contest.octets:
            title, scale, unit = f"{contest.title}, {octets(count)}", 1e9, "ns/B"
        else:
            title, scale, unit = contest.title, 1e6, "µs"
        for peer in peers:
            self._ratios(contest.key, ours, peer)
        self.facts[f"{contest.key}/peak"] = ours.peak
        header = ["proxy", f"CPU, {unit}", "ours by it", "rate", "p50", "p99", "p99.9", "memory"]
        rows = [_row(each, ours, scale, contest.octets) for each in told]
        return self.add(title, header, rows)

    def _ratios(self, key: str, ours: Standing, peer: Standing) -> None:
        cpu, wall = ratio(ours, peer), ratio(ours, peer, "p50")
        if cpu is not None and wall is not None:
            self.facts[f"{key}/{peer.name}"] = cpu
            self.facts[f"{key}/{peer.name}/wall"] = wall
            if (key, peer.name) == ("masked", "mitmproxy"):
                self.facts["mitmproxy"] = 1 / cpu

    def idle(self, count: int, told: Mapping[str, float | None]) -> str:
        rows = [[name, "missing" if each is None else octets(each)] for name, each in told.items()]
        if (ours := told[OURS]) is not None:
            self.facts["idle"] = ours
        return self.add(f"{count:,} idle connections", ["proxy", "memory of each"], rows)

    def latency(self, told: Mapping[str, Mapping[str, float]]) -> str:
        """The target is of the worse of both works."""
        (*lines, disk) = told.values()
        pairs = zip(lines[::2], lines[1::2], strict=True)
        added = max(through["p99"] - past["p99"] for through, past in pairs)
        self.facts["latency"] = max(0.0, added - disk["p99"])
        rows = [[name, *(duration(each[at]) for at in each)] for name, each in told.items()]
        note = f"Added at p99, the worse of both: {duration(max(added, 0.0))}."
        return self.add(
            "Half load", ["what", "p50", "p99", "p99.9", "p99, worst round"], rows, note
        )

    def start(self, told: Mapping[str, float]) -> str:
        self.facts |= {f"start/{name}": value for name, value in told.items()}
        rows = [
            ["start to ready", duration(told["seconds"])],
            ["a sidecar that idles: memory", octets(told["memory"])],
            ["a sidecar that idles: CPU", f"{told['part'] * 100:.2f} % of a core"],
        ]
        return self.add("Start, and idling", ["what", "measured"], rows)

    def growth(self, key: str, told: Points) -> str:
        name = octets if key == "sizes" else "{:,}".format
        if key == "workers" and 1 in told and 2 in told:
            self.facts["workers"] = told[2].median("cpu") / told[1].median("cpu")
        rows = [
            [
                name(at),
                duration(each.median("cpu") * (at if key == "sizes" else 1)),
                *([f"{each.median('cpu') * 1e9:.2f}"] if key == "sizes" else []),
                _rate(each, octets_each=key == "sizes"),
                duration(each.median("p99")),
                octets(each.peak),
            ]
            for at, each in told.items()
        ]
        more = ["ns/B"] if key == "sizes" else []
        header = [key, "CPU of each", *more, "rate", "p99", "memory"]
        return self.add(f"Growth: {key}", header, rows)

    def text(self, heading: list[str]) -> str:
        """Heading, where each target stands, and every table."""
        header = ["target", "first step", "goal", "measured", "stands"]
        stands = ["### Targets", "", *markdown(header, targets.table(self.facts)), ""]
        return "\n".join([*heading, "", *stands, *self.lines]).rstrip() + "\n"


def _row(told: Standing, ours: Standing, scale: float, in_octets: bool) -> list[str]:
    if not told.rounds:
        return [told.name, "missing", *[""] * 6]
    beside = None if told is ours else ratio(ours, told)
    return [
        told.name + (f" ({told.note})" if told.note else ""),
        digits(told.median("cpu") * scale),
        "" if beside is None else f"{digits(beside)} ×",
        _rate(told, octets_each=in_octets),
        *(duration(told.median(share)) for share in ("p50", "p99", "p999")),
        octets(told.peak),
    ]


def _rate(told: Standing, *, octets_each: bool) -> str:
    """A second; `≥` where the proxy had time to spare, so that the load was the bottleneck."""
    rate, sign = told.median("rate"), "" if told.bottleneck else "≥ "
    return f"{sign}{octets(rate)}/s" if octets_each else f"{sign}{math.floor(rate):,}/s"


def markdown(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Columns of figures stand right, the first left."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]


def put(page: Path, text: str) -> None:
    """Between the marks of the page; raises ValueError where it has none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no marks to write between")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")
