"""`lockgate certs`: a folder that works, files that nobody else can read, and no surprises."""

import os
import re
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from proxy.cli import main
from proxy.cli.certs import contents
from proxy.tls.credentials import Credentials, load_credentials
from proxy.tls.identity import identify
from tests.pki import write
from tests.tls.pump import client_side, connected, reasons, server_side


def made(folder: Path) -> Path:
    assert main(["certs", "init", str(folder)]) == 0
    return folder


def party(folder: Path, name: str) -> Credentials:
    return load_credentials(
        (folder / f"{name}.pem").read_bytes(), (folder / f"{name}.key").read_bytes()
    )


def test_init_makes_a_pki_with_which_connections_work(tmp_path: Path) -> None:
    folder = made(tmp_path / "pki")
    trust = (folder / "ca.pem").read_bytes()
    gateway_in = server_side(party(folder, "gateway"), trust=trust)
    gateway_out = client_side(party(folder, "gateway"), trust=trust)
    connected(gateway_in, client_side(party(folder, "client"), trust=trust))
    connected(server_side(party(folder, "receiver"), trust=trust), gateway_out)


def test_each_party_has_the_names_usages_and_lifetime_that_are_promised(tmp_path: Path) -> None:
    folder = made(tmp_path / "pki")
    trust = (folder / "ca.pem").read_bytes()
    for name in ("gateway", "client", "receiver"):
        leaf = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        who = identify(leaf)
        assert who.spiffe == f"spiffe://lockgate.example/{name}"
        assert who.dns == (f"{name}.lockgate.example", "localhost")
        assert who.ips == ("127.0.0.1", "::1")
        assert (who.not_after - who.not_before).days <= 398
    client, receiver = party(folder, "client"), party(folder, "receiver")
    assert reasons(server_side(trust=trust), client_side(receiver))[0] == "usage"
    assert reasons(server_side(client), client_side(trust=trust))[1] == "usage"


def test_private_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = made(tmp_path / "pki")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == set(contents())
    for path in folder.iterdir():
        expected = 0o600 if path.suffix in (".key", ".index") else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_signing_and_masking_keys_are_of_the_kinds_that_are_promised(tmp_path: Path) -> None:
    folder = made(tmp_path / "pki")
    receipts = load_pem_private_key((folder / "receipts.key").read_bytes(), None)
    assert isinstance(receipts, ed25519.Ed25519PrivateKey)
    log = load_pem_private_key((folder / "log.key").read_bytes(), None)
    assert isinstance(log, ed25519.Ed25519PrivateKey)
    log_pq = load_pem_private_key((folder / "log-pq.key").read_bytes(), None)
    assert isinstance(log_pq, mldsa.MLDSA44PrivateKey)
    public = load_pem_public_key((folder / "receipts.pub").read_bytes())
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public.public_bytes(*spki) == receipts.public_key().public_bytes(*spki)
    assert len((folder / "pseudonym.key").read_text()) == 45


def test_init_overwrites_nothing_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "pki")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["certs", "init", str(folder)]) == 1
    assert "--force" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert main(["certs", "init", str(folder), "--force"]) == 0
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(after) == set(before)
    assert all(after[name] != before[name] for name in before)
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600


def test_one_file_that_is_there_stops_init_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir(mode=0o700)
    (tmp_path / "pki" / "log.key").symlink_to(tmp_path / "elsewhere")
    assert main(["certs", "init", str(tmp_path / "pki")]) == 1
    assert [path.name for path in (tmp_path / "pki").iterdir()] == ["log.key"]


def test_force_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    folder, elsewhere = made(tmp_path / "pki"), tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (folder / "ca.key").unlink()
    (folder / "ca.key").symlink_to(elsewhere)
    assert main(["certs", "init", str(folder), "--force"]) == 0
    assert elsewhere.read_text() == "untouched"
    assert not (folder / "ca.key").is_symlink()


def test_init_refuses_a_folder_into_which_others_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    assert main(["certs", "init", str(tmp_path / "shared")]) == 1
    assert "others may write" in capsys.readouterr().err
    assert not list((tmp_path / "shared").iterdir())


def test_init_tells_what_it_made_and_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "pki")
    told = capsys.readouterr().out
    assert all(name in told for name in contents())
    assert re.search(rf"^Next: .*\bcerts inspect {folder}/gateway.pem$", told, re.MULTILINE)
    assert "PRIVATE" not in told


def test_inspect_shows_certificates_and_never_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "pki")
    capsys.readouterr()
    files = [str(folder / name) for name in ("gateway.pem", "ca.pem", "gateway.key", "log-pq.key")]
    assert main(["certs", "inspect", *files]) == 0
    told = capsys.readouterr().out
    assert "spiffe://lockgate.example/gateway" in told
    assert "clientAuth, serverAuth" in told
    assert "397 days left" in told
    for name in ("gateway.key", "log-pq.key"):
        for line in (folder / name).read_text().splitlines()[1:-1]:
            assert line not in told


def test_inspect_fails_on_a_file_that_it_cannot_read_and_shows_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "pki")
    (folder / "text").write_text("text")
    files = [str(folder / name) for name in ("absent", "text", "ca.pem")]
    assert main(["certs", "inspect", *files]) == 1
    told = capsys.readouterr()
    assert "authority" in told.out
    assert "No such file" in told.err


def test_pin_prints_what_the_configuration_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "pki")
    capsys.readouterr()
    assert main(["certs", "pin", str(folder / "client.pem")]) == 0
    pin = capsys.readouterr().out.strip()
    trust = (folder / "ca.pem").read_bytes()
    pinned = client_side(party(folder, "gateway"), trust=trust, pins=[pin])
    assert reasons(server_side(party(folder, "receiver"), trust=trust), pinned)[1] == "pin"
    assert main(["certs", "pin", str(folder / "receiver.pem")]) == 0
    pin = capsys.readouterr().out.strip()
    pinned = client_side(party(folder, "gateway"), trust=trust, pins=[pin])
    assert reasons(server_side(party(folder, "receiver"), trust=trust), pinned) == (None, None)
    assert main(["certs", "pin", str(folder / "receipts.pub")]) == 0
    assert main(["certs", "pin", str(folder / "client.key")]) == 1


def test_the_test_pki_on_disk_has_strangers_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    write(folder)
    trust = (folder / "ca.pem").read_bytes()
    server = server_side(party(folder, "gateway"), trust=trust)
    assert reasons(server, client_side(party(folder, "stranger"), trust=trust)) == (None, None)
    impostor = client_side(party(folder, "impostor"), trust=trust)
    assert reasons(server, impostor) == ("untrusted", "refused_by_peer")
