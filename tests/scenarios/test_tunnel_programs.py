"""Real sessions of Redis and PostgreSQL through the two examples: sidecar and gateway.

program ── loopback or unix socket ── sidecar ── mutual TLS ── gateway ── server
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.hops import example
from tests.scenarios.proof import Predicate, audit, receipts
from tests.scenarios.servers import find, postgres, redis, run


@dataclass
class Line:
    """Two Lockgates between programs and their servers."""

    sidecar: Gateway
    gateway: Gateway

    @property
    def cache(self) -> tuple[str, str, str, str]:
        """Where Redis seems to be."""
        host, port = self.sidecar.address("cache")
        return "-h", host, "-p", str(port)

    @property
    def database(self) -> str:
        """Where PostgreSQL seems to be: a folder with its socket."""
        return str(Path(self.sidecar.ready["listeners"]["database"].removeprefix("unix:")).parent)

    def settled(self, route: str, marks: tuple[int, int]) -> int:
        """How many tunnels have ended on both, all of them delivered."""
        counts = []
        for each, since in zip((self.sidecar, self.gateway), marks, strict=True):
            each.wait_for_metric(0, "lockgate_tunnels")
            each.wait_for_metric(0, "lockgate_transfers_in_flight")
            ended = round(each.metric("lockgate_transfers_total", route=route))
            each.wait_for_count("transfer", ended, route=route)  # each is read a moment later
            lines = each.logged("transfer", since, route=route)
            assert {line["verdict"] for line in lines} == {"delivered"}
            counts.append(len(lines))
        assert counts[0] == counts[1] > 0
        return counts[0]

    def marks(self) -> tuple[int, int]:
        return self.sidecar.mark(), self.gateway.mark()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="module")
def database() -> Iterator[Path]:
    with postgres() as path:
        yield path


@pytest.fixture(scope="module")
def line(parties: Path, start_gateway: StartGateway, cache: int, database: Path) -> Line:
    config = example("tunnel-gateway", parties)
    config["upstreams"]["cache"]["endpoints"] = [f"tcp://127.0.0.1:{cache}"]
    config["upstreams"]["database"]["endpoints"] = [f"unix:{database}"]
    gateway = start_gateway(config)
    places = {name: f"tls://127.0.0.1:{gateway.address(name)[1]}" for name in ("database", "cache")}
    config = example("tunnel-sidecar", parties, **places)
    config["listeners"]["loopback"] = config["listeners"]["database"] | {"bind": "127.0.0.1:0"}
    loopback = {"name": "loopback", "listener": "loopback", "allow": [{"networks": "127.0.0.1/32"}]}
    (database_route,) = (each for each in config["routes"] if each["name"] == "database")
    config["routes"].append(database_route | loopback)
    return Line(start_gateway(config), gateway)


# --- Redis ---------------------------------------------------------------------------------------


def test_redis_benchmark_runs_through_sidecar_and_gateway_without_an_error(line: Line) -> None:
    marks = line.marks()
    said = run(
        find("redis-benchmark"), *line.cache,
        "-n", "2000", "-c", "20", "-P", "4", "-t", "set,get,lrange_100", "--csv",
    )  # fmt: skip
    assert {"SET", "GET"} <= set(re.findall(r'^"([A-Z]+)', said, re.M))
    assert "rror" not in said
    assert line.settled("cache", marks) >= 60


def test_what_redis_cli_stores_it_gets_and_both_receipts_agree(line: Line) -> None:
    marks = line.marks()
    value = os.urandom(50_000).hex()
    command = [find("redis-cli"), *line.cache, "-x", "set", "blob"]
    done = subprocess.run(
        command, input=value, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "OK\n"
    assert run(find("redis-cli"), *line.cache, "get", "blob") == value + "\n"
    assert line.settled("cache", marks) == 2
    near, far = told(line.sidecar, "cache")[-2:], told(line.gateway, "cache")[-2:]
    assert [ways(each) for each in near] == [ways(each) for each in far]
    assert [bigger(each) for each in near] == ["content", "answer"]


def told(gateway: Gateway, route: str) -> list[Predicate]:
    return [each for each in receipts(gateway) if each["request"]["route"] == route]


def ways(said: Predicate) -> tuple[object, object]:
    """What went each way; the two gateways saw the same."""
    for way in ("content", "answer"):
        assert said[way]["received"] == said[way]["delivered"]
    return said["content"]["delivered"], said["answer"]["delivered"]


def bigger(said: Predicate) -> str:
    return max(("content", "answer"), key=lambda way: int(said[way]["delivered"]["bytes"]))


# --- PostgreSQL ----------------------------------------------------------------------------------


def test_pgbench_runs_through_sidecar_and_gateway_without_an_error(line: Line) -> None:
    marks = line.marks()
    place = ("-h", line.database, "-U", "app")
    run(find("pgbench"), *place, "-q", "-i", "-s", "1", "postgres", timeout=120)
    said = run(find("pgbench"), *place, "-c", "4", "-t", "25", "postgres", timeout=120)
    assert "number of transactions actually processed: 100/100" in said
    assert "number of failed transactions: 0 (0.000%)" in said
    assert line.settled("database", marks) >= 6


def test_a_query_of_psql_arrives_and_what_it_asks_for_comes_back(line: Line) -> None:
    marks = line.marks()
    query = (
        "select sum(n), length(string_agg(repeat('x', 1000), '')) from generate_series(1, 2000) n"
    )
    said = run(find("psql"), "-h", line.database, "-U", "app", "-d", "postgres", "-Atc", query)
    assert said == "2001000|2000000\n"
    assert line.settled("database", marks) == 1


def test_psql_that_asks_for_tls_over_loopback_is_answered_by_the_server_and_goes_on_in_plain(
    line: Line,
) -> None:
    """SSLRequest goes through like everything else, and this server says no."""
    host, port = line.sidecar.address("loopback")
    where = f"host={host} port={port} user=app dbname=postgres"
    for mode in ("prefer", "disable"):
        assert run(find("psql"), f"{where} sslmode={mode}", "-Atc", "select 1") == "1\n"
    command = [find("psql"), f"{where} sslmode=require", "-Atc", "select 1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "server does not support SSL" in done.stderr


# --- the evidence --------------------------------------------------------------------------------


def test_both_logs_hold_and_the_senders_of_the_gateway_are_the_sidecar(line: Line) -> None:
    marks = line.marks()
    assert run(find("redis-cli"), *line.cache, "ping") == "PONG\n"
    assert line.settled("cache", marks) == 1
    for each in (line.sidecar, line.gateway):
        assert audit(each)
    senders = {each["sender"]["name"] for each in receipts(line.gateway)}
    assert senders == {"spiffe://lockgate.example/gateway"}
    assert {each["request"]["method"] for each in receipts(line.gateway)} == {"tunnel"}
