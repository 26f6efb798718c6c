"""Who has passed a handshake is judged again, under the same trust or another, by its rules."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import TlsFailure
from proxy.model import Certificate
from proxy.settings.trust import Revocation
from proxy.tls.context import make_judge
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.identity import format_pin, identify
from proxy.tls.judge import Judge
from proxy.tls.pki import Authority, issue, make_authority
from tests.pki import make_crl, pki
from tests.tls.crls import crl
from tests.tls.makers import HOUR, of_whom, with_any_extended_usage
from tests.tls.rekeyed import rekeyed

ROOT = pki().authority


def verified(credentials: Credentials, anchor: Authority = ROOT) -> Certificate:
    """As a handshake has left it, whose path ended at `anchor`."""
    leaf, *others = [*parse_chain(credentials.certificate), anchor.certificate]
    return identify(leaf, tuple(each.public_bytes(Encoding.DER) for each in others))


def judge(trust: bytes, lists: bytes | None = None, pins: list[str] | None = None) -> Judge:
    return make_judge(trust, lists, Revocation(), pins, server=True)


def now() -> datetime:
    """Asked anew: certificates of a test are younger than the module."""
    return datetime.now(UTC)


def reason(by: Judge, certificate: Certificate, at: datetime | None = None) -> str | None:
    try:
        by.require(certificate, at or now())
    except TlsFailure as failure:
        return failure.reason
    return None


def test_who_is_acceptable_is_so_until_its_certificate_ends() -> None:
    client = verified(pki().client)
    assert judge(pki().trust).require(client, now()).until == client.not_after
    assert reason(judge(pki().trust), client, client.not_after) is None
    assert reason(judge(pki().trust), client, client.not_after + HOUR) == "expired"
    assert reason(judge(pki().trust), client, client.not_before - HOUR) == "not_yet_valid"


def test_an_authority_above_that_has_expired_takes_those_below_along() -> None:
    before = now() - 2 * HOUR
    below = make_authority("Below", issuer=ROOT, not_before=before, lifetime=3 * HOUR)
    leaf = verified(issue(below, "leaf"))
    by = judge(pki().trust)
    assert by.require(leaf, now()).until == below.certificate.not_valid_after_utc
    assert reason(by, leaf, now() + 2 * HOUR) == "expired"


def test_a_trust_that_is_withdrawn_refuses() -> None:
    client = verified(pki().client)
    assert reason(judge(pki().foreign.pem), client) == "untrusted"
    assert reason(judge(pki().foreign.pem + pki().trust), client) is None


def test_another_path_to_a_trusted_authority_will_do() -> None:
    """The same name and key below another authority: cross-certified."""
    cross = make_authority("New root")
    below = make_authority("Below", issuer=ROOT)
    again = make_authority("Below", issuer=cross)
    leaf = issue(below, "leaf")
    moved = verified(leaf)
    assert reason(judge(cross.pem), moved) == "untrusted", "nobody sent a certificate for that"
    other = issue(again, "leaf")
    known = verified(other, cross)
    both = judge(cross.pem + pki().trust)
    assert reason(both, known) is None
    assert reason(both, moved) is None


def test_a_root_that_was_issued_anew_for_the_same_key_will_do() -> None:
    root = Credentials(ROOT.pem, ROOT.key)
    anew = rekeyed(ROOT, root, root, later=HOUR / 100).certificate
    assert anew != ROOT.pem
    assert reason(judge(anew), verified(pki().client)) is None
    namesake = make_authority("Test CA")
    assert reason(judge(namesake.pem), verified(pki().client)) == "untrusted", "another key"


def test_a_list_or_a_pin_that_comes_later_refuses() -> None:
    client = verified(pki().client)
    assert reason(judge(pki().trust, make_crl(ROOT, [pki().client])), client) == "revoked"
    assert reason(judge(pki().trust, crl(pki().foreign)), client) == "revocation_unknown"
    assert reason(judge(pki().trust, pins=[of_whom(pki().stranger)]), client) == "pin"
    mine = format_pin(client.spki_sha256)
    assert reason(judge(pki().trust, crl(ROOT), [mine]), client) is None


def test_under_another_trust_all_rules_of_a_handshake_hold() -> None:
    """A path is looked for anew, and this leaf would not pass."""
    lax = verified(with_any_extended_usage(), pki().foreign)
    assert reason(judge(pki().trust), lax) == "usage"


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.tls.judge._PATHS", 3)
    by = judge(pki().trust)
    for number in range(5):
        assert reason(by, verified(issue(ROOT, f"peer-{number}"), pki().foreign)) is None
    assert len(by._found) == 3
