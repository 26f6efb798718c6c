"""Who is killed, and when: SIGKILL, at random instants under load.

`workers: 1`: the one process, which is then started again. `workers: 2`: a worker or the notary,
which the supervisor replaces; now and then the supervisor itself, whose children then have to end
by themselves, or everybody at once; or a worker just when the notary's successor is given its
channels. Some kills come before those who were killed last have been replaced, and some in the
midst of a drain.
"""

import os
import signal
import time
from collections.abc import Iterable

from tests.crash.site import Site
from tests.scenarios.gateway import wait_until


def kill(site: Site, times: int) -> None:
    """Kill `times` times, each time after some transfers, or at any instant of a start."""
    workers = site.gateway.config["workers"]
    for _ in range(times):
        if site.chance.random() < 0.8:
            wanted = site.ledger.acknowledged + site.chance.randrange(20)
            wait_until(lambda wanted=wanted: site.ledger.acknowledged >= wanted)  # type: ignore[misc]
        time.sleep(site.chance.uniform(0, 0.1))  # the instant is what these tests are about
        if workers == 1:
            _restart(site)
        else:
            _kill_one(site, workers)
    wait_until(lambda: whole(site, workers) and site.ready)


def _kill_one(site: Site, workers: int) -> None:
    kinds = ("worker", "notary", "one after the other", "supervisor", "everybody")
    kind = site.chance.choices(kinds, (10, 8, 4, 1, 1))[0]
    if kind == "supervisor":
        _restart(site)
    elif kind == "one after the other":
        wait_until(lambda: whole(site, workers))
        since = site.gateway.mark()
        _kill(pid for pid, each in site.processes().items() if each == "notary")
        site.gateway.wait_for("notary_started", since)
        _kill([pid for pid, each in site.processes().items() if each == "worker"][:1])
    elif kind == "everybody":
        _kill(site.processes())
        _restart(site)
    else:
        found = [pid for pid, each in site.processes().items() if each == kind]
        _kill(site.chance.sample(found, min(1, len(found))))
        if site.chance.random() < 0.8:
            wait_until(lambda: whole(site, workers))


def _restart(site: Site) -> None:
    """Kill the one who was started, and start it again."""
    if site.chance.random() < 0.2:
        site.gateway.process.send_signal(signal.SIGTERM)
        time.sleep(site.chance.uniform(0, 0.1))
    site.gateway.stop(signal.SIGKILL)
    site.gateway.start()


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended already, with the one before


def whole(site: Site, workers: int) -> bool:
    """Everybody is there."""
    found = sorted(site.processes().values())
    return found in (["all"], ["notary", "supervisor", *["worker"] * workers])
