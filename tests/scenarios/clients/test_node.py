"""Node's server and Node's client, with Lockgate between them: early hints, trailers, both ways."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.client import TAKES_TRAILERS, request
from tests.scenarios.clients.commands import ask_by_node
from tests.scenarios.clients.senders import Ask, Place
from tests.scenarios.clients.servers import node
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.policy import SSN, opaque, policy, route
from tests.scenarios.proof import receipt_of, sha256

BIG = os.urandom(2 << 20)
NDJSON = "application/x-ndjson"
HINTS = [
    [("link", "</style.css>; rel=preload; as=style"), ("x-hint", "1")],
    [("link", "</a.js>; rel=preload, </b.js>; rel=preload")],
]
TRAILERS = [("server-timing", "db;dur=5"), ("x-rows", "7")]


@pytest.fixture(scope="module")
def server(parties: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with node(tmp_path_factory.mktemp("node"), parties) as port:
        yield port


@pytest.fixture(scope="module")
def gateway(server: int, start_gateway: StartGateway, parties: Path) -> Gateway:
    """Routes that look into nothing, held and streamed, and one that masks."""
    config = policy(parties, f"https://localhost:{server}")
    unseen: Config = {"request": opaque("internal"), "response": opaque("internal")}
    masked: Config = {
        "request": {
            "content": ["ndjson"],
            "label": "internal",
            "mask": [{"path": "$.ssn", "action": "redact"}],
        }
    }
    config["routes"] += [
        route("held", **unseen),
        route("streamed", limits={"hold": 64}, **unseen),
        route("masked", limits={"hold": 64}, **masked),
    ]
    return start_gateway(config)


EVERY = pytest.mark.parametrize("path", ["/held", "/streamed", "/masked"])
UNSEEN = pytest.mark.parametrize("path", ["/held", "/streamed"])


def lower(fields: list[list[str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in fields]


def said(got: dict[str, Any]) -> dict[str, Any]:
    """What Node's server says that it got."""
    found: dict[str, Any] = json.loads(base64.b64decode(got["body"]))
    return found


@EVERY
def test_early_hints_of_a_node_server_reach_any_sender_before_the_answer(
    gateway: Gateway, path: str
) -> None:
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(request(f"{path}/hints", b"", kind=NDJSON))
            assert answer.status == 200
            assert [early.status for early in client.interim] == [103, 103]
            told = [[each for each in early.fields if each[0] != "via"] for early in client.interim]
            assert told == HINTS
    line = gateway.wait_for("transfer", transfer_id=answer.value("transfer-id"))
    assert line["verdict"] == "delivered"


@UNSEEN
def test_nodes_client_hears_the_early_hints_of_nodes_server(
    gateway: Gateway, place: Place, path: str
) -> None:
    for got in ask_by_node(place, Ask("POST", f"{path}/hints", BIG, "a/b", chunked=True), 2):
        assert [status for status, _ in got["interim"]] == [103, 103]
        assert [each for each in lower(got["interim"][0][1]) if each[0] != "via"] == HINTS[0]
        assert (got["status"], said(got)["sha256"]) == (200, sha256(BIG))


@EVERY
def test_trailers_of_a_node_server_reach_a_sender_with_the_receipt(
    gateway: Gateway, path: str
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request(f"{path}/trailers", b"{}\n", *TAKES_TRAILERS, kind=NDJSON))
        assert answer.status == 200
        assert [each for each in answer.trailers if each in TRAILERS] == TRAILERS
        assert answer.value("trailer").startswith("Server-Timing, X-Rows")
        assert json.loads(answer.body)["headers"]["te"] == "trailers"
        assert receipt_of(gateway, answer)["kind"] == "delivered"


@UNSEEN
def test_nodes_client_gets_the_trailers_of_nodes_server(
    gateway: Gateway, place: Place, path: str
) -> None:
    (got,) = ask_by_node(place, Ask("GET", f"{path}/trailers"), 1)
    assert lower(got["trailers"]) == TRAILERS
    assert said(got)["method"] == "GET"


@EVERY
def test_trailers_of_nodes_client_arrive_in_nodes_server(
    gateway: Gateway, place: Place, path: str
) -> None:
    body = b'{"ssn":"%b"}\n' % SSN.encode() * 20_000
    ask = Ask("POST", f"{path}/echo", body, NDJSON, chunked=True)
    (got,) = ask_by_node(place, ask, 1, {"X-Rows": "20000", "X_Forwarded_For": "192.0.2.1"})
    assert got["status"] == 200
    came = said(got)
    trailers = came["trailers"]
    digest = trailers.pop("content-digest", None)
    assert trailers == {"x-rows": "20000"}
    assert came["headers"]["trailer"].startswith("X-Rows")
    if path == "/masked":
        assert came["sha256"] != sha256(body)
        assert digest == f"sha-256=:{base64.b64encode(bytes.fromhex(came['sha256'])).decode()}:"
    else:
        assert (came["sha256"], digest) == (sha256(body), None)
