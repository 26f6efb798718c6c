"""A notary that stands still holds up nobody, and what was said to it meanwhile is not lost."""

import os
import signal
from collections import Counter

import pytest

from tests.crash import log
from tests.crash.conftest import StartSite
from tests.crash.judge import Judgement, require_audited
from tests.crash.site import Site
from tests.crash.test_disk_trouble import require_crossing
from tests.scenarios.client import request
from tests.scenarios.gateway import wait_until
from tests.scenarios.receiver import Held

MANY = 6


def kill_workers(site: Site, count: int) -> None:
    """And wait for their successors, which no notary answers."""
    since = site.gateway.mark()
    for pid in [pid for pid, kind in site.processes().items() if kind == "worker"][:count]:
        os.kill(pid, signal.SIGKILL)
    site.gateway.wait_for_count("worker_started", count, since)


@pytest.mark.crash_long
@pytest.mark.parametrize("dead", [1, 2])
def test_successors_get_their_channels_when_the_notary_goes_on(
    start_site: StartSite, dead: int
) -> None:
    site = start_site(workers=2, seed=50 + dead, patience="300ms")
    site.load()
    require_crossing(site)
    notary = site.process("notary")
    os.kill(notary, signal.SIGSTOP)
    try:
        kill_workers(site, dead)
    finally:
        os.kill(notary, signal.SIGCONT)
    wait_until(lambda: site.ready)
    require_crossing(site)
    assert site.process("notary") == notary
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    require_audited(site)


def test_what_workers_said_last_to_a_notary_that_stood_still_is_in_the_log(
    start_site: StartSite,
) -> None:
    site = start_site(workers=2, seed=53, patience="300ms")
    held = site.receiver.behave = Held()
    clients = [site.gateway.connect() for _ in range(MANY)]
    for client in clients:
        client.send(request("/free/1", b"{}"))
    site.gateway.wait_for_metric(MANY, "lockgate_transfers_in_flight")
    site.receiver.wait(lambda: len(site.receiver.received) == MANY)
    notary = site.process("notary")
    os.kill(notary, signal.SIGSTOP)
    try:
        held.go.set()
        answers = [client.answer().status for client in clients]
        assert answers == [503] * MANY, "delivered, and no receipt in time"
        kill_workers(site, 2)
    finally:
        os.kill(notary, signal.SIGCONT)
    for client in clients:
        client.sock.close()
    wait_until(lambda: site.ready)
    site.finish()
    kinds = Counter(
        each["predicate"]["kind"] for each in map(log.statement, log.entries(site.store))
    )
    assert (kinds["delivered"], kinds["indeterminate"], kinds["recovery"]) == (MANY, 0, 0)
    require_audited(site)
