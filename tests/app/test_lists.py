"""Operators are told of the revocation list in force; and how large lists may be, all together."""

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from math import inf
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.app import control
from proxy.app.lists import ListWatch, in_force, warnings
from proxy.app.prepare import prepare
from proxy.app.start import status
from proxy.edge.gate import Gate
from proxy.errors import ConfigError
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.secrets import MAX_LISTS, MAX_TOGETHER
from proxy.settings.yaml12 import MAX_OCTETS
from proxy.tls.pki import Authority
from tests.pki import write as make_everybody
from tests.scenarios.parties import authority_of
from tests.settings.example import BASE, loaded, put
from tests.tls.crls import HOUR, NOW, crl, scope

LISTS = put("identity.crl", "file:ca.crl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_everybody(tmp_path / "pki")
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "p.key": "pseudonym.key"}
    for name, other in names.items():
        shutil.copy(made / other, tmp_path / name)
    shutil.copy(made / "ca.pem", tmp_path)
    return tmp_path


@pytest.fixture
def authority(folder: Path) -> Authority:
    return authority_of(folder / "pki")


class Watched:
    """A gate, whose lists are looked at when a test says so."""

    def __init__(self, gate: Gate) -> None:
        self.metrics = Metrics()
        self._text = StringIO()
        self._log = Log("json", self._text)
        self._watch = ListWatch(lambda: gate, self.metrics, self._log)

    def look(self, now: datetime) -> list[tuple[str, str | None]]:
        """(event, state) of each line that is new."""
        before = len(self._text.getvalue())
        self._watch.look(now)
        lines = map(json.loads, self._text.getvalue()[before:].splitlines())
        return [(line["event"], line.get("state")) for line in lines]

    def expiry(self) -> datetime:
        """What the metric says."""
        (line,) = [
            line
            for line in self.metrics.exposition().decode().splitlines()
            if line.startswith("lockgate_crl_next_update_timestamp_seconds{")
        ]
        return datetime.fromtimestamp(float(line.split()[-1]), UTC)


def gate_with(folder: Path, *lists: bytes) -> Gate:
    (folder / "ca.crl").write_bytes(b"".join(lists))
    return prepare(loaded(folder, LISTS), Metrics())


def test_a_list_that_is_published_ahead_hides_none_that_is_in_force(
    folder: Path, authority: Authority
) -> None:
    current, ahead = crl(authority), crl(authority, issued=NOW + HOUR / 2, until=NOW + 2 * HOUR)
    for lists in ((current, ahead), (ahead, current)):
        gate = gate_with(folder, *lists)
        (told,) = status(gate, NOW)["crls"]
        assert (told["state"], told["next_update"]) == ("fresh", NOW + HOUR)
        assert warnings(gate.lists) == []


def test_one_takes_the_place_of_the_other_by_the_clock_and_nothing_is_said(
    folder: Path, authority: Authority
) -> None:
    ahead = crl(authority, issued=NOW + HOUR / 2, until=NOW + 2 * HOUR)
    watched = Watched(gate_with(folder, crl(authority), ahead))
    assert watched.look(NOW) == []
    assert watched.expiry() == NOW + HOUR
    assert watched.look(NOW + HOUR / 2) == []
    assert watched.expiry() == NOW + 2 * HOUR
    assert watched.look(NOW + 3 * HOUR) == [("crl_not_fresh", "expired")]


def test_one_that_has_expired_is_told_of_though_the_next_is_there(
    folder: Path, authority: Authority
) -> None:
    stale = crl(authority, issued=NOW - 3 * HOUR, until=NOW - HOUR)
    ahead = crl(authority, issued=NOW + HOUR, until=NOW + 2 * HOUR)
    watched = Watched(gate_with(folder, ahead, stale))
    assert watched.look(NOW) == [("crl_not_fresh", "expired")]
    assert watched.look(NOW + HOUR) == [("crl_fresh", None)]


def test_where_none_is_in_force_yet_the_next_is_told_of(folder: Path, authority: Authority) -> None:
    later, next_one = (
        crl(authority, issued=NOW + hours * HOUR, until=NOW + 9 * HOUR) for hours in (2, 1)
    )
    gate = gate_with(folder, later, next_one)
    (one,) = in_force(gate.lists, NOW)
    assert (one.state(NOW), one.this_update) == ("future", NOW + HOUR)


def test_lists_of_another_scope_stand_beside_it(folder: Path, authority: Authority) -> None:
    lists = crl(authority), crl(authority, critical=[scope(others=True)])
    assert len(in_force(gate_with(folder, *lists).lists, NOW)) == 2


def test_files_that_are_too_large_together_are_refused_by_name(
    folder: Path, authority: Authority
) -> None:
    """A worker gets them in one message: what is too long for that must be found out before."""
    count = MAX_TOGETHER // MAX_LISTS  # and a few octets of certificates
    list_ = crl(authority)
    with (folder / "0.crl").open("wb") as file:
        file.seek(MAX_LISTS - len(list_))
        file.write(list_)
    changes = [put("listeners.in.tls.trust", "file:ca.pem"), put("identity.crl", "file:0.crl")]
    changes += [
        put("listeners.in.tls.crl", "file:1.crl"),
        put("upstreams.out.tls.crl", "file:2.crl"),
    ]
    for number in range(1, count):
        os.link(folder / "0.crl", folder / f"{number}.crl")
    for number in range(3, count):
        route = {**BASE["routes"][0], "name": f"r{number}", "match": {"path": f"/{number}"}}
        crls = {"trust": "file:ca.pem", "crl": f"file:{number}.crl"}
        changes.append(put(f"routes.{number - 2}", route | crls))
    with pytest.raises(ConfigError) as refused:
        prepare(loaded(folder, *changes), Metrics())
    (problem,) = refused.value.problems
    assert problem.path == f"routes[{count - 3}].crl"
    assert problem.message == (
        f"with file:{count - 1}.crl, all that is referred to is larger than {MAX_TOGETHER} octets"
    )


def test_what_may_be_referred_to_fits_into_a_message_to_a_worker() -> None:
    names = 2**20
    assert (MAX_TOGETHER + MAX_OCTETS) * 4 // 3 + names < control._MOST


def test_where_there_are_no_lists_nobody_looks_until_another_configuration_has_some(
    folder: Path, authority: Authority
) -> None:
    log, metrics, adopted = Log("json", StringIO()), Metrics(), gate_with(folder, crl(authority))
    gates = [replace(adopted, lists=())]

    async def main() -> None:
        watch = ListWatch(lambda: gates[-1], metrics, log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline == inf
            gates.append(adopted)
            watch.adopted()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline <= 1
            assert b"\nlockgate_crl_next_update_timestamp_seconds{" in metrics.exposition()
            nursery.cancel_scope.cancel()

    trio.run(main)
    log.close()
