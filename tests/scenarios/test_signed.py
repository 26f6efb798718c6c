"""Signed requests and the running program: one use of a signature, by whichever worker and after
any restart; the client certificate's own key, and files of keys that change."""

import base64
import json
import signal
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy.wire.signing_key import SigningKey, parse_signing_key
from tests.client.keys import KEYS
from tests.edge.signing import Signed, jwks
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.message import Message
from tests.scenarios.policy import CLIENT, STRANGER, opaque, policy, route, with_routes
from tests.scenarios.proof import Predicate, audit, receipts, statement
from tests.scenarios.receiver import Receiver

workers = BOTH_FORMS
ONCE = {"require": "signature"}
NAME = "lockgate_signatures_total"
BOTH: Config = {"allow": [CLIENT, STRANGER]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def etl() -> SigningKey:
    return parse_signing_key(KEYS["ml-dsa-65"]())


@pytest.fixture(scope="module")
def gateway(
    start_gateway: StartGateway,
    shared_receiver: Receiver,
    parties: Path,
    keys: Path,
    etl: SigningKey,
) -> Gateway:
    free = opaque("internal")
    (keys / "etl.jwks").write_text(jwks(etl))
    config = policy(parties, shared_receiver.endpoint)
    config["signers"] = {"etl": {"jwks": f"file:{keys / 'etl.jwks'}", "peers": [CLIENT]}}
    return start_gateway(
        with_routes(
            config,
            route("own", request=free, replay=ONCE, **BOTH),
            route("etl", request=free, replay=ONCE, signature={"keys": ["etl"]}, **BOTH),
        )
    )


def own_key(gateway: Gateway, name: str = "client") -> SigningKey:
    return parse_signing_key((gateway.pki / f"{name}.key").read_bytes())


def signed(key: SigningKey, path: str = "/own/1", **changes: object) -> bytes:
    made = Signed(key, path=path, scheme="https", **changes)  # type: ignore[arg-type]
    return made.sign().octets


def ask(gateway: Gateway, data: bytes, name: str = "client") -> Message:
    with gateway.connect(name) as client:
        return client.ask(data)


def code(answer: Message) -> str:
    if answer.status == 200:
        return "200"
    said: str = json.loads(answer.body)["type"].removeprefix("urn:lockgate:problem:")
    return said


def predicate_of(gateway: Gateway, answer: Message) -> Predicate:
    octets = base64.b64decode(answer.value("transfer-receipt").strip(":"))
    predicate: Predicate = statement(octets, gateway.pki)["predicate"]
    return predicate


def test_the_key_of_the_client_certificate_signs_and_stands_in_the_receipt(
    gateway: Gateway,
) -> None:
    key = own_key(gateway)
    answer = ask(gateway, signed(key))
    assert code(answer) == "200"
    said = predicate_of(gateway, answer)["request"]["signature"]
    assert (said["keyid"], said["algorithm"]) == (key.verifying.thumbprint, key.algorithm)
    line = gateway.wait_for("transfer", transfer_id=answer.value("transfer-id"))
    assert line["signed_by"] == said["keyid"]


def test_nobody_signs_with_the_key_of_another(gateway: Gateway, etl: SigningKey) -> None:
    for data in (signed(own_key(gateway)), signed(etl, "/etl/1")):
        answer = ask(gateway, data, "stranger")
        assert code(answer) == "signature-refused"
        assert predicate_of(gateway, answer)["request"]["signature"] is None
    assert code(ask(gateway, signed(own_key(gateway, "stranger")), "stranger")) == "200"


def test_a_signature_crosses_once_whichever_worker_gets_it(
    gateway: Gateway, receiver: Receiver
) -> None:
    data = signed(own_key(gateway))
    before = len(receiver.received)
    codes = Counter(code(ask(gateway, data)) for _ in range(12))
    assert codes == {"200": 1, "signature-replayed": 11}
    assert len(receiver.received) == before + 1


def test_of_many_at_once_one_crosses(gateway: Gateway, receiver: Receiver) -> None:
    data = signed(own_key(gateway))
    before = len(receiver.received)
    verified, replayed = (
        gateway.metric(NAME, route="own", result=each) for each in ("verified", "replayed")
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in range(8)]
        for client in clients:
            client.send(data)
        codes = Counter(code(client.answer()) for client in clients)
    assert codes == {"200": 1, "signature-replayed": 7}
    gateway.wait_for_metric(8 + verified, NAME, route="own", result="verified")
    gateway.wait_for_metric(7 + replayed, NAME, route="own", result="replayed")
    assert len(receiver.received) == before + 1


def test_keys_that_are_replaced_are_followed(gateway: Gateway, keys: Path, etl: SigningKey) -> None:
    assert code(ask(gateway, signed(etl, "/etl/1"))) == "200"
    following = parse_signing_key(KEYS["ed25519"]())
    try:
        (keys / "etl.jwks").write_text(jwks(following))
        since = gateway.mark()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("reloaded", since)
        assert code(ask(gateway, signed(following, "/etl/1"))) == "200"
        assert code(ask(gateway, signed(etl, "/etl/1"))) == "signature-refused"
        (keys / "etl.jwks").write_text('{"keys": []}')
        since = gateway.mark()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("reload_refused", since)
        assert code(ask(gateway, signed(following, "/etl/1"))) == "200"
    finally:
        (keys / "etl.jwks").write_text(jwks(etl))
        since = gateway.mark()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("reloaded", since)


@pytest.mark.parametrize("end", [Gateway.stop, Gateway.crash])
def test_a_signature_is_used_up_over_any_end_of_the_program(
    gateway: Gateway, receiver: Receiver, end: Callable[[Gateway], object]
) -> None:
    delivered, refused = signed(own_key(gateway)), signed(own_key(gateway), body=b"[]")
    swapped = refused[:-2] + b"{}"
    mine = str(uuid.uuid4())
    first, again = (signed(own_key(gateway), transfer_id=mine) for _ in range(2))
    assert code(ask(gateway, delivered)) == code(ask(gateway, first)) == "200"
    assert ask(gateway, again).values("transfer-duplicate") == ["?1"]
    assert code(ask(gateway, swapped)) == "digest-mismatch"
    end(gateway)
    gateway.start()
    before = len(receiver.received)
    for data in (delivered, swapped, refused, first, again):
        assert code(ask(gateway, data)) == "signature-replayed"
    assert len(receiver.received) == before
    kinds = {(each["kind"], each["disposition"]["problem"]) for each in receipts(gateway)}
    assert {("delivered", None), ("rejected", "signature-replayed")} <= kinds
    end(gateway)
    audit(gateway)
    gateway.start()
