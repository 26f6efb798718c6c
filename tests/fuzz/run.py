"""Fuzzed conversations through the running program, and what came of them.

    python -m tests.fuzz --requests 100000 --seed 7
    python -m tests.fuzz --seed 7 --only 1234        one conversation again, with its octets

It must not crash, hang, lose an answer that is due, or a verdict; no message that the upstream gets
may have two readings; what arrives, either way, is what was sent, but for what a route masks, and
of that nothing may reach the other side; and every receipt agrees with itself.
"""

import contextlib
import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h11
from OpenSSL import SSL

from tests.fuzz.judge import inconsistent, require_answers
from tests.fuzz.reader import Upstream
from tests.fuzz.senders import MASKED, OPAQUE, Conversation
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.parties import make_parties
from tests.scenarios.policy import CLIENT, opaque, policy

DEFECTS = ("internal", "worker_died", "notary_died")
PATIENCE = 30.0
"""Seconds without an octet that count as a hang."""


class Fuzzed(Gateway):
    """A gateway of whose log lines little is kept, because there are many."""

    def __init__(self, folder: Path, pki: Path, config: Config) -> None:
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.ids: set[str] = set()
        self.twice: list[str] = []
        super().__init__(folder, pki, config)

    def _take(self, text: str) -> None:
        with self._changed:
            try:
                line = json.loads(text)
            except ValueError:
                self.other.append(text)
                return
            if line["event"] != "transfer":
                self.lines.append(line)
                self._changed.notify_all()
                return
            self.verdicts[line["verdict"], line.get("problem") or ""] += 1
            if line["transfer_id"] in self.ids:
                self.twice.append(line["transfer_id"])
            self.ids.add(line["transfer_id"])


def configuration(pki: Path, endpoint: str, workers: int) -> Config:
    """Plain and TLS senders, an upstream on loopback; a route that looks into nothing, and one that
    masks both ways."""
    mask = [{"path": "$..secret", "action": "redact"}]
    masked = {"content": ["json", "ndjson"], "label": "internal", "mask": mask}
    contents = {OPAQUE: opaque("internal"), MASKED: masked}
    near = [{"networks": ["127.0.0.1/32"]}]
    config = policy(pki, endpoint)
    config["upstreams"] = {
        "up": {
            "zone": "warehouse",
            "endpoints": [endpoint],
            "limits": {"answer_timeout": "5s", "head": "4KiB"},
        }
    }
    config["listeners"]["local"] = {
        "bind": "127.0.0.1:0", "zone": "partner", "tls": {"mode": "none"},
    }  # fmt: skip
    config["routes"] = [
        {
            "name": f"{name}-{path[1:]}", "listener": name, "match": {"path": f"{path}/**"},
            "allow": allow, "upstream": "up", "request": content, "response": content,
            "limits": {"hold": 16, "stall_timeout": "5s"},
        }
        for name, allow in (("ingest", [CLIENT]), ("local", near))
        for path, content in contents.items()
    ]  # fmt: skip
    config["receipts"]["durability"] = "write"
    config["workers"] = workers
    return config


class Fuzz:
    """One run, with so many workers. `found` has what must not be."""

    def __init__(
        self, folder: Path, seed: int, workers: int = 1, upstream: Upstream | None = None
    ) -> None:
        self.seed = seed
        self.workers = workers
        pki = make_parties(folder)
        self._tls = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._tls.use_certificate_chain_file(str(pki / "client.pem"))
        self._tls.use_privatekey_file(str(pki / "client.key"))
        self.upstream = upstream or Upstream()
        self.gateway = Fuzzed(folder, pki, configuration(pki, self.upstream.endpoint, workers))
        self._lock = threading.Lock()
        self.requests = self.conversations = self.answers = 0
        self.found: list[str] = []

    def run(self, requests: int, connections: int, first: int = 0, told: int = 10_000) -> None:
        """Have conversations, several at once, until so many requests have been sent."""
        numbers = itertools.count(first)

        def work() -> None:
            while self.requests < requests and len(self.found) < 20:
                with self._lock:
                    number = next(numbers)
                self.have(number)
                if self.requests // told > (self.requests - 4) // told and told < requests:
                    print(f"{self.requests} requests, {len(self.found)} found", flush=True)

        threads = [threading.Thread(target=work) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def have(self, number: int) -> bytes:
        """Have one conversation; what was answered."""
        conversation = Conversation(self.seed, number)
        try:
            said = self._exchange(conversation)
            answered = require_answers(conversation, said)
        except (
            AssertionError,
            TimeoutError,
            LookupError,
            ValueError,
            h11.RemoteProtocolError,
        ) as error:
            with self._lock:
                self.found.append(f"conversation {number}: {error!r}")
            said, answered = b"", 0
        with self._lock:
            self.requests += conversation.requests
            self.conversations += 1
            self.answers += answered
        return said

    def _exchange(self, conversation: Conversation) -> bytes:
        listener = "ingest" if conversation.over_tls else "local"
        with socket.create_connection(self.gateway.address(listener), timeout=PATIENCE) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if conversation.over_tls:
                return _over_tls(self._tls, sock, conversation.pieces)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in conversation.pieces:
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
            return b"".join(_all_of(sock))

    def finish(self) -> None:
        """End the program, and look at what it and the upstream have seen."""
        self.upstream.close()
        code = self.gateway.stop()
        upstream, gateway = self.upstream, self.gateway
        self.found += upstream.found
        checks = {
            f"exit code {code}": code != 0,
            f"not log lines: {gateway.other[:3]}": gateway.other,
            **{f"{event}: {gateway.logged(event)[:3]}": gateway.logged(event) for event in DEFECTS},
            f"transfers with two verdicts: {gateway.twice[:3]}": gateway.twice,
            "transfers at the upstream without a verdict": upstream.ids - gateway.ids,
            "nothing reached the upstream": not upstream.messages,
            "nothing was masked": not upstream.masked,
        }
        self.found += [text for text, wrong in checks.items() if wrong]
        self.found += inconsistent(self.gateway)


def _all_of(sock: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            yield data


def _over_tls(context: SSL.Context, sock: socket.socket, pieces: list[bytes]) -> bytes:
    """The same over TLS, whose close_notify ends our half only."""
    connection, said = SSL.Connection(context, None), []
    connection.set_connect_state()
    connection.set_tlsext_host_name(b"localhost")

    def flush() -> None:
        with contextlib.suppress(SSL.WantReadError):
            while data := connection.bio_read(65536):
                sock.sendall(data)

    def receive() -> bool:
        data = sock.recv(65536)
        connection.bio_write(data) if data else connection.bio_shutdown()
        return bool(data)

    with contextlib.suppress(BrokenPipeError, ConnectionResetError, SSL.ZeroReturnError):
        while True:
            try:
                connection.do_handshake()
                break
            except SSL.WantReadError:
                flush()
                assert receive(), "the gateway ended the handshake"
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown()
        flush()
        while True:
            try:
                said.append(connection.recv(65536))
            except SSL.WantReadError:
                if not receive():
                    break
    return b"".join(said)
