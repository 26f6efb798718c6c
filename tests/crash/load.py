"""Both ends of the gateway under load: senders that retry as a good client does, and a receiver
that is not always well.

A sender keeps its connection, sends again with the same id and the same content when it got no
answer, was refused for the moment, or was told that the receiver failed; it gives up where the
gateway says that the outcome cannot be known (`undecided`). Now and then it sends again what was
acknowledged, as a sender does that lost its own record.
"""

import base64
import hashlib
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.crash.records import Ledger, Route, Sent, Try
from tests.scenarios.client import Client, client_context, request, secured
from tests.scenarios.message import Broken, Message
from tests.scenarios.receiver import Exchange

TRIES = 60
PAUSE = 0.02
PATIENCE = 0.2
"""Seconds that `Retry-After` is honoured for; the tests have not the time for whole ones."""
_PASSING = {"in-flight", "overloaded", "log-unavailable", "cut-off"}
ROUTES: tuple[Route, ...] = ("once", "once", "again", "stream")


class Receiving:
    """What the receiver does with each request: mostly well, at times late, refusing or gone."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._chance = random.Random(seed)
        self.failing = True

    def __call__(self, exchange: Exchange) -> None:
        name, transfer_id = (exchange.request.value(key) for key in ("try", "transfer-id"))
        arrival = self._ledger.arrive(name, transfer_id)
        chance = self._chance.random() if self.failing else 1.0
        if chance < 0.02:
            exchange.reset()  # before the content
            raise Broken
        arrival.sha256 = exchange.read(keep=False).sha256
        exchange.receiver.received.clear()
        if chance < 0.04:
            exchange.reset()  # whole, but never answered
            raise Broken
        if chance < 0.10:
            time.sleep(0.03 * self._chance.random())  # so that a kill finds it waiting
        arrival.status = 503 if 0.10 <= chance < 0.13 else 200
        body = json.dumps({"took": transfer_id}).encode()
        exchange.send(
            b"HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (arrival.status, len(body), body)
        )


class Sender(threading.Thread):
    """Sends one transfer after the other until told to stop; ends with the one it is at."""

    def __init__(
        self, ledger: Ledger, connect: Callable[[], Client], seed: int, routes: tuple[Route, ...]
    ) -> None:
        super().__init__(daemon=True)
        self._ledger = ledger
        self._connect = connect
        self._chance = random.Random(seed)
        self._routes = routes
        self._client: Client | None = None
        self.halt = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.halt.is_set():
                self._transfer(self._ledger.open(self._make()))
        except BaseException as failure:
            self.failure = failure
        finally:
            self._hang_up()

    def _make(self) -> Sent:
        route = self._chance.choice(self._routes)
        size = self._chance.choice((100, 1000, 20_000)) if route == "stream" else 100
        document = {"secret": os.urandom(8).hex(), "text": os.urandom(size // 2).hex()}
        return Sent(route, json.dumps(document).encode() + b"\n")

    def _transfer(self, sent: Sent) -> None:
        for _ in range(TRIES):
            tried = self._try(sent)
            if tried.status is not None and tried.status < 300:
                if not tried.duplicate and self._chance.random() < 0.1:
                    self._try(sent)  # as if the answer had been forgotten
                return
            if tried.problem == "undecided":
                return
            self.halt.wait(PATIENCE if tried.problem in _PASSING else PAUSE)

    def _try(self, sent: Sent) -> Try:
        tried = sent.begin()
        try:
            if self._client is None:
                self._client = self._connect()
            self._client.send(_request(sent, tried))
            answer = self._client.answer()
        except (OSError, Broken):
            self._hang_up()
            tried.ended = datetime.now(UTC)
            return tried
        tried.ended = datetime.now(UTC)
        _note(tried, answer)
        if "close" in answer.values("connection"):
            self._hang_up()
        return tried

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.sock.close()
            self._client = None


def connector(pki: Path, port: int) -> Callable[[], Client]:
    """Connects to the gateway as `client`; one TLS context for all connections."""
    context = client_context(pki, "client")

    def connect() -> Client:
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(secured(context, sock, "localhost"))

    return connect


def _request(sent: Sent, tried: Try) -> bytes:
    digest = base64.b64encode(hashlib.sha256(sent.body).digest()).decode()
    fields = [f"Transfer-Id: {sent.id}", f"Try: {tried.name}"]
    if sent.route != "stream":
        return request(f"/{sent.route}/1", sent.body, *fields)
    fields.append(f"Content-Digest: sha-256=:{digest}:")  # more than the gateway holds
    half = len(sent.body) // 2
    pieces = [sent.body[:half], sent.body[half:]]
    return request("/stream/1", pieces, *fields, kind="application/x-ndjson")


def _note(tried: Try, answer: Message) -> None:
    if answer.values("content-type") == ["application/problem+json"]:
        tried.problem = json.loads(answer.body)["type"].rpartition(":")[2]
    tried.duplicate = answer.values("transfer-duplicate") == ["?1"]
    for receipt in answer.values("transfer-receipt"):
        tried.receipt = base64.b64decode(receipt.rpartition(", ")[2].strip(":"))
        (link,) = answer.values("link")
        tried.index = int(link.partition(">")[0].rpartition("/")[2])
    tried.status = answer.status
