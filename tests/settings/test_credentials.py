"""What a configuration's files hold is told at the key that names them, all mistakes at once."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from proxy.app.prepare import prepare_all
from proxy.app.run import run
from proxy.cli import main
from proxy.errors import ConfigError
from proxy.observe.metrics import Metrics
from proxy.tls.pki import issue, make_authority
from tests import pki
from tests.settings.example import Change, changed, loaded, put, write
from tests.tls import paths


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the example, all right."""
    folder = tmp_path_factory.mktemp("files")
    pki.write(folder / "made")
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "ca.pem": "ca.pem"}
    names |= {"p.key": "pseudonym.key", "r": "receipts.key", "l": "log.key", "pq": "log-pq.key"}
    for name, made in names.items():
        shutil.copy(folder / "made" / made, folder / name)
    (folder / "short").write_bytes(b"0123456789abcde\n")
    return folder


def told(folder: Path, *changes: Change) -> list[tuple[str, str]]:
    """(path, message) of every mistake; none when the gateway could start."""
    try:
        prepare_all(loaded(folder, *changes), Metrics())
    except ConfigError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


def test_files_that_are_right_make_a_gate(folder: Path) -> None:
    assert told(folder, put("receipts.log_pq_key", "file:pq")) == []


@pytest.mark.parametrize(
    ("place", "file", "words"),
    [
        ("keys.pseudonym.0.secret", "ca.pem", "a PEM file is no masking secret"),
        ("identity.certificate", "made/gateway.key", "a certificate does not parse"),
        ("identity.key", "made/gateway.pem", "the private key does not parse"),
        ("identity.key", "l", "does not belong to the first certificate"),
        ("identity.key", "pq", "not of a kind that TLS uses"),
        ("identity.trust", "made/client.pem", "not that of a CA"),
        ("identity.trust", "l", "a certificate does not parse"),
        ("identity.crl", "ca.pem", "no PEM CRL found"),
        ("listeners.in.tls.trust", "made/client.pem", "not that of a CA"),
        ("listeners.in.tls.crl", "ca.pem", "no PEM CRL found"),
        ("upstreams.out.tls.trust", "made/client.pem", "not that of a CA"),
        ("upstreams.out.tls.crl", "ca.pem", "no PEM CRL found"),
        ("receipts.key", "c.key", "the receipt key is not an Ed25519 key"),
        ("receipts.log_key", "c.key", "the log key is not an Ed25519 key"),
        ("receipts.log_key", "r", "the same; they must differ"),
        ("receipts.log_pq_key", "l", "not an ML-DSA-44 key"),
        ("receipts.previous_key", "made/receipts.key", "the same key as `key`"),
        ("keys.pseudonym.0.secret", "short", "has under 16 octets"),
        ("identity.crl", "none", "file:none cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_told_where_it_is_named(
    folder: Path, place: str, file: str, words: str
) -> None:
    ((path, message),) = told(folder, put(place, f"file:{file}"))
    assert path == place.replace(".0.", "[0].")
    assert words in message


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length", "transfer-encoding", "Transfer-Id", "Transfer-Receipt", "Connection",
        "Host", "TE", "Trailer", "Upgrade", "Keep-Alive", "Content-Type", "Content-Encoding",
        "Content-Digest", "Via", "Forwarded", "X-Forwarded-For", "Client-Cert", "Expect",
        "Data-Sensitivity", "Proxy-Authorization", "If-Match", "Range", "Max-Forwards", "Signature",
    ],
)  # fmt: skip
def test_what_frames_a_message_or_is_ours_cannot_be_masked(folder: Path, name: str) -> None:
    rule = {"header": name, "action": "redact"}
    ((path, message),) = told(folder, put("routes.0.request.mask.1", rule))
    assert path == "routes[0].request.mask[1].header"
    assert "cannot be masked" in message


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-User", "Location", "User-Agent"])
def test_other_fields_can_be_masked(folder: Path, name: str) -> None:
    assert told(folder, put("routes.0.request.mask.1", {"header": name, "action": "drop"})) == []


def test_a_key_that_encrypts_has_32_octets(folder: Path) -> None:
    (folder / "middling").write_bytes(b"0123456789abcdef" * 2 + b"\n")
    (folder / "scant").write_bytes(b"0123456789abcdef" + b"0123456789abcde" + b"\n")
    rule = {"path": "$.ssn", "action": {"encrypt": {"key": "vault"}}}
    for name, problems in (("middling", 0), ("scant", 1)):
        vault = [{"id": "v1", "secret": f"file:{name}"}]
        found = told(folder, put("keys.vault", vault), put("routes.0.request.mask.1", rule))
        assert len(found) == problems
    assert found == [
        ("keys.vault[0].secret", "masking key vault encrypts, and has under 32 octets")
    ]


def test_wrong_files_are_told_beside_missing_ones_and_each_once(folder: Path) -> None:
    changes: dict[str, Any] = {
        "identity.certificate": "none",
        "identity.trust": "made/client.pem",
        "identity.crl": "ca.pem",
        "upstreams.out.tls.crl": "none",
        "keys.pseudonym.0.secret": "none",
        "receipts.key": "none",
        "receipts.log_key": "c.key",
        "receipts.log_pq_key": "l",
    }
    found = told(folder, *(put(place, f"file:{file}") for place, file in changes.items()))
    assert sorted(path for path, _ in found) == sorted(
        place.replace(".0.", "[0].") for place in changes
    )


def test_a_weak_key_is_told_where_it_is_named(folder: Path) -> None:
    weak = issue(make_authority(), "weak", algorithm="rsa1024")
    (folder / "weak.pem").write_bytes(weak.certificate)
    (folder / "weak.key").write_bytes(weak.key)
    own = put("identity.certificate", "file:weak.pem"), put("identity.key", "file:weak.key")
    ((path, message),) = told(folder, *own)
    assert path == "identity.key"
    assert "too weak" in message


def test_what_identity_names_is_tried_where_nobody_uses_it(folder: Path) -> None:
    own = "file:ca.pem"
    found = told(
        folder,
        put("listeners.in.tls.trust", own),
        put("upstreams.out.tls.trust", own),
        put("identity.trust", "file:made/client.pem"),
        put("identity.crl", "file:ca.pem"),
    )
    assert sorted(path for path, _ in found) == ["identity.crl", "identity.trust"]


def test_all_that_expires_is_known_each_certificate_once(folder: Path) -> None:
    """Two authorities of one name, as while one is replaced, and one that a listener trusts."""
    pki.write(folder / "other")
    both = (folder / "ca.pem").read_bytes() + (folder / "other" / "ca.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)
    own = make_authority("own")
    (folder / "own.pem").write_bytes(own.pem)
    prepared = prepare_all(
        loaded(
            folder,
            put("identity.trust", "file:both.pem"),
            put("listeners.in.tls.trust", "file:own.pem"),
            put("upstreams.out.tls.trust", "file:ca.pem"),
        ),
        Metrics(),
    )
    found = prepared.gate.certificates
    roles = [role for role, _ in found]
    assert roles == ["identity", "trust", "trust", "trust"]
    metrics = Metrics()
    metrics.certificates(found)
    series = metrics.exposition().count(b"lockgate_certificate_expiry_timestamp_seconds{")
    assert series == 4


def test_a_store_that_another_gateway_has_is_told_in_plain_words(folder: Path) -> None:
    store = folder.resolve() / "var"
    store.mkdir()
    (folder / "config").mkdir()
    path = write(folder, changed(put("receipts.store", "config/../var"), put("workers", 1)))
    held = os.open(store, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigError) as caught:
            run(path)
    finally:
        os.close(held)
    (problem,) = caught.value.problems
    assert problem.path == "receipts.store"
    assert problem.message == f"{store} is in use by another process"


def test_an_authority_below_which_nobody_would_be_let_in_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lax = paths.authority("Lax", None, without=[x509.KeyUsage])
    (folder / "mixed.pem").write_bytes((folder / "ca.pem").read_bytes() + lax.pem)
    for bundle, count in (("mixed.pem", 1), ("ca.pem", 0)):
        path = write(folder, changed(put("identity.trust", f"file:{bundle}")))
        assert main(["check", str(path)]) == 0
        lines = [line for line in capsys.readouterr().err.splitlines() if "will be let in" in line]
        assert len(lines) == count
        for line in lines:
            assert ": identity.trust: trust: nobody below 'CN=Lax' will be let in" in line
            assert line.endswith("an issuer without keyCertSign (warning useless-anchor)")
