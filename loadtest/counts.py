"""`python -m loadtest.counts`: what one request does in the gateway, counted, beside its budget.

    make bench-counts      counts anew and writes loadtest/budget.json

Requests go one after the other to a gateway with one worker, which is as it always is but for a
counter (see `loadtest.counted`). Counts do not depend on the machine's mood: timers and the odd
wake-up add to some batches, so the least of several is taken. They do depend on the version of
Python, and the budget says for which one it is.
"""

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from loadtest.client import Crowd
from loadtest.field import Field, standing
from loadtest.gateway import Setup
from loadtest.proxies import PATIENCE, Proxy
from loadtest.work import expecting

BUDGET: Final = Path(__file__).parent / "budget.json"
SLACK: Final = 0.03
"""The part by which a count may be above its budget: a wake-up more in each of some requests."""
_ONCE: Final = 0.5
"""The same of calls of the system, and of cycles: one more in each request is over it."""
_ODD: Final = 2.0
"""Of those that depend on how octets come in pieces, and of all together."""
ROOM: Final = 0.2
"""A budget that is further above what is needed guards nothing."""
_BATCH: Final = 25
_BATCHES: Final = 7
_QUIET: Final = 0.03
"""Seconds after which a gateway has nothing left to do of a request that it has answered."""

Counts = dict[str, float]
"""python, c, system and each call of the system by name, of one request."""


def count_all() -> dict[str, Counts]:
    """Of each kind of request: a kept connection, plain and masked, and a new connection."""
    with standing() as field, field.row():
        file = field.folder / "counts"
        proxy = field.ours(Setup(counts=str(file)))
        return {
            "plain": _least(field, proxy, file, "/plain/1", _kept),
            "masked": _least(field, proxy, file, "/orders/1", _kept),
            "fresh": _least(field, proxy, file, "/plain/1", _fresh),
        }


def _least(
    field: Field, proxy: Proxy, file: Path, path: str, send: Callable[[Crowd], None]
) -> Counts:
    crowd = Crowd(expecting(field.work(proxy, "small", path, 1)))
    line = crowd.ready(1)[0]
    found = [_counted(proxy, file, crowd, send) for _ in range(1 + _BATCHES)][1:]
    crowd.close(line)
    return least(found)


def least(found: list[dict[str, int]]) -> Counts:
    """Of one request, the least of the batches; what no batch lacks."""
    for each in found:
        each["system"] = sum(n for name, n in each.items() if name.startswith("system "))
    names = sorted(set.intersection(*map(set, found)))
    return {name: round(min(each[name] for each in found) / _BATCH, 2) for name in names}


def _counted(
    proxy: Proxy, file: Path, crowd: Crowd, send: Callable[[Crowd], None]
) -> dict[str, int]:
    time.sleep(_QUIET)
    _toggled(proxy, file)
    for _ in range(_BATCH):
        send(crowd)
    time.sleep(_QUIET)
    return _toggled(proxy, file)


def _toggled(proxy: Proxy, file: Path) -> dict[str, int]:
    os.kill(proxy.process.pid, signal.SIGUSR1)
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the gateway does not count")
        time.sleep(0.001)
    told: dict[str, int] = json.loads(file.read_text())
    file.unlink()
    return told


def _kept(crowd: Crowd) -> None:
    crowd.lines[0].ask()
    while not crowd.wait():
        pass


def _fresh(crowd: Crowd) -> None:
    line = crowd.open()
    line.ask()
    while not crowd.wait():
        pass
    crowd.close(line)


def over(counts: dict[str, Counts], budget: dict[str, Counts]) -> list[str]:
    """What is above its budget, or so far below that the budget guards nothing; a line each."""
    found = []
    for kind, due in budget.items():
        for name in sorted(due | counts[kind]):
            value, most = counts[kind].get(name, 0.0), due.get(name, 0.0)
            if value > most + slack(name, most):
                found.append(f"{kind}: {name}: {value:g} of a request, and its budget is {most:g}")
            elif name in ("python", "c") and value < math.floor(most * (1 - ROOM)):
                found.append(f"{kind}: {name}: {value:g}, far below {most:g}: make bench-counts")
    return found


def slack(name: str, most: float) -> float:
    """How much above its budget a count may be."""
    if name in ("system", "system recv", "system poll", "system modify"):
        return _ODD
    return _ONCE if name == "cyclic" or name.startswith("system ") else most * SLACK


def version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def main() -> int:
    """Print what was counted; 1 when that is not as the budget has it."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.counts", description="by counts")
    parser.add_argument("--write", action="store_true", help="make it the budget")
    write = parser.parse_args().write
    counts = count_all()
    if write:
        BUDGET.write_text(json.dumps({"python": version(), "a request": counts}, indent=1) + "\n")
    for kind, each in counts.items():
        print(f"{kind:8}" + ", ".join(f"{name} {value:g}" for name, value in each.items()))
    wrong = over(counts, json.loads(BUDGET.read_text())["a request"])
    print("\n".join(wrong) or "as the budget has it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
