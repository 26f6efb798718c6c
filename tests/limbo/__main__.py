"""Runs a corpus of path-validation vectors through the judge that handshakes run.

    make limbo CORPUS=limbo.json

The corpus has the form of C2SP/x509-limbo: `limbo.json`, made by `limbo compile`. Nothing of it is
in this repository. Prints every difference between what a case expects and what Lockgate says, by
class, and exits 1 when one of them is not explained in `tests/limbo/known.py`.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.limbo.known import explanation
from tests.limbo.vectors import Outcome, run


def main(argv: Sequence[str] | None = None) -> int:
    """The differences, and a line that counts them."""
    words = argparse.ArgumentParser(prog="python -m tests.limbo")
    words.add_argument("corpus", type=Path)
    words.add_argument("--only", default="", help="cases whose id begins with this")
    words.add_argument("--all", action="store_true", help="print the explained ones, each")
    arguments = words.parse_args(argv)
    cases = json.loads(arguments.corpus.read_text())["testcases"]
    outcomes = [run(case) for case in cases if case["id"].startswith(arguments.only)]
    counts: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for outcome in outcomes:
        counts[_class(outcome)] += 1
        if outcome.agrees:
            continue
        why = explanation(outcome)
        if why is None or arguments.all:
            print(f"{_class(outcome)}: {outcome.id}: {outcome.said}: {why or 'NOT EXPLAINED'}")
        explained[f"{_class(outcome)}, {why or 'NOT EXPLAINED'}"] += 1
    for what, count in sorted(explained.items()):
        print(f"{count:>6}  {what}")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 1 if any(what.endswith("NOT EXPLAINED") for what in explained) else 0


def _class(outcome: Outcome) -> str:
    if outcome.agrees:
        return "as expected"
    return "accepted, to be refused" if outcome.accepted else "refused, valid"


if __name__ == "__main__":
    sys.exit(main())
