"""The upstream of the fuzzed gateway: it reads every message twice, and says where readings differ.

h11 says where a message ends; then llhttp gets the same octets, and nothing may be behind them,
because the gateway sends no request before it has the answer to the one before. What came through
the route that masks must parse, hold no secret, and match the digest that the gateway made of it.
"""

import base64
import hashlib
import json
import socket
import threading

import h11

from tests.accepting import accept_all
from tests.fuzz.senders import CLAIMS, FORGED, answer_to, is_masked
from tests.wire.readings import Reading, TwoReadings, one_request

DIGEST = b"content-digest"
_CLAIMED = {name.lower().replace(b"_", b"-") for name in CLAIMS}
"""Fields of whoever asks: in what spelling ever, there is one of the gateway's own or none."""


class Upstream:
    """A plain server on loopback. `found` has what must not be there."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._lock = threading.Lock()
        self.messages = self.masked = self.broken = 0
        self.ids: set[str] = set()
        self.found: list[str] = []
        accept_all(self._listening, self._serve)

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._listening.close()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock:
            try:
                while (data := self._message(sock)) is not None:
                    sock.sendall(self._judge(data))
            except OSError:
                return  # the gateway cut it off
            except (TwoReadings, h11.RemoteProtocolError) as error:
                with self._lock:
                    self.found.append(f"{type(error).__name__}: {error}")

    def _message(self, sock: socket.socket) -> bytes | None:
        """The octets up to the end of one message; None when there is no more of them."""
        judge, data = h11.Connection(h11.SERVER), b""
        while True:
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            data += piece
            if not piece:
                with self._lock:
                    self.broken += bool(data)
                return None
            judge.receive_data(piece)
            while (event := judge.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    return data

    def _judge(self, data: bytes) -> bytes:
        reading = one_request(data)
        ids = [value.decode() for name, value in reading.fields if name == b"transfer-id"]
        masked = is_masked(reading.first[1])
        _require_no_claims(reading)
        if masked:
            _require_masked(reading)
        with self._lock:
            self.messages += 1
            self.masked += masked and bool(reading.body)
            if len(ids) != 1 or ids[0] in self.ids:
                raise TwoReadings(f"not one transfer: {ids} {data!r}")
            self.ids.add(ids[0])
        return _fitting(reading.first[0], self.answer(reading))

    def answer(self, reading: Reading) -> bytes:
        """What it says to this request."""
        fields = (*reading.fields, *reading.trailers)
        forged = any(FORGED in part for field in fields for part in field)
        return answer_to(reading.first[1], reading.body, forged=forged)


def _require_no_claims(reading: Reading) -> None:
    for name, value in (*reading.fields, *reading.trailers):
        if name.replace(b"_", b"-") in _CLAIMED and FORGED in value:
            raise TwoReadings(f"a claim of the sender's: {name!r}: {value!r}")


def _require_masked(reading: Reading) -> None:
    """LF alone ends a line; CR is white space. Lines may be blank."""
    (kind,) = [value for name, value in reading.fields if name == b"content-type"] or [b""]
    one = kind.partition(b";")[0].strip().lower().endswith((b"/json", b"+json"))
    for text in filter(bytes.strip, [reading.body] if one else reading.body.split(b"\n")):
        try:
            json.loads(text, object_pairs_hook=_require_no_secret)
        except ValueError:
            raise TwoReadings(f"no document: {reading}") from None
    told = [value for name, value in (*reading.fields, *reading.trailers) if name == DIGEST]
    made = base64.b64encode(hashlib.sha256(reading.body).digest())
    if reading.body and told != [b"sha-256=:%b:" % made]:
        raise TwoReadings(f"another digest: {reading}")


def _require_no_secret(pairs: list[tuple[str, object]]) -> None:
    if dict(pairs).get("secret") not in (None, "[REDACTED]") or len(dict(pairs)) < len(pairs):
        raise TwoReadings(f"a secret, or a key twice: {pairs}")


def _fitting(method: str, answer: bytes) -> bytes:
    """An answer to HEAD is a head, and where the damage made a HEAD, so is a bad one."""
    if method != "HEAD":
        return answer
    interim = b""
    while answer.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in answer:
        head, end, answer = answer.partition(b"\r\n\r\n")
        interim += head + end
    return interim + answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
