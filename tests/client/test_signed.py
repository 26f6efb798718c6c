"""What a sender signs crosses a gateway that demands it, once, and by no other way."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proxy.cli import main
from proxy.cli.demo.site import Site
from proxy.client import SigningAuth, verify_receipt
from proxy.wire.jwk import to_jwk
from proxy.wire.signing_key import SigningKey, parse_signing_key
from tests.cli.gateway import gateway
from tests.client.keys import KEYS

ROUTE = """
  - name: signed
    listener: ingest
    match: {path: /signed/**}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request: {content: [opaque], label: internal}
    response: {content: [json], label: internal}
    replay: {require: signature, window: 5m}
    signature: {keys: [certificate, etl, shared]}

signers:
  etl:
    jwks: file:etl.jwks
    peers: [{spiffe: "spiffe://lockgate.example/*"}]
  shared:
    jwks: file:shared.jwk
    peers: [{spiffe: spiffe://lockgate.example/client}]

"""
ORDER = b'{"n": 1}'


@pytest.fixture(scope="module")
def keys() -> dict[str, bytes]:
    """A private key, or secret, of every algorithm."""
    return {algorithm: make() for algorithm, make in KEYS.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, bytes]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    secret = keys["hmac-sha256"]
    public = [parse_signing_key(key).verifying for key in keys.values() if key != secret]
    jwks = {"keys": [{**to_jwk(key.public), "kid": key.keyid} for key in public]}
    (folder / "etl.jwks").write_text(json.dumps(jwks))
    (folder / "shared.jwk").write_bytes(secret)
    (folder / "shared.jwk").chmod(0o600)
    with gateway(folder, ROUTE) as running:
        yield running


def client(site: Site, auth: SigningAuth | None = None) -> httpx.Client:
    certs = site.folder / "certs"
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(certs / "client.pem", certs / "client.key")
    return httpx.Client(verify=context, auth=auth, base_url=f"https://{site.gateway}")


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:lockgate:problem:")


def send(site: Site, file: Path, *options: str | Path) -> int:
    certs = site.folder / "certs"
    words = ["send", f"https://{site.gateway}/signed/1", file, "--trust", certs / "ca.pem"]
    words += ["--cert", certs / "client.pem", "--key", certs / "client.key"]
    words += ["--receipts-key", certs / "receipts.pub", *options]
    return main([str(word) for word in words])


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_request_signed_by_any_kind_of_key_is_delivered_and_receipted_as_signed(
    site: Site, keys: dict[str, bytes], algorithm: str
) -> None:
    key = parse_signing_key(keys[algorithm])
    with client(site, SigningAuth(key)) as sender:
        answer = sender.post("/signed/1", content=algorithm.encode())
    assert answer.is_success, answer.text
    said = verify_receipt(answer, site.folder / "certs/receipts.pub").statement
    signature = said["predicate"]["request"]["signature"]
    assert (signature["keyid"], signature["algorithm"]) == (key.verifying.name, algorithm)


def test_send_signs_with_the_key_of_the_certificate_or_the_one_that_is_named(
    site: Site, keys: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "order").write_bytes(ORDER)
    (tmp_path / "etl.key").write_bytes(keys["ml-dsa-65"])
    assert send(site, tmp_path / "order", "--sign") == 0
    assert send(site, tmp_path / "order", "--sign-key", tmp_path / "etl.key", "--new") == 0
    capsys.readouterr()
    assert send(site, tmp_path / "order", "--new") == 1
    assert "signature-required" in capsys.readouterr().out


def test_what_was_caught_and_is_sent_again_is_refused_whatever_is_changed(
    site: Site, keys: dict[str, bytes]
) -> None:
    key: SigningKey = parse_signing_key(keys["ed25519"])
    with client(site, SigningAuth(key)) as sender:
        caught = sender.post("/signed/2", content=ORDER).request
    with client(site) as thief:
        again = thief.send(caught)
        assert problem(again) == (409, "signature-replayed")
        assert verify_receipt(again, site.folder / "certs/receipts.pub").verdict == "rejected"
        elsewhere = thief.post("/signed/3", content=ORDER, headers=caught.headers)
        assert problem(elsewhere) == (403, "signature-refused")
        other = dict(caught.headers, **{"content-length": "3"})
        changed = thief.post("/signed/2", content=b"{1}", headers=other)
        assert changed.status_code in (400, 409)
        del caught.headers["signature"]
        bare = thief.post("/signed/2", content=ORDER, headers=caught.headers)
        assert problem(bare) == (400, "signature-required")


def test_an_attempt_more_under_the_same_id_is_answered_as_the_first(
    site: Site, keys: dict[str, bytes]
) -> None:
    auth = SigningAuth(parse_signing_key(keys["ecdsa-p256-sha256"]))
    headers = {"Transfer-Id": auth.transfer_id("orders", "1")}
    with client(site, auth) as sender:
        answers = [sender.post("/signed/4", content=ORDER, headers=headers) for _ in range(2)]
    receipts = [verify_receipt(each, site.folder / "certs/receipts.pub") for each in answers]
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert all(answer.is_success for answer in answers)
