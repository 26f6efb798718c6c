"""Rounds in turn: every proxy of a row gets the same load, one after the other, again and again."""

from dataclasses import dataclass

from loadtest.field import Cost, Field
from loadtest.figures import Round, Standing, round_of
from loadtest.gateway import Setup
from loadtest.proxies import Proxy

OURS = "lockgate"


@dataclass(frozen=True, slots=True)
class Contest:
    """One line of the table of works."""

    key: str
    title: str
    kind: str
    path: str
    peers: tuple[str, ...]
    octets: bool = False
    """The unit is an octet, else a request."""
    shares: tuple[tuple[str, float], ...] = ()
    """What part of the load a peer gets, for which all of it would take minutes or all memory."""

    def units(self, name: str, count: int) -> int:
        return max(1, round(count * dict(self.shares).get(name, 1.0)))


def hold(field: Field, contest: Contest, count: int, rounds: int) -> list[Standing]:
    """Ours first, then the peers; after one round to warm up, which counts for nothing."""
    with field.row():
        found: list[tuple[str, Proxy | None]] = [(OURS, field.ours())]
        found += [(name, field.peer(name)) for name in contest.peers]
        proxies = {name: proxy for name, proxy in found if proxy is not None}
        told: dict[str, list[Round]] = {name: [] for name in proxies}
        for proxy in proxies.values():
            _one(field, contest, proxy, max(1, count // 8))
            proxy.forget_peak()
        for turn in range(rounds):
            names = list(proxies)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                told[name].append(_one(field, contest, proxies[name], count))
        peaks = {name: proxy.peak() for name, proxy in proxies.items()}
    return [
        Standing(name, tuple(told.get(name, ())), peaks.get(name, 0), _note(contest, name, count))
        for name, _ in found
    ]


def _one(field: Field, contest: Contest, proxy: Proxy, count: int) -> Round:
    units = contest.units(proxy.name, count)
    return told_of(field.load(proxy, field.work(proxy, contest.kind, contest.path, units)), units)


def told_of(cost: Cost, units: float) -> Round:
    return round_of(cost.cpu, cost.found.seconds, cost.found.latencies, units)


def _note(contest: Contest, name: str, count: int) -> str:
    units = contest.units(name, count)
    if units == count:
        return ""
    return f"with {units >> 20} MiB" if contest.octets else f"with {units:,} requests"


def alone(
    field: Field, setup: Setup, work: tuple[str, str, int], rounds: int, cores: int = 1, **more: int
) -> Standing:
    """Ours by itself, in another setup. `work`: kind, path, count; `more`: of `Work`."""
    kind, path, count = work
    units = count * more.get("times", 1)
    with field.row():
        proxy = field.ours(setup, cores)
        field.load(proxy, field.work(proxy, kind, path, count, **more))
        proxy.forget_peak()
        told = [
            told_of(field.load(proxy, field.work(proxy, kind, path, count, **more)), units)
            for _ in range(rounds)
        ]
        return Standing(OURS, tuple(told), proxy.peak())
