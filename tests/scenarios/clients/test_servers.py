"""Servers of the field are upstreams like any other: nginx, and uvicorn with an application."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.scenarios.client import TAKES_TRAILERS, begun, chunk, request
from tests.scenarios.clients.application import PIECE, PIECES
from tests.scenarios.clients.servers import Nginx, nginx, uvicorn
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.message import Message
from tests.scenarios.policy import SSN, opaque, policy, route
from tests.scenarios.proof import receipt_of, sha256

BIG = os.urandom(2 << 20)
HASTE = 150


@pytest.fixture(scope="module")
def servers(
    parties: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Nginx, dict[str, int]]]:
    """nginx, and the ports of everybody."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("servers")
        web = stack.enter_context(nginx(folder, parties, idle="3ms"))
        ports = {"nginx": web.port, "hasty-nginx": web.hasty}
        ports["asgi"] = stack.enter_context(uvicorn(folder, parties, keep_alive=120))
        ports["hasty-asgi"] = stack.enter_context(uvicorn(folder, parties, keep_alive=0))
        yield web, ports


@pytest.fixture(scope="module")
def web(servers: tuple[Nginx, dict[str, int]]) -> Nginx:
    return servers[0]


@pytest.fixture(scope="module")
def gateway(
    servers: tuple[Nginx, dict[str, int]], start_gateway: StartGateway, parties: Path
) -> Gateway:
    """A route of its name to every server, and /orders/ to the application."""
    ports = servers[1]
    config = policy(parties, f"https://localhost:{ports['asgi']}")
    warehouse: Config = config["upstreams"]["warehouse"]
    for name, port in ports.items():
        config["upstreams"][name] = warehouse | {"endpoints": [f"https://localhost:{port}"]}
        unseen: Config = {"request": opaque("internal"), "response": opaque("internal")}
        config["routes"].append(route(name, upstream=name) | unseen)
    return start_gateway(config)


def get(gateway: Gateway, path: str, *fields: str, bodiless: bool = False) -> Message:
    with gateway.connect() as client:
        client.send(request(path, None, *fields, method="GET"))
        return client.answer(bodiless=bodiless)


# --- nginx ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_nginx_stores_an_upload_and_serves_it_again(
    gateway: Gateway, web: Nginx, chunked: bool
) -> None:
    path = f"/nginx/{uuid4()}"
    body = [BIG[:700_000], BIG[700_000:]] if chunked else BIG
    with gateway.connect() as client:
        stored = client.ask(request(path, body, method="PUT", kind="a/b"))
        assert stored.status == 201
        assert receipt_of(gateway, stored)["content"]["delivered"]["sha256"] == sha256(BIG)
        assert (web.folder / path[1:]).read_bytes() == BIG
        again = client.ask(request(path, None, method="GET"))
    assert (again.status, again.sha256) == (200, sha256(BIG))


def test_nginx_answers_ranges_and_conditions(gateway: Gateway, web: Nginx) -> None:
    (web.folder / "nginx/poem").write_bytes(b"0123456789")
    whole = get(gateway, "/nginx/poem")
    tag = whole.value("etag")
    part = get(gateway, "/nginx/poem", "Range: bytes=2-4", f"If-Range: {tag}")
    assert (part.status, part.body) == (206, b"234")
    assert part.value("content-range") == "bytes 2-4/10"
    same = get(gateway, "/nginx/poem", f"If-None-Match: {tag}", bodiless=True)
    assert (same.status, same.body) == (304, b"")
    assert receipt_of(gateway, same)["kind"] == "delivered"
    assert get(gateway, "/nginx/none").status == 404


def test_nginx_refuses_a_body_that_is_too_large_before_it_has_come(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.send(request("/nginx/few/x", BIG, method="PUT", kind="a/b")[: len(BIG) // 2])
        answer = client.answer()
    assert answer.status == 413
    assert b"413" in answer.body
    assert receipt_of(gateway, answer)["kind"] == "failed"
    with gateway.connect() as client:
        client.send(begun("/nginx/few/x", kind="a/b").replace(b"POST", b"PUT", 1))
        client.send(chunk(BIG[:300_000]) + chunk(BIG[:300_000]))
        answer = client.answer()
    assert (answer.status, receipt_of(gateway, answer)["kind"]) == (413, "failed")


# --- the ASGI server -----------------------------------------------------------------------------


def test_an_application_gets_an_order_masked(gateway: Gateway) -> None:
    order = b'{"customer":{"ssn":"%b"},"total":1.10}' % SSN.encode()
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(request("/orders/echo", order))
            assert answer.status == 200
            assert json.loads(answer.body)["customer"]["ssn"] != SSN
            assert receipt_of(gateway, answer)["kind"] == "delivered"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_application_echoes_an_upload(gateway: Gateway, chunked: bool) -> None:
    body = [BIG[:700_000], BIG[700_000:]] if chunked else BIG
    with gateway.connect() as client:
        answer = client.ask(request("/asgi/echo", body, kind="a/b"))
    assert (answer.status, answer.sha256) == (200, sha256(BIG))


def test_an_application_streams_its_answer(gateway: Gateway) -> None:
    answer = get(gateway, "/asgi/stream", *TAKES_TRAILERS)
    assert answer.values("transfer-encoding") == ["chunked"]
    assert answer.sha256 == sha256(PIECE * PIECES)
    predicate = receipt_of(gateway, answer)
    assert predicate["answer"]["delivered"]["sha256"] == answer.sha256


def test_an_application_answers_before_it_has_read(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.send(begun("/asgi/early", kind="a/b") + chunk(BIG[:400_000]))
        answer = client.answer()
    assert (answer.status, json.loads(answer.body)) == (413, {"error": "too large"})
    assert receipt_of(gateway, answer)["kind"] == "failed"


# --- a server that ends connections which we keep ------------------------------------------------


def test_no_transfer_is_lost_or_doubled_by_an_nginx_that_ends_idle_connections(
    gateway: Gateway, web: Nginx
) -> None:
    told = send_many(gateway, "/hasty-nginx/x")
    delivered = {name for name, status in told.items() if status == 200}

    def served() -> list[str]:
        return [name for name, status, _ in web.served() if status == "200" and name in told]

    wait_until(lambda: delivered <= set(served()))  # nginx says so once the answer has gone
    assert len(served()) == len(set(served()))


def test_no_transfer_is_lost_by_an_application_server_that_ends_idle_connections(
    gateway: Gateway,
) -> None:
    send_many(gateway, "/hasty-asgi/echo")


def send_many(gateway: Gateway, path: str) -> dict[str, int]:
    """Send one after the other; (id -> status). A close that crosses a request leaves open what
    became of it: then the verdict says so, and nothing is sent a second time."""
    told = {}
    mark = gateway.mark()
    with gateway.connect() as client:
        for _ in range(HASTE):
            answer = client.ask(request(path, b"{}"))
            told[answer.value("transfer-id")] = answer.status
            kind = receipt_of(gateway, answer)["kind"]
            assert (answer.status, kind) in [(200, "delivered"), (502, "indeterminate")]
    gateway.wait_for_count("transfer", HASTE, mark)
    assert len(told) == HASTE
    assert list(told.values()).count(200) > HASTE / 2
    return told
