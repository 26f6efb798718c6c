"""The sender of a load test, in a process of its own: checks every answer, raises at a wrong one.

    python -m loadtest.client WORK        WORK is a JSON object: see `loadtest.work`

`small`   requests with an order each, the next when the last is answered
`paced`   the same at a rate; a late start counts as waiting
`fresh`   the same, each on a connection of its own
`idle`    connections, each with one order behind it; they stay until standard input ends
`up`, `down`, `records`   one transfer

A line on standard output tells that the connections stand; one on standard input that it may begin;
then comes `Found`. One thread and epoll: what a request costs here must stay below what it costs
the proxy.
"""

import collections
import resource
import select
import sys
import time
from collections.abc import Callable
from typing import Final

from loadtest.bulk import transfer
from loadtest.judge import Judge
from loadtest.line import Line, context_of
from loadtest.work import Found, Work, read_work

_PATIENCE: Final = 60.0
_GROUP: Final = 16
"""Connections that are made at once, before what counts begins."""


class Crowd:
    """Connections that are waited for together."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.judge = Judge(work)
        self.context = context_of(work)
        self.latencies: list[float] = []
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}

    def open(self, begun: float | None = None) -> Line:
        """One more connection, its handshake under way."""
        line = Line(self.work, self.context, begun)
        self._lines[line.number] = line
        self._poll.register(line.number, select.EPOLLIN)
        return line

    @property
    def lines(self) -> list[Line]:
        return [*self._lines.values()]

    def close(self, line: Line) -> None:
        self._poll.unregister(line.number)
        del self._lines[line.number]
        line.close()

    def wait(self, until: float | None = None) -> list[Line]:
        """Those whose answer came, judged; none where that takes longer than `until`.

        Without that, raises TimeoutError when nothing at all happens for a minute.
        """
        patience = _PATIENCE if until is None else max(0.0, until - time.perf_counter())
        answered = []
        events = self._poll.poll(patience)
        if not events and until is None:
            raise TimeoutError("no answer for a minute")
        for number, _ in events:
            line = self._lines[number]
            answer = line.advance()
            if answer is not None:
                self.latencies.append(time.perf_counter() - line.begun)
                self.judge.require_answer(*answer)
                answered.append(line)
        return answered

    def ready(self, count: int) -> list[Line]:
        """So many connections, each past its first answer; what that took is forgotten."""
        lines: list[Line] = []
        while len(lines) < count:
            group = [self.open() for _ in range(min(_GROUP, count - len(lines)))]
            for line in group:
                line.ask()
            left = len(group)
            while left:
                left -= len(self.wait())
            lines += group
        self.latencies.clear()
        return lines


def small(crowd: Crowd, stand: Callable[[], None]) -> None:
    """The next request goes when an answer came."""
    left = crowd.work.count
    lines = crowd.ready(min(left, crowd.work.connections))
    stand()
    for line in lines:
        line.ask()
        left -= 1
    while len(crowd.latencies) < crowd.work.count:
        for line in crowd.wait():
            if left > 0:
                line.ask()
                left -= 1


def paced(crowd: Crowd, stand: Callable[[], None]) -> None:
    """A request each 1/rate seconds; where all connections are busy, it waits, and that counts."""
    free = collections.deque(crowd.ready(crowd.work.connections))
    stand()
    start, sent = time.perf_counter(), 0
    while len(crowd.latencies) < crowd.work.count:
        while free and sent < crowd.work.count:
            due = start + sent / crowd.work.rate
            if due > time.perf_counter():
                break
            free.popleft().ask(due)
            sent += 1
        more = free and sent < crowd.work.count
        free.extend(crowd.wait(start + sent / crowd.work.rate if more else None))


def fresh(crowd: Crowd, stand: Callable[[], None]) -> None:
    """A connection a request; the time counts from its first octet."""
    stand()
    left = crowd.work.count
    for _ in range(min(left, crowd.work.connections)):
        crowd.open().ask()
        left -= 1
    while len(crowd.latencies) < crowd.work.count:
        for line in crowd.wait():
            crowd.close(line)
            if left > 0:
                crowd.open().ask()
                left -= 1


LOADS = {"small": small, "paced": paced, "fresh": fresh}


def run(work: Work) -> Found:
    """Do the work. Raises at the first wrong answer."""
    begun = [0.0, 0.0]

    def stand() -> None:
        """Tell that what counts may begin, and wait for the word."""
        print("standing", flush=True)
        sys.stdin.readline()
        begun[:] = time.perf_counter(), time.process_time()

    if work.kind in ("up", "down", "records"):
        latencies = transfer(work, stand)
    else:
        crowd = Crowd(work)
        LOADS[work.kind](crowd, stand)
        latencies = crowd.latencies
    seconds, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    return Found(seconds, tuple(latencies), cpu)


def stay(work: Work) -> None:
    """Tells when all connections stand, and keeps them until standard input ends."""
    crowd = Crowd(work)
    crowd.ready(1)
    print("one", flush=True)
    sys.stdin.readline()
    lines = crowd.ready(work.count - 1)
    print(1 + len(lines), flush=True)
    sys.stdin.read()


def main() -> None:
    """Do what the argument says."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    work = read_work(sys.argv[1])
    if work.kind == "idle":
        stay(work)
    else:
        print(run(work).text(), flush=True)


if __name__ == "__main__":
    main()
