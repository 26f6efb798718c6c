"""`lockgate send --sign`: what arrives proves who sent it and when, and that it is this request."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.edge.inbound import Inbound
from proxy.edge.stream import Stream
from proxy.model import Head, Peer
from proxy.model.signed import Verified
from proxy.settings.schema import ListenerLimits
from proxy.tls.keys import make_key, private_pem
from proxy.wire.events import Data
from proxy.wire.jwk import VerifyingKey
from proxy.wire.signature import Demands, has_signature, request_message, verify
from proxy.wire.signing_key import parse_signing_key
from tests.cli.test_send_receipt import send
from tests.client.keys import KEYS
from tests.patience import PATIENCE

DEMANDS = Demands(
    ("@method", "@target-uri", "content-digest", "content-type", "transfer-id"),
    tag="lockgate",
    window=60,
)


class Recording:
    """Answers 503 to the first of `refused` uploads, then 201, and keeps all heads."""

    def __init__(self, refused: int = 0) -> None:
        self.heads: list[Head] = []
        self._refused = refused

    async def serve(self, stream: Stream, peer: Peer) -> None:
        client = Inbound(stream, ListenerLimits())
        while await client.wait():
            self.heads.append(await client.head())
            while isinstance(await client.body(PATIENCE), Data):
                pass
            status = 503 if len(self.heads) <= self._refused else 201
            await client.send_whole(status, [], b"")
            client.next_cycle()

    def verified(self, key: VerifyingKey, demands: Demands = DEMANDS) -> list[Verified]:
        now = datetime.now(UTC)
        messages = [request_message(head, "http") for head in self.heads]
        return [verify(message, [key], demands, now) for message in messages]


@pytest.fixture
def order(tmp_path: Path) -> Path:
    (tmp_path / "order.json").write_bytes(b'{"n": 1}')
    return tmp_path / "order.json"


@pytest.mark.parametrize("algorithm", ["ed25519", "hmac-sha256", "ml-dsa-65"])
async def test_each_request_is_signed_by_the_key_that_was_named(
    order: Path, tmp_path: Path, algorithm: str
) -> None:
    (tmp_path / "key").write_bytes(data := KEYS[algorithm]())
    server = Recording()
    words = (order, "--sign-key", tmp_path / "key", "--no-receipt")
    assert await send(server.serve, tmp_path, *words) == 0
    (held,) = server.verified(parse_signing_key(data).verifying)
    assert held.algorithm == algorithm


async def test_with_sign_alone_it_is_the_key_of_the_certificate(
    order: Path, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_bytes(data := private_pem(make_key("p256")))
    server = Recording()
    words = (order, "--sign", "--key", tmp_path / "key.pem", "--no-receipt", "--sign-tag", "test")
    assert await send(server.serve, tmp_path, *words, "--sign-for", "200") == 0
    (held,) = server.verified(parse_signing_key(data).verifying, Demands(tag="test"))
    assert held.algorithm == "ecdsa-p256-sha256"
    assert (held.expires or 0) - (held.created or 0) == 200


async def test_an_attempt_more_has_a_nonce_of_its_own_and_the_same_id(
    order: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(data := KEYS["ed25519"]())
    server = Recording(refused=1)
    words = (order, "--sign-key", tmp_path / "key", "--no-receipt")
    assert await send(server.serve, tmp_path, *words) == 0
    first, second = server.verified(parse_signing_key(data).verifying)
    assert first.nonce != second.nonce
    assert len({head.values(b"transfer-id") for head in server.heads}) == 1


async def test_nothing_is_signed_unless_asked_for(order: Path, tmp_path: Path) -> None:
    server = Recording()
    assert await send(server.serve, tmp_path, order, "--no-receipt") == 0
    assert not has_signature(server.heads[0].headers)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sign"], "--key"),
        (["--sign-tag", "x"], "--sign"),
        (["--sign-for", "60"], "--sign"),
        (["--sign-key", "KEY", "--sign-for", "0"], "seconds"),
        (["--sign-key", "KEY", "--no-digest"], "--no-digest"),
        (["--sign-key", "KEY", "--sign-tag", "é"], "ASCII"),
        (["--sign-key", "nowhere"], "nowhere"),
        (["--sign-key", "ORDER"], "`kty`"),
        (["--sign-key", "WORDS"], "words: not a private key"),
        (["--sign-key", "KEY", "--header", "Signature: x=:AA==:"], "signature"),
    ],
)
def test_what_cannot_be_signed_is_said_before_anything_is_sent(
    order: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    (tmp_path / "key").write_bytes(KEYS["ed25519"]())
    (tmp_path / "words").write_text("no key")
    places = {each.upper(): str(tmp_path / each) for each in ("key", "words")}
    places["ORDER"] = str(order)
    line = ["send", "http://127.0.0.1:9/orders/1", str(order)]
    assert main([*line, *(places.get(word, word) for word in words)]) == 2
    assert says in capsys.readouterr().err
