"""`lockgate check --expiry-days`: everything that ends too soon is named, and nothing else."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.tls.pki import Authority, issue, make_authority
from tests.pki import make_crl
from tests.pki import write as make_everybody
from tests.scenarios.parties import authority_of
from tests.settings.example import PIN, Change, changed, put, write
from tests.tls.crls import crl


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_everybody(tmp_path_factory.mktemp("made") / "pki")


@pytest.fixture(scope="module")
def authority(made: Path) -> Authority:
    return authority_of(made)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "ca.pem": "ca.pem"}
    names |= {"p.key": "pseudonym.key", "r": "receipts.key", "l": "log.key"}
    for name, other in names.items():
        shutil.copy(made / other, tmp_path / name)
    return tmp_path


def check(folder: Path, days: int, *changes: Change) -> int:
    ends = put("routes.0.allow.0.when", {"until": "2099-12-31"})
    path = write(folder, changed(put("upstreams.out.pins", [PIN]), ends, *changes))
    return main(["check", str(path), "--expiry-days", str(days)])


def test_what_lasts_is_all_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(folder, 390) == 0
    assert "ok" in capsys.readouterr().out


def test_a_certificate_that_ends_sooner_is_named_with_its_place(
    folder: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = issue(authority, "gateway", lifetime=timedelta(days=10, hours=1))
    (folder / "c.pem").write_bytes(pair.certificate)
    (folder / "c.key").write_bytes(pair.key)
    assert check(folder, 9) == 0
    assert check(folder, 11) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{folder / 'gate.yaml'}:")
    assert "identity.certificate: " in line
    assert "CN=gateway" in line
    assert "ends in 10 days" in line


def test_every_certificate_of_a_bundle_is_looked_at(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first of them lasts, the second does not."""
    brief = make_authority("Brief CA", lifetime=timedelta(days=5))
    (folder / "both.pem").write_bytes((folder / "ca.pem").read_bytes() + brief.pem)
    trust = put("upstreams.out.tls", {"trust": "file:both.pem"})
    assert check(folder, 4, trust) == 0
    assert check(folder, 6, trust) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "upstreams.out.tls.trust: " in line
    assert "Brief CA" in line


@pytest.mark.parametrize("place", ["identity.crl", "listeners.in.tls.crl", "upstreams.out.tls.crl"])
def test_so_is_the_next_update_of_a_list(
    folder: Path, authority: Authority, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (folder / "ca.crl").write_bytes(make_crl(authority, lifetime=timedelta(days=3)))
    change = put(place, "file:ca.crl")
    assert check(folder, 2, change) == 0
    assert check(folder, 4, change) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f" {place}: the CRL of " in line


def test_what_has_ended_is_said_to_have_ended(
    folder: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=9)
    (folder / "ca.crl").write_bytes(
        make_crl(authority, this_update=long_ago, lifetime=timedelta(days=2))
    )
    assert check(folder, 0, put("identity.crl", "file:ca.crl")) == 1
    assert "has ended" in capsys.readouterr().err


def test_a_list_that_another_replaces_in_time_is_not_named(
    folder: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    now, day = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
    old, current, ahead = (
        crl(authority, issued=now + begin * day, until=now + end * day)
        for begin, end in ((-9, -7), (-1, 3), (2, 30))
    )
    (folder / "ca.crl").write_bytes(old + ahead + current)
    change = put("identity.crl", "file:ca.crl")
    assert check(folder, 20, change) == 0
    assert check(folder, 40, change) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f" {now + 30 * day:%Y-%m-%d %H:%M}Z" in line
    late = crl(authority, issued=now + 5 * day, until=now + 30 * day)
    (folder / "ca.crl").write_bytes(current + late)
    assert check(folder, 20, change) == 1, "between the two nobody is covered"


def test_what_cannot_be_looked_at_is_wrong_usage(folder: Path) -> None:
    path = write(folder, changed())
    assert main(["check", str(path), "--expiry-days", "3", "--no-credentials"]) == 2
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path), "--expiry-days", "soon"])
    assert ended.value.code == 2
