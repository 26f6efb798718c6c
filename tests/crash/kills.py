"""Who is killed, and when: SIGKILL, at random instants under load.

`workers: 1`: the one process, which is then started again. `workers: 2`: a worker or the notary,
which the supervisor replaces, and now and then the supervisor itself, whose children then have to
end by themselves. Some kills come before those who were killed last have been replaced.
"""

import os
import signal
import time

from tests.crash.site import Site
from tests.scenarios.gateway import wait_until


def kill(site: Site, times: int) -> None:
    """Kill `times` times, each time after some transfers, or at any instant of a start."""
    workers = site.gateway.config["workers"]
    for _ in range(times):
        if site.chance.random() < 0.8:
            wanted = site.ledger.acknowledged + site.chance.randrange(20)
            wait_until(lambda wanted=wanted: site.ledger.acknowledged >= wanted, 30)  # type: ignore[misc]
        time.sleep(site.chance.uniform(0, 0.1))  # the instant is what these tests are about
        if workers == 1:
            _kill_all(site)
        else:
            _kill_one(site, workers)
    wait_until(lambda: whole(site, workers) and site.ready, 60)


def _kill_all(site: Site) -> None:
    site.gateway.stop(signal.SIGKILL)
    site.gateway.start()


def _kill_one(site: Site, workers: int) -> None:
    kind = site.chance.choices(("worker", "notary", "supervisor"), (10, 8, 2))[0]
    if kind == "supervisor":
        _kill_all(site)
        return
    victims = [pid for pid, each in site.processes().items() if each == kind]
    if victims:
        os.kill(site.chance.choice(victims), signal.SIGKILL)
    if site.chance.random() < 0.8:
        wait_until(lambda: whole(site, workers), 30)


def whole(site: Site, workers: int) -> bool:
    """Everybody is there."""
    found = sorted(site.processes().values())
    return found in (["all"], ["notary", "supervisor", *["worker"] * workers])
