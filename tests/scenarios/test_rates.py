"""Rates and volumes in the running program: exact over all workers, whatever dies or restarts."""

import copy
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.family import wait_until_whole
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.leaving import reload
from tests.scenarios.policy import CLIENT, STRANGER, opaque, policy, route
from tests.scenarios.proof import receipt_of, store_of
from tests.scenarios.receiver import Receiver

workers = BOTH_FORMS
OCTETS = "application/octet-stream"
KIB = 1024
FREE: Config = {"request": opaque("internal"), "response": opaque("internal")}


def bounded(name: str, *, allow: list[Config] | None = None, **limits: Any) -> Config:
    return route(name, allow=allow or [CLIENT, STRANGER], limits=limits, **FREE)


def routes() -> list[Config]:
    return [
        bounded("often", rate="20/day"),
        bounded("much", volume="100KiB/day", hold="4KiB"),
        bounded("answers", volume="100KiB/day"),
        bounded(
            "granted",
            allow=[
                CLIENT | {"rate": "2/day"},
                CLIENT | {"rate": "1/day", "size": "1MiB"},
                STRANGER,
            ],
        ),
        bounded(
            "first",
            allow=[
                CLIENT | {"volume": "50KiB/day"},
                CLIENT | {"volume": "80KiB/day", "size": "1MiB"},
            ],
        ),
        bounded("killed", rate="6/day"),
        bounded("reloaded", rate="6/day"),
        bounded("restarted", rate="6/day", volume="64KiB/day"),
        bounded("crashed", rate="6/day"),
    ]


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(policy(parties, shared_receiver.endpoint, routes=routes()))


def ask(gateway: Gateway, path: str, body: bytes | None = b"", name: str = "client") -> int:
    """The status that a connection of its own is answered with."""
    with gateway.connect(name) as client:
        return client.ask(request(path, body, kind=OCTETS)).status


def test_of_many_at_once_exactly_as_many_cross_as_may(gateway: Gateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: ask(gateway, "/often/1"), range(48))]
    assert (found.count(200), found.count(429)) == (20, 28)
    assert gateway.metric("lockgate_limited_total", route="often", by="limits", limit="rate") == 28
    assert ask(gateway, "/often/1", name="stranger") == 200, "each peer has its own"


def test_who_is_refused_hears_when_to_come_again_and_has_a_receipt(
    gateway: Gateway, receiver: Receiver
) -> None:
    while ask(gateway, "/often/1") != 429:
        pass
    before, since = len(receiver.received), gateway.mark()
    with gateway.connect() as client:
        answer = client.ask(request("/often/1", b"", kind=OCTETS))
    assert 0 < int(answer.value("retry-after")) <= 86400 / 20
    assert b"urn:lockgate:problem:rate-limited" in answer.body
    predicate = receipt_of(gateway, answer)
    assert (predicate["kind"], predicate["disposition"]["problem"]) == ("rejected", "rate-limited")
    line = gateway.wait_for("transfer", since, problem="rate-limited")
    assert line["reason"] == "rate 20/day of limits of route often is spent"
    assert len(receiver.received) == before


def test_a_stream_that_uses_the_volume_up_is_broken_off(
    gateway: Gateway, receiver: Receiver
) -> None:
    delivered, before = len(receiver.received), receiver.octets
    with gateway.connect() as client:
        client.send(begun("/much/1", kind=OCTETS) + chunk(b"x" * 64 * KIB))
        wait_until(lambda: receiver.octets - before >= 64 * KIB)
        client.send(chunk(b"x" * 64 * KIB))
        answer = client.answer()
    assert answer.status == 429
    receiver.wait(lambda: len(receiver.broken) == 1)
    receiver.broken.clear()
    assert len(receiver.received) == delivered
    assert ask(gateway, "/much/1", b"x" * 37 * KIB) == 429, (
        "what came is spent, though it is no use"
    )
    assert ask(gateway, "/much/1", b"x" * 101 * KIB) == 413, "more than there will ever be"


def test_answers_are_paid_for_when_they_have_come(gateway: Gateway, receiver: Receiver) -> None:
    large, before = b"x" * 150 * KIB, len(receiver.received)
    receiver.behave = lambda exchange: exchange.answer(200, large, kind=OCTETS)
    with gateway.connect() as client:
        answer = client.ask(request("/answers/1", None, method="GET", kind=""))
        assert (answer.status, len(answer.body)) == (200, 150 * KIB), "it crosses whole"
        answer = client.ask(request("/answers/1", None, method="GET", kind=""))
    assert answer.status == 429, "and leaves a debt"
    assert len(receiver.received) == before + 1


def test_an_entry_that_is_spent_falls_and_the_next_one_pays(gateway: Gateway) -> None:
    lines = []
    for expected in (200, 200, 200, 429):
        since = gateway.mark()
        assert ask(gateway, "/granted/1") == expected
        lines.append(gateway.wait_for("transfer", since, route="granted"))
    assert lines[-1]["reason"] == "rate 1/day of allow[1] of route granted is spent"
    assert [line["rule"] for line in lines[:3]] == ["allow[0]", "allow[0]", "allow[1]"]
    assert ask(gateway, "/granted/1", name="stranger") == 200


def test_who_pays_from_then_on_pays_for_all_that_has_come(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert (
            client.ask(request("/first/1", [b"x" * 40 * KIB, b"x" * 40 * KIB], kind=OCTETS)).status
            == 200
        )
    assert ask(gateway, "/first/1", b"x" * 51 * KIB) == 429, "the second has given 80 KiB"


def test_a_worker_that_dies_takes_nothing_with_it(gateway: Gateway) -> None:
    if not gateway.processes("worker"):
        return  # its death is that of the program, below
    assert [ask(gateway, "/killed/1") for _ in range(6)] == [200] * 6
    since = gateway.mark()
    for pid in gateway.processes("worker"):
        os.kill(pid, signal.SIGKILL)
    gateway.wait_for_count("worker_started", 2, since)
    wait_until_whole(gateway)
    assert ask(gateway, "/killed/1") == 429


def test_a_reload_gives_nothing_back(gateway: Gateway) -> None:
    assert [ask(gateway, "/reloaded/1") for _ in range(7)] == [200] * 6 + [429]
    config = copy.deepcopy(gateway.config)
    (changed,) = [each for each in config["routes"] if each["name"] == "reloaded"]
    changed["limits"]["rate"] = "8/day"
    reload(gateway, config)
    assert [ask(gateway, "/reloaded/1") for _ in range(3)] == [200, 200, 429]


def test_a_restart_gives_nothing_back(gateway: Gateway) -> None:
    assert [ask(gateway, "/restarted/1", b"x" * 10 * KIB) for _ in range(6)] == [200] * 6
    assert gateway.stop() == 0
    gateway.start()
    assert ask(gateway, "/restarted/1") == 429
    assert ask(gateway, "/restarted/1", name="stranger") == 200
    assert b"lockgate.example" not in (store_of(gateway) / "rates").read_bytes()


def test_a_crash_of_all_gives_nothing_back_that_was_written(gateway: Gateway) -> None:
    path = store_of(gateway) / "rates"
    assert [ask(gateway, "/crashed/1") for _ in range(6)] == [200] * 6
    wait_until(path.exists)  # once a second
    for _ in range(2):  # what was taken before is written before
        before = path.read_bytes()
        assert ask(gateway, "/crashed/1", name="stranger") == 200
        wait_until(lambda: path.read_bytes() != before)  # noqa: B023
    gateway.crash()
    gateway.start()
    assert ask(gateway, "/crashed/1") == 429
