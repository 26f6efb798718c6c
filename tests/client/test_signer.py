"""The fields of a signed request, for any client: they hold, and say what gateways ask for."""

import hashlib
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.client import Signer
from proxy.errors import CredentialError
from proxy.model.signed import Verified
from proxy.wire.signature import Demands, Message, SignatureFailure, verify
from proxy.wire.signing_key import parse_signing_key
from tests.client.keys import KEYS, jwk_ed25519

URL = "https://Gateway.Example:8443/orders/1?day=1"
NOW = 1_800_000_000
DEMANDS = Demands(
    ("@method", "@target-uri", "content-digest", "transfer-id"), tag="lockgate", window=60
)
SHA256 = hashlib.sha256(b"order").digest()


def signer(key: bytes | None = None, **options: object) -> Signer:
    return Signer(key or jwk_ed25519(), clock=lambda: NOW + 0.5, **options)  # type: ignore[arg-type]


def received(fields: list[tuple[str, str]], *given: tuple[str, str]) -> Message:
    """The request as a gateway has it, whose Host is as the client wrote it."""
    lines = [(name.lower().encode(), value.encode()) for name, value in [*given, *fields]]
    return Message(tuple(lines), "POST", "/orders/1?day=1", "https", "gateway.example:8443")


def verified(by: Signer, said: Message, at: int = NOW) -> Verified:
    return verify(said, [by.key.verifying], DEMANDS, datetime.fromtimestamp(at, UTC))


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_request_that_is_signed_by_any_kind_of_key_holds(algorithm: str) -> None:
    by = signer(KEYS[algorithm]())
    held = verified(by, received(by.fields("post", URL, sha256=SHA256)))
    assert held.algorithm == algorithm
    assert (held.created, held.expires) == (NOW, NOW + 60)
    assert held.key == by.key.verifying.name


def test_everything_that_decides_where_a_transfer_goes_is_covered() -> None:
    by = signer()
    given = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Data-Sensitivity", "internal"),
        ("User-Agent", "x"),
    ]
    said = received(by.fields("POST", URL, given, SHA256), *given)
    assert verified(by, said).components == (
        '"@method"',
        '"@target-uri"',
        '"content-digest"',
        '"content-type"',
        '"content-encoding"',
        '"data-sensitivity"',
        '"transfer-id"',
    )
    for name, value in said.fields[:3]:
        fields = [field for field in said.fields if field[0] != name]
        with pytest.raises(SignatureFailure, match="invalid"):
            verified(by, replace(said, fields=(*fields, (name, value + b"x"))))


def test_what_is_asked_for_besides_is_covered_where_it_is_there() -> None:
    by = signer(components=["x-run", "x-none"])
    said = received(by.fields("POST", URL, [("X-Run", "7")], SHA256), ("X-Run", "7"))
    assert verified(by, said).covers("x-run")
    assert not verified(by, said).covers("x-none")


def test_the_gateway_that_is_asked_for_is_the_one_that_host_names() -> None:
    by = signer()
    said = received(by.fields("POST", URL, [("Host", "other.example")], SHA256))
    held = verified(by, replace(said, authority="other.example"))
    assert held.covers("@authority")
    with pytest.raises(SignatureFailure, match="invalid"):
        verified(by, said)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://gateway.example?", "/?"),
        ("https://gateway.example/a?", "/a?"),
        ("https://gateway.example/a?#b", "/a?"),
        ("https://gateway.example/a#b?", "/a"),
        ("https://gateway.example/a?b=?", "/a?b=?"),
    ],
)
def test_the_target_that_is_signed_is_the_one_that_goes_on_the_wire(url: str, target: str) -> None:
    by = signer()
    said = replace(received(by.fields("POST", url, sha256=SHA256)), authority="gateway.example")
    assert verified(by, replace(said, target=target)).covers("@target-uri")


def test_an_id_and_a_digest_that_are_there_are_kept() -> None:
    by = signer()
    given = [("Transfer-Id", str(uuid.uuid4())), ("Content-Digest", "sha-256=:AAAA:")]
    made = dict(by.fields("POST", URL, given, SHA256))
    assert set(made) == {"signature", "signature-input"}


def test_two_signatures_of_one_request_have_different_nonces() -> None:
    by = signer()
    said = [verified(by, received(by.fields("POST", URL, sha256=SHA256))) for _ in range(2)]
    assert said[0].nonce != said[1].nonce
    assert all(len(each.nonce or "") >= 22 for each in said)


def test_a_signature_that_comes_too_late_has_expired() -> None:
    by = signer(lasts=5)
    said = received(by.fields("POST", URL, sha256=SHA256))
    assert verified(by, said, NOW + 35).expires == NOW + 5
    with pytest.raises(SignatureFailure, match="expired"):
        verified(by, said, NOW + 36)


def test_ids_are_the_same_for_the_same_parts_and_key_and_for_nothing_else() -> None:
    pem = KEYS["ed25519"]()
    here, again, other = signer(pem), signer(pem), signer(KEYS["ed25519"]())
    name = here.transfer_id("orders", "2026-11-23")
    assert name == again.transfer_id(b"orders", "2026-11-23")
    assert uuid.UUID(name).version == 8
    assert len({name, other.transfer_id("orders", "2026-11-23"), here.transfer_id("orders")}) == 3
    assert here.transfer_id("ab", "c") != here.transfer_id("a", "bc")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"no key", b"{", b'{"kty": "OKP"}', b"-----BEGIN PRIVATE KEY-----\n"],
)
def test_what_is_no_private_key_is_refused(data: bytes) -> None:
    with pytest.raises(CredentialError):
        Signer(data)


def test_a_key_may_be_a_file_its_octets_or_read_already(tmp_path: Path) -> None:
    data = jwk_ed25519()
    (tmp_path / "key").write_bytes(data)
    made = {
        Signer(each).key.keyid
        for each in (tmp_path / "key", str(tmp_path / "key"), data, parse_signing_key(data))
    }
    assert made == {"etl-1"}
    with pytest.raises(FileNotFoundError):
        Signer(tmp_path / "none")


BARE = """
import sys
for name in ("trio", "OpenSSL", "h11", "hyperscan", "pydantic", "httpx"):
    sys.modules[name] = None
import proxy.client
proxy.client.Signer, proxy.client.verify_receipt
try:
    proxy.client.SigningAuth
except ModuleNotFoundError as error:
    print(error)
del sys.modules["httpx"], sys.modules["h11"]
proxy.client.SigningAuth
print(*[name for name in sys.modules if name.startswith("proxy.")], sep="\\n")
"""


def test_the_client_is_there_without_the_server_and_what_only_that_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    hint, *modules = done.stdout.splitlines()
    assert "lockgate[client]" in hint
    packages = {module.split(".")[1] for module in modules}
    assert "client" in packages
    assert packages <= {"client", "errors", "model", "problems", "receipt", "wire"}
