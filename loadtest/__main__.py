"""`python -m loadtest`: measures the rows that are asked for, prints them and writes the page."""

import argparse
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from loadtest import growth, machine, report, stays
from loadtest.contest import hold
from loadtest.field import Field, standing
from loadtest.report import Report
from loadtest.rows import CONTESTS, QUICK, ROWS, SIZE_NAMES, Sizes


def main(words: list[str] | None = None) -> int:
    """Measure and print; into the page where one is named. Ends with 1 at a wrong answer."""
    words = sys.argv[1:] if words is None else words
    wanted = parser().parse_args(words)
    sizes, rows = sizes_of(wanted), wanted.only or list(ROWS)
    if wanted.write and (wanted.only or wanted.quick):
        print("a part, or a try, is not written into the page", file=sys.stderr)
        wanted.write = None
    told, begun, failed = Report(), time.monotonic(), list[str]()
    heading = machine.heading(words, wanted.programs)
    with standing(wanted.programs) as field:
        for row in rows:
            try:
                print(measure(field, row, sizes, told), flush=True)
            except SystemExit as failure:
                failed.append(row)
                print(told.failed(row, str(failure)), flush=True)
    minutes = (time.monotonic() - begun) / 60
    text = told.text([*heading, f"- It took {minutes:.0f} minutes", *_cores(field)])
    print(text.split("### Targets")[0] + "### Targets" + _targets(text))
    if wanted.write:
        report.put(wanted.write, text)
    return 1 if failed else 0


def _targets(text: str) -> str:
    return text.split("### Targets")[1].split("\n### ")[0]


def _cores(field: Field) -> list[str]:
    count = len(field.cores)
    if count == 1:
        return ["- One core: proxy, load and upstream shared it, so caches were cold"]
    shared = "" if count > 2 else "; the second worker shared a core with the load"
    return [f"- The proxy alone on core {field.cores[0]}{shared}"]


def measure(field: Field, row: str, sizes: Sizes, told: Report) -> str:
    """One row; its table."""
    if row in CONTESTS:
        contest = CONTESTS[row]
        count = sizes.count(contest)
        return told.contest(contest, count, hold(field, contest, count, sizes.rounds))
    if row in growth.GROWTH:
        return told.growth(row, growth.GROWTH[row](field, sizes))
    if row == "idle":
        return told.idle(sizes.idle, stays.idle(field, sizes))
    if row == "latency":
        return told.latency(stays.latency(field, sizes))
    return told.start(stays.start(field, sizes))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m loadtest", description="CPU of the gateway")
    found.add_argument("--quick", action="store_true", help="small sizes: does all of it run?")
    found.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    found.add_argument("--programs", type=Path, help="where peers from PyPI are")
    found.add_argument("--write", type=Path, help="the page, between its marks")
    for name, value in asdict(Sizes()).items():
        found.add_argument(f"--{name}", type=int, help=f"default {value}")
    return found


def sizes_of(wanted: argparse.Namespace) -> Sizes:
    """Those of `--quick` or of a whole run, but for what was said."""
    said = {name: getattr(wanted, name) for name in SIZE_NAMES}
    given = {name: value for name, value in said.items() if value is not None}
    return replace(QUICK if wanted.quick else Sizes(), **given)


if __name__ == "__main__":
    sys.exit(main())
