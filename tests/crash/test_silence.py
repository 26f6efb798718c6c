"""A log that neither fails nor answers: every sender is answered all the same, and soon; what was
decided meanwhile is in the log when it goes on."""

import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import log
from tests.crash.conftest import StartSite
from tests.crash.judge import require_audited
from tests.crash.mutant import hang
from tests.crash.site import Site
from tests.crash.test_disk_trouble import require_refused
from tests.scenarios.client import request
from tests.scenarios.family import wait_until_whole
from tests.scenarios.gateway import wait_until

PATIENCE = "500ms"
Hush = Callable[[], tuple[Site, Callable[[], None], Callable[[], None]]]


def asked(site: Site) -> dict[str, bytes]:
    """One transfer of each kind, by the name under which the receiver would see it."""
    wishes = {
        "allowed without an id": ("/free/1", b"{}"),
        "allowed": ("/once/1", b"{}"),
        "refused without an id": ("/nowhere/1", b"{}"),
        "refused": ("/once/1", b"no JSON"),
    }
    found = {}
    for name, (path, content) in wishes.items():
        fields = [f"Try: {name}"]
        if "without" not in name:
            fields.append(f"Transfer-Id: {uuid.uuid4()}")
        found[name] = request(path, content, *fields)
    return found


@pytest.fixture(params=["a stopped notary", "a sync that does not return"])
def hush(
    request: pytest.FixtureRequest,
    start_site: StartSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Hush:
    """Start a site: with it, what silences its log, and what ends that."""

    def stopped() -> tuple[Site, Callable[[], None], Callable[[], None]]:
        site = start_site(workers=2, seed=10, patience=PATIENCE)
        pid = site.process("notary")
        return site, lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT)

    def slow() -> tuple[Site, Callable[[], None], Callable[[], None]]:
        mark = hang(tmp_path, monkeypatch)
        return start_site(workers=1, seed=11, patience=PATIENCE), mark.touch, mark.unlink

    return stopped if request.param == "a stopped notary" else slow


def test_every_sender_is_answered_and_every_attempt_has_one_verdict(hush: Hush) -> None:
    site, silence, mend = hush()
    site.receiving.failing = False
    wishes = asked(site)
    clients = {name: site.gateway.connect() for name in wishes}
    silence()
    try:
        for name, data in wishes.items():
            clients[name].send(data)
            if name == "allowed without an id":
                wait_until(lambda: "allowed without an id" in site.ledger.arrived)
        answers = {name: client.answer() for name, client in clients.items()}
        late = require_refused(site)  # by a worker that had noticed, or had not
    finally:
        mend()
    for name, answer in answers.items():
        assert answer.status == 503, name
        assert b"urn:lockgate:problem:log-unavailable" in answer.body
        assert answer.values("transfer-receipt") == []
    wait_until_whole(site.gateway, site.gateway.config["workers"])
    with site.gateway.connect() as client:
        assert client.ask(request("/free/1", b"{}", "Try: afterwards")).status == 200
    for client in clients.values():
        client.sock.close()
    site.finish()
    ids = {name: each.value("transfer-id") for name, each in answers.items()}
    require_verdicts(site, {**ids, "late": late})
    require_audited(site)


def require_verdicts(site: Site, ids: dict[str, str]) -> None:
    """Each has one statement, or crossed nothing and is one of those that are counted."""
    leaves = log.entries(site.store)
    said = log.statements(leaves)
    kinds = {name: [s.kind for s in said if s.transfer_id == of] for name, of in ids.items()}
    assert kinds["allowed without an id"] == ["delivered"]
    missing = [name for name, found in kinds.items() if not found]
    for name, found in kinds.items():
        assert len(found) <= 1, (name, found)
        assert (name in site.ledger.arrived) <= (found == ["delivered"]), (name, found)
    events = [each["predicate"] for each in map(log.statement, leaves)]
    counts = [e["details"]["counts"] for e in events if e.get("kind") == "refused-transfers"]
    counted = sum(int(number) for each in counts for number in each.values())
    assert counted == len(missing), "what is counted has no receipt"
