"""What Lockgate costs while little happens: idle connections, delay at half load, start, idling."""

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loadtest.contest import OURS
from loadtest.field import Cost, Field
from loadtest.figures import percentile
from loadtest.gateway import Setup
from loadtest.proxies import Proxy
from loadtest.rows import PLAIN, Sizes
from loadtest.work import expecting

_SYNCS = 400
_APPENDED = 16 * 1024
"""About what the journal gets with a group of receipts."""


def idle(field: Field, sizes: Sizes) -> dict[str, float | None]:
    """Octets of memory for one more connection that has carried a request; None: missing."""
    found: dict[str, float | None] = {}
    for name in (OURS, *PLAIN):
        with field.row():
            proxy = field.ours() if name == OURS else field.peer(name)
            found[name] = _held(field, proxy, sizes.idle) if proxy else None
    return found


def _held(field: Field, proxy: Proxy, count: int) -> float:
    work = expecting(field.work(proxy, "idle", "/plain/1", count))
    sender = subprocess.Popen(
        [sys.executable, "-m", "loadtest.client", work.text()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sender.stdin is not None
    assert sender.stdout is not None
    try:
        _require_line(proxy, sender.stdout.readline())
        before = proxy.memory()
        print(file=sender.stdin, flush=True)
        _require_line(proxy, sender.stdout.readline())
        return (proxy.memory() - before) / max(1, count - 1)
    finally:
        sender.communicate()


def _require_line(proxy: Proxy, line: str) -> None:
    if not line:
        raise SystemExit(f"{proxy.name}: idle: not as it should be")


def latency(field: Field, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Seconds at p50, p99 and p99.9 at half of what ours can, of both works: through the proxy,
    past it, and of the disk alone; medians over the rounds, and the worst p99 of any."""
    told: dict[str, dict[str, float]] = {}
    disk: list[list[float]] = []
    with field.row():
        proxy = field.ours()
        for work, path in (("plain pass", "/plain/1"), ("masked", "/orders/1")):
            count = sizes.growth
            full = [field.load(proxy, field.work(proxy, "small", path, count)) for _ in range(2)]
            rate = count / full[-1].found.seconds / 2
            through: list[Cost] = []
            past: list[Sequence[float]] = []
            for _ in range(sizes.rounds):
                asked = replace(field.work(proxy, "paced", path, count), rate=rate)
                through.append(field.load(proxy, asked))
                straight = replace(field.straight("paced", "/plain/1", count), rate=rate)
                past.append(field.send("the upstream", straight).latencies)
                disk.append(_syncs(field.folder))
            busy = statistics.median(each.busy for each in through)
            name = f"{work}, {rate:,.0f} a second: a core busy for {busy:.0%} of the time"
            told[name] = _shares([each.found.latencies for each in through])
            told[f"{work}: the upstream alone"] = _shares(past)
        told["the disk's fdatasync alone"] = _shares(disk)
    return told


def _shares(rounds: Sequence[Sequence[float]]) -> dict[str, float]:
    names = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {name: [percentile(each, share) for each in rounds] for name, share in names.items()}
    medians = {name: statistics.median(values) for name, values in found.items()}
    return medians | {"worst p99": max(found["p99"])}


def _syncs(folder: Path) -> list[float]:
    path, data, found = folder / "synced", os.urandom(_APPENDED), []
    number = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(_SYNCS):
            os.write(number, data)
            before = time.perf_counter()
            os.fdatasync(number)
            found.append(time.perf_counter() - before)
    finally:
        os.close(number)
        path.unlink()
    return found


def start(field: Field, sizes: Sizes) -> dict[str, float]:
    """Seconds from start to ready; octets and the part of a core of a sidecar that idles."""
    seconds, memory, part = [], math.inf, math.inf
    for turn in range(sizes.rounds):
        with field.row():
            proxy = field.ours(Setup(sidecar=True))
            seconds.append(proxy.started)
            if turn == 0:
                time.sleep(1)  # what a start leaves behind is not idling
                before = proxy.cpu()
                time.sleep(sizes.settle)
                part, memory = (proxy.cpu() - before) / sizes.settle, proxy.memory()
    return {"seconds": statistics.median(seconds), "memory": memory, "part": part}
