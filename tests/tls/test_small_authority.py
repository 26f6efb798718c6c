"""`lockgate certs` as the authority of a small site: issue, renew, rotate, revoke, list."""

import json
import os
import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from proxy.cli import main
from proxy.cli.certs_store import opened
from proxy.cli.wording import lockgate
from proxy.errors import CredentialError
from proxy.tls.book import read_book
from proxy.tls.credentials import Credentials, load_credentials, parse_chain, parse_key
from proxy.tls.identity import format_pin, identify
from proxy.tls.revocation import read_crls
from tests.tls.pump import client_side, connected, reasons, server_side

SPIFFE = "spiffe://acme.example/client"


def certs(*words: str | Path) -> int:
    return main(["certs", *map(str, words)])


def pair(folder: Path, name: str) -> Credentials:
    return load_credentials(
        (folder / f"{name}.pem").read_bytes(), (folder / f"{name}.key").read_bytes()
    )


def leaf(folder: Path, name: str) -> x509.Certificate:
    return parse_chain(pair(folder, name).certificate)[0]


def pin(folder: Path, name: str) -> str:
    return format_pin(identify(leaf(folder, name)).spki_sha256)


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An authority with a gateway and a client."""
    folder = tmp_path / "ca"
    assert certs("init", folder, "--authority", "Acme CA") == 0
    assert certs("issue", folder, "gateway", "--dns", "localhost", "--ip", "127.0.0.1") == 0
    assert certs("issue", folder, "client", "--spiffe", SPIFFE, "--usage", "client") == 0
    capsys.readouterr()
    return folder


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_authority_whose_key_has_a_passphrase_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str], form: PrivateFormat
) -> None:
    """As `openssl pkey -aes256` and `openssl ec -aes256` write it."""
    key = parse_key((folder / "ca.key").read_bytes())
    secret = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"open sesame"))
    (folder / "ca.key").write_bytes(secret)
    before = sorted(folder.iterdir())
    assert certs("issue", folder, "other", "--dns", "other.example") == 1
    assert certs("revoke", folder) == 1
    said = (
        f"{folder / 'ca.pem'} and ca.key: "
        "the private key is encrypted; give it without a passphrase\n"
    )
    assert capsys.readouterr().err == 2 * said
    assert sorted(folder.iterdir()) == before


def test_an_authority_alone_is_all_that_init_makes_when_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    assert certs("init", folder, "--authority", "Acme CA", "--lifetime", "100d") == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "ca.crl", "ca.index", "ca.key", "ca.pem",
    ]  # fmt: skip
    (authority,) = parse_chain((folder / "ca.pem").read_bytes())
    assert authority.subject.rfc4514_string() == "CN=Acme CA"
    assert (authority.not_valid_after_utc - authority.not_valid_before_utc).days == 100
    assert certs("init", folder, "--authority", "Acme CA") == 1, "nothing is overwritten"


def test_what_is_issued_carries_connections_and_has_the_names_that_were_asked_for(
    folder: Path,
) -> None:
    trust, crl = (folder / "ca.pem").read_bytes(), (folder / "ca.crl").read_bytes()
    server = server_side(pair(folder, "gateway"), trust=trust, crl=crl)
    connected(server, client_side(pair(folder, "client"), trust=trust, crl=crl))
    who = identify(leaf(folder, "client"))
    assert (who.spiffe, who.dns, who.ips) == (SPIFFE, (), ())
    assert who.subject == "CN=client"


def test_what_is_issued_lives_thirty_days_unless_more_is_asked_for(folder: Path) -> None:
    who = identify(leaf(folder, "client"))
    assert who.not_after - who.not_before == timedelta(days=30)
    assert certs("issue", folder, "brief", "--dns", "b.example", "--lifetime", "12h") == 0
    who = identify(leaf(folder, "brief"))
    assert who.not_after - who.not_before == timedelta(hours=12)


def test_usages_are_those_that_were_asked_for(folder: Path) -> None:
    trust = (folder / "ca.pem").read_bytes()
    assert certs("issue", folder, "receiver", "--dns", "localhost", "--usage", "server") == 0
    only_server, only_client = pair(folder, "receiver"), pair(folder, "client")
    both = pair(folder, "gateway")
    server, client = server_side(both, trust=trust), client_side(both, trust=trust)
    assert reasons(server, client_side(only_server, trust=trust))[0] == "usage"
    assert reasons(server_side(only_client, trust=trust), client)[1] == "usage"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["other"], "needs a name"),
        (["other", "--spiffe", "spiffe://Acme/x"], "SPIFFE"),
        (["other", "--spiffe", "https://acme.example"], "SPIFFE"),
        (["../other", "--dns", "o.example"], "cannot be the name"),
        (["ca", "--dns", "o.example"], "cannot be the name"),
        (["log", "--dns", "o.example"], "cannot be the name"),
        (["client", "--dns", "o.example"], "is there"),
        (["other", "--dns", "o.example", "--lifetime", "4000d"], "longer than the authority"),
        (["other", "--ip", "300.1.1.1"], "no address"),
        (["other", "--dns", "o..example"], "no DNS name"),
        (["other", "--dns", "o_o.example"], "no DNS name"),
        (["other", "--dns", "192.0.2.1"], "no DNS name"),
        (["other", "--ip", "::ffff:192.0.2.1"], "write it as IPv4, 192.0.2.1"),
        (["other", "--ip", "fe80::1%eth0"], "one machine's network"),
        (["x" * 65, "--dns", "o.example"], "cannot be the name"),
    ],
)
def test_what_cannot_be_issued_is_said_and_nothing_is_written(
    folder: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert certs("issue", folder, *words) == 1
    assert why in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_renewal_has_a_new_key_and_the_same_names_usages_and_lifetime(folder: Path) -> None:
    before = leaf(folder, "client")
    assert certs("renew", folder, "client") == 0
    after = leaf(folder, "client")
    assert after.public_key() != before.public_key()
    assert after.serial_number != before.serial_number
    for kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
        extensions = [each.extensions.get_extension_for_class(kind) for each in (before, after)]
        assert extensions[0] == extensions[1]
    old, new = (each.not_valid_after_utc - each.not_valid_before_utc for each in (before, after))
    assert old == new
    assert sorted(path.name for path in folder.iterdir() if "client" in path.name) == [
        "client.key", "client.pem",
    ]  # fmt: skip


def test_keys_and_the_index_are_for_the_owner_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        assert certs("renew", folder, "client") == 0
        assert certs("rotate", folder, "gateway") == 0
    finally:
        os.umask(before)
    for path in folder.iterdir():
        expected = 0o600 if path.suffix in (".key", ".index") else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_rotation_first_announces_the_new_pin_and_changes_nothing_in_use(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = pair(folder, "gateway")
    assert certs("rotate", folder, "gateway") == 0
    told = capsys.readouterr().out
    assert pair(folder, "gateway") == old
    announced = re.findall(r"sha256:[A-Za-z0-9+/=]{44}", told)
    assert announced == [pin(folder, "gateway.next"), pin(folder, "gateway")]
    trust = (folder / "ca.pem").read_bytes()
    for name in ("gateway", "gateway.next"):
        peer = client_side(pair(folder, "client"), trust=trust, pins=announced)
        connected(server_side(pair(folder, name), trust=trust), peer)
    assert certs("rotate", folder, "gateway") == 1, "one rotation at a time"
    assert certs("renew", folder, "gateway") == 1


def test_the_end_of_a_rotation_puts_the_pair_in_place_and_names_the_pin_that_may_go(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, serial = pin(folder, "gateway"), leaf(folder, "gateway").serial_number
    assert certs("rotate", folder, "gateway") == 0
    new = pin(folder, "gateway.next")
    capsys.readouterr()
    assert certs("rotate", folder, "gateway", "--finish") == 0
    told = capsys.readouterr().out
    assert pin(folder, "gateway") == new
    assert re.findall(r"sha256:[A-Za-z0-9+/=]{44}", told) == [new, old]
    assert f"{serial:x}" in told
    assert not list(folder.glob("*.next.*"))
    assert certs("rotate", folder, "gateway", "--finish") == 1


def test_a_replacement_that_was_cut_short_goes_on(folder: Path) -> None:
    """The key was renamed, and then the machine stopped: what is on the disk is no pair."""
    assert certs("rotate", folder, "gateway") == 0
    new = pair(folder, "gateway.next")
    (folder / "gateway.next.key").rename(folder / "gateway.key")
    with pytest.raises(CredentialError):
        pair(folder, "gateway")
    assert certs("rotate", folder, "gateway", "--finish") == 0
    assert pair(folder, "gateway") == new


def test_a_pair_is_never_seen_torn_and_fitting(folder: Path) -> None:
    """At each system call of a renewal the two files are the old pair, the new one, or no pair."""
    seen: list[Credentials | None] = [pair(folder, "client")]
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = original(self, target)
        try:
            seen.append(pair(folder, "client"))
        except CredentialError:
            seen.append(None)
        return moved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        assert certs("renew", folder, "client") == 0
    old, new = seen[0], pair(folder, "client")
    order = [each for number, each in enumerate(seen) if each != seen[number - 1]]
    assert order == [old, None, new]


def test_revoking_writes_a_list_with_the_next_number_and_a_next_update(folder: Path) -> None:
    trust = (folder / "ca.pem").read_bytes()
    serial = leaf(folder, "client").serial_number
    for number, words in ((2, ["client", "--reason", "keyCompromise"]), (3, [])):
        assert certs("revoke", folder, *words, "--next-update", "7d") == 0
        (crl,) = read_crls((folder / "ca.crl").read_bytes())
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == number
        assert crl.next_update_utc is not None
        assert timedelta(days=6) < crl.next_update_utc - datetime.now(UTC) < timedelta(days=8)
        (revoked,) = crl
        assert revoked.serial_number == serial
        reason = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason is x509.ReasonFlags.key_compromise
    server = server_side(pair(folder, "gateway"), trust=trust, crl=(folder / "ca.crl").read_bytes())
    assert reasons(server, client_side(pair(folder, "client"), trust=trust))[0] == "revoked"


def test_a_number_goes_on_from_a_list_that_somebody_else_wrote(folder: Path) -> None:
    (folder / "ca.index").unlink()
    assert certs("revoke", folder) == 0
    (crl,) = read_crls((folder / "ca.crl").read_bytes())
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2


def test_an_old_certificate_is_revoked_by_its_number_and_nothing_twice(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = f"{leaf(folder, 'client').serial_number:x}"
    assert certs("renew", folder, "client") == 0
    assert certs("revoke", folder, old) == 0
    assert certs("revoke", folder, old) == 1
    assert "already" in capsys.readouterr().err
    assert certs("revoke", folder, "abcdef") == 1
    assert certs("revoke", folder, "nobody") == 1
    (crl,) = read_crls((folder / "ca.crl").read_bytes())
    assert [f"{each.serial_number:x}" for each in crl] == [old], "the new one goes on"


def test_who_is_revoked_by_name_is_told_of_older_and_next_ones_that_are_valid_still(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = f"{leaf(folder, 'client').serial_number:x}"
    assert certs("renew", folder, "client") == 0
    assert certs("rotate", folder, "client") == 0
    coming = f"{leaf(folder, 'client.next').serial_number:x}"
    capsys.readouterr()
    assert certs("revoke", folder, "client") == 0
    said = capsys.readouterr().out
    assert f"certs revoke {folder} {old} {coming}\n" in said
    assert certs("revoke", folder, old, coming) == 0
    assert "valid still" not in capsys.readouterr().out


def test_list_shows_what_was_issued_and_what_became_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certs("issue", folder, "brief", "--dns", "b.example", "--lifetime", "1s") == 0
    assert certs("revoke", folder, "client", "--reason", "superseded") == 0
    capsys.readouterr()
    assert certs("list", folder, "--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["name"], each["state"]) for each in said] == [
        ("gateway", "valid"), ("client", "revoked"), ("brief", "expired"),
    ]  # fmt: skip
    assert said[1]["reason"] == "superseded"
    assert said[0]["pin"] == pin(folder, "gateway")
    assert said[0]["serial"] == f"{leaf(folder, 'gateway').serial_number:x}"
    assert certs("list", folder) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["valid", "revoked", "expired"]


def test_an_index_that_cannot_be_read_stops_everything(folder: Path) -> None:
    """Who forgot what was revoked would publish a list that lets it in again."""
    index = folder / "ca.index"
    index.write_bytes(index.read_bytes() + b'{"revoked":')
    for words in (["revoke"], ["list"], ["renew", "client"]):
        assert certs(words[0], folder, *words[1:]) == 1


def test_the_index_is_read_as_it_was_written(folder: Path) -> None:
    assert certs("revoke", folder, "client") == 0
    octets = (folder / "ca.index").read_bytes()
    assert read_book(octets).octets == octets


def test_two_commands_at_once_do_not_lose_each_other(folder: Path) -> None:
    command = [*lockgate(), "certs", "issue", str(folder)]
    running = [subprocess.Popen([*command, f"peer{n}", "--dns", f"p{n}.example"]) for n in range(4)]
    assert [each.wait(60) for each in running] == [0] * 4
    with opened(folder) as store:
        assert len(store.book.entries) == 6


def test_what_was_issued_is_in_the_index_before_it_is_anywhere_else(folder: Path) -> None:
    """A key that cannot be written leaves a line too many, never a certificate without one."""
    (folder / "late.next.key").mkdir()
    assert certs("issue", folder, "late", "--dns", "l.example") == 1
    with opened(folder) as store:
        assert [entry.name for entry in store.book.entries][-1] == "late"
