"""A tunnel through the running program: what goes through, how it ends, and how it breaks."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.patience import PATIENCE
from tests.project.tree import ROOT
from tests.scenarios.conftest import Serve, StartGateway
from tests.scenarios.gateway import Gateway, lockgate, wait_until
from tests.scenarios.proof import audit, receipts, sha256, store_of
from tests.scenarios.tunnels import (
    Backend,
    End,
    dial,
    line_of,
    receipt,
    tunnels,
)


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    return start_gateway(tunnels(parties, backend.endpoint))


# --- ends ----------------------------------------------------------------------------------------


def test_what_goes_in_comes_out_and_the_receipt_has_the_digest_of_each_way(
    gateway: Gateway, serve: Serve
) -> None:
    heard = bytearray()
    said = os.urandom(2_000_000)

    def hear_and_say(end: End) -> None:
        end.send(said)
        heard.extend(end.rest())
        end.end()

    serve(hear_and_say)
    since, data = gateway.mark(), os.urandom(3_000_000)
    with dial(gateway) as client:
        back = client.exactly(len(said))
        client.send(data)
        client.end()
        back += client.rest()
    assert (bytes(heard), back) == (data, said)
    line = line_of(gateway, since)
    assert (line["verdict"], line["method"], line["route"]) == ("delivered", "tunnel", "tunnel")
    assert (line["delivered_bytes"], line["answer_bytes"]) == (len(data), len(said))
    found = receipt(gateway, line)
    to, fro = found["content"], found["answer"]
    assert to["received"] == to["delivered"] == {"sha256": sha256(data), "bytes": "3000000"}
    assert fro["received"] == fro["delivered"] == {"sha256": sha256(back), "bytes": "2000000"}
    assert (to["opaque"], fro["opaque"]) == (True, True)
    assert (to["label"], fro["label"]) == ("internal", "internal")
    assert found["sender"]["name"] == "spiffe://lockgate.example/client"
    assert found["channel"]["tls"] == "TLSv1.3"
    assert found["disposition"] == {"status": None, "problem": None, "duplicateOf": None}


@contextmanager
def all_said(gateway: Gateway) -> Iterator[End]:
    """A tunnel whose sender has said `all of it`, and ended."""
    with dial(gateway) as client:
        client.send(b"all of it")
        client.end()
        yield client


def test_a_sender_that_ends_first_hears_all_that_is_said_after(
    gateway: Gateway, serve: Serve
) -> None:
    def answer_after_the_end(end: End) -> None:
        heard = end.rest()
        end.send(sha256(heard).encode())
        end.end()

    serve(answer_after_the_end)
    since = gateway.mark()
    with all_said(gateway) as client:
        assert client.rest() == sha256(b"all of it").encode()
    assert line_of(gateway, since)["verdict"] == "delivered"


def test_an_upstream_that_ends_first_hears_all_that_is_said_after(
    gateway: Gateway, serve: Serve
) -> None:
    heard: queue.Queue[bytes] = queue.Queue()

    def end_first(end: End) -> None:
        end.send(b"that is all")
        end.end()
        heard.put(end.rest())

    serve(end_first)
    since = gateway.mark()
    with dial(gateway) as client:
        assert client.rest() == b"that is all"
        client.send(b"well then")
        client.end()
        assert line_of(gateway, since)["verdict"] == "delivered"
    assert heard.get(timeout=PATIENCE) == b"well then"


def test_a_tunnel_that_ends_cleanly_has_its_receipt_by_then(gateway: Gateway) -> None:
    since = gateway.mark()
    with dial(gateway) as client:
        client.end()
        assert client.rest() == b""
        (line,) = gateway.logged("transfer", since) or [line_of(gateway, since)]
        assert receipt(gateway, line)["kind"] == "delivered"
    assert line["delivered_bytes"] == 0


# --- breaks --------------------------------------------------------------------------------------


def broken_by(gateway: Gateway, since: int) -> tuple[str, str]:
    line = line_of(gateway, since)
    found = receipt(gateway, line)
    assert found["disposition"]["problem"] == line["problem"]
    return line["verdict"], line["problem"]


@pytest.mark.parametrize("way", ["reset", "leave"])
def test_a_sender_that_leaves_without_an_end_is_a_reset_for_the_upstream(
    gateway: Gateway, serve: Serve, way: str
) -> None:
    heard, cut = threading.Event(), list[bool]()

    def notice(end: End) -> None:
        end.exactly(10)
        heard.set()
        end.require_broken()
        cut.append(True)

    serve(notice)
    since = gateway.mark()
    client = dial(gateway)
    client.send(b"half of it")
    assert heard.wait(PATIENCE)
    getattr(client, way)()
    assert broken_by(gateway, since) == ("failed", "request-incomplete")
    wait_until(lambda: cut == [True])


def test_an_upstream_that_resets_is_a_reset_for_the_sender(gateway: Gateway, serve: Serve) -> None:
    def break_off(end: End) -> None:
        end.send(b"half of")
        end.exactly(1)
        end.reset()

    serve(break_off)
    since = gateway.mark()
    with dial(gateway) as client:
        assert client.exactly(7) == b"half of"
        client.send(b".")
        client.require_broken()
    assert broken_by(gateway, since) == ("failed", "upstream-closed")


def test_an_upstream_that_breaks_off_after_the_senders_end_may_have_done_it_all(
    gateway: Gateway, serve: Serve
) -> None:
    def hear_and_break(end: End) -> None:
        assert end.rest() == b"all of it"
        end.reset()

    serve(hear_and_break)
    since = gateway.mark()
    with all_said(gateway) as client:
        client.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("indeterminate", "upstream-closed")
    found = receipt(gateway, line)
    assert found["content"]["delivered"]["sha256"] == sha256(b"all of it")
    assert found["answer"]["delivered"] is None


def test_a_sender_that_does_not_wait_for_the_answer_breaks_it(
    gateway: Gateway, backend: Backend, serve: Serve
) -> None:
    def say_on(end: End) -> None:
        end.rest()
        while True:
            end.send(bytes(65536))

    serve(say_on)
    since = gateway.mark()
    client = dial(gateway)
    client.end()
    client.receive()
    client.reset()
    assert broken_by(gateway, since) == ("indeterminate", "cut-off")


def test_a_broken_tunnel_says_how_much_went_and_the_digest_of_it(
    gateway: Gateway, serve: Serve
) -> None:
    since = gateway.mark()
    client = dial(gateway)
    client.send(b"half of it")
    assert client.exactly(10) == b"half of it"
    client.leave()
    found = receipt(gateway, line_of(gateway, since))
    digest = {"sha256": sha256(b"half of it"), "bytes": "10"}
    assert found["content"]["delivered"] == found["answer"]["delivered"] == digest
    assert found["kind"] == "failed"


def test_receipts_of_tunnels_are_what_the_schema_says_and_their_log_holds_in_an_audit(
    gateway: Gateway, serve: Serve
) -> None:
    def hear_and_break(end: End) -> None:
        end.rest()
        end.reset()

    since = gateway.mark()
    with dial(gateway) as client:
        client.end()
        assert client.rest() == b""
    dial(gateway).leave()
    gateway.wait_for_count("transfer", 2, since)
    serve(hear_and_break)
    with dial(gateway) as client:
        client.end()
        client.require_broken()
    gateway.wait_for_count("transfer", 3, since)
    found = receipts(gateway)[-3:]
    assert [each["kind"] for each in found] == ["delivered", "failed", "indeterminate"]
    schema = resources.files("proxy.receipt") / "schema" / "transfer-receipt-v1.json"
    validator = Draft202012Validator(json.loads(schema.read_text()))
    for each in found:
        validator.validate(each)
    assert audit(gateway)


def test_the_receiver_verifies_with_what_it_got_and_without_lockgate(
    gateway: Gateway, serve: Serve, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"

    def keep(end: End) -> None:
        heard.write_bytes(end.rest())
        end.end()

    serve(keep)
    since = gateway.mark()
    with dial(gateway) as client:
        client.send(b"something to keep")
        client.end()
        assert client.rest() == b""
    entry, key = line_of(gateway, since)["receipt"], gateway.pki / "receipts.pub"
    prove = ("receipts", "prove", store_of(gateway), str(entry), "--output", tmp_path / "kept")
    wait_until(lambda: lockgate(*prove).returncode == 0)  # a checkpoint is written every second
    (envelope,) = (tmp_path / "kept").glob("*.json")
    ours = lockgate("receipts", "verify", envelope, "--key", key, "--content", heard)
    assert ours.returncode == 0, ours.stderr
    command = [sys.executable, *map(str, (ROOT / "docs/verify.py", key, envelope, heard))]
    page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert page.stdout.startswith("verified: delivered:"), page.stderr
    shown = lockgate("receipts", "show", store_of(gateway), str(entry)).stdout
    assert "a tunnel on route tunnel to warehouse" in shown
