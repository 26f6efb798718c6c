"""What lists say of a path, in each mode; and that nothing else than the lists in scope counts."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from proxy.errors import CredentialError, TlsFailure
from proxy.settings.trust import Revocation
from proxy.tls.credentials import Credentials, parse_chain, parse_key
from proxy.tls.pki import Authority, issue, make_authority
from proxy.tls.revocation import read_lists
from proxy.tls.standing import Revocations, Standing, require_signed
from tests.pki import pki
from tests.tls.crls import HOUR, NOW, certificate_of, crl, scope
from tests.tls.makers import by_hand

ROOT = pki().authority
BELOW = make_authority("Below", issuer=ROOT)
LEAF = issue(BELOW, "leaf")
PATH = [*parse_chain(LEAF.certificate), ROOT.certificate]
SHORT = [*parse_chain(pki().client.certificate), ROOT.certificate]
MODES = ["leaf", "hard", "soft"]


def judged(
    path: list[x509.Certificate],
    *crls: bytes,
    mode: str = "leaf",
    max_age: float | None = None,
    at: datetime = NOW,
) -> Standing:
    rule = Revocation.model_validate({"mode": mode})
    rule = rule.model_copy(update={"max_age": max_age})
    lists = read_lists(b"".join(crls)) if crls else ()
    return Revocations(lists, rule).require(path, at)


def reason(path: list[x509.Certificate], *crls: bytes, **words: Any) -> str | None:
    try:
        judged(path, *crls, **words)
    except TlsFailure as failure:
        return failure.reason
    return None


STALE: dict[str, Any] = {"issued": NOW - 3 * HOUR, "until": NOW - HOUR}


@pytest.mark.parametrize("mode", MODES)
def test_a_revoked_certificate_is_refused_in_every_mode_and_by_a_list_that_has_expired(
    mode: str,
) -> None:
    none: dict[str, Any] = {}
    for times in (none, STALE):
        assert reason(PATH, crl(BELOW, LEAF, **times), crl(ROOT), mode=mode) == "revoked"
        assert reason(PATH, crl(BELOW), crl(ROOT, BELOW, **times), mode=mode) == "revoked"
        assert reason(PATH, crl(ROOT, ROOT, **times), crl(BELOW), mode=mode) == "revoked"


@pytest.mark.parametrize(
    ("mode", "leaf", "upper", "said"),
    [
        ("leaf", True, True, None),
        ("leaf", True, False, None),
        ("leaf", False, True, "revocation_unknown"),
        ("hard", True, True, None),
        ("hard", True, False, "revocation_unknown"),
        ("hard", False, True, "revocation_unknown"),
        ("soft", True, False, None),
        ("soft", False, True, None),
    ],
)
def test_a_missing_list_means_what_the_mode_says(
    mode: str, leaf: bool, upper: bool, said: str | None
) -> None:
    lists = [crl(authority) for authority, there in ((BELOW, leaf), (ROOT, upper)) if there]
    assert reason(PATH, *lists, mode=mode) == said


@pytest.mark.parametrize(
    ("mode", "said"),
    [("leaf", "revocation_unknown"), ("hard", "revocation_unknown"), ("soft", None)],
)
def test_an_expired_list_means_what_the_mode_says(mode: str, said: str | None) -> None:
    assert reason(PATH, crl(BELOW, **STALE), crl(ROOT), mode=mode) == said
    assert reason(PATH, crl(BELOW), crl(ROOT, **STALE), mode=mode) == said


def test_one_list_for_one_authority_demands_none_of_the_others_above_it() -> None:
    assert reason(PATH, crl(BELOW)) is None


def test_without_any_list_nothing_is_asked() -> None:
    assert judged(PATH, mode="hard") == Standing(min(each.not_valid_after_utc for each in PATH))


def test_soft_says_by_name_of_whom_nothing_is_known() -> None:
    known = judged(PATH, crl(BELOW, **STALE), mode="soft")
    assert len(known.unknown) == 2
    assert "not fresh: CN=Below" in known.unknown[0]
    assert "no list of its issuer: CN=Test CA" in known.unknown[1]
    assert judged(PATH, crl(BELOW), crl(ROOT), mode="soft").unknown == ()
    assert judged(PATH, crl(BELOW)).unknown == (), "what is not demanded is not missed"


def test_a_list_older_than_max_age_counts_as_expired() -> None:
    old = crl(ROOT, issued=NOW - 2 * HOUR)
    assert reason(SHORT, old) is None
    assert reason(SHORT, old, max_age=7200.0) is None
    assert reason(SHORT, old, max_age=7199.0) == "revocation_unknown"
    assert reason(SHORT, old, max_age=7199.0, mode="soft") is None


def test_a_list_of_the_future_covers_nobody_yet_and_revokes_at_once() -> None:
    early: dict[str, Any] = {"issued": NOW + HOUR, "until": NOW + 2 * HOUR}
    assert reason(SHORT, crl(ROOT, **early)) == "revocation_unknown"
    assert reason(SHORT, crl(ROOT, pki().client, **early), mode="soft") == "revoked"


@pytest.mark.parametrize("mode", MODES)
def test_a_list_of_the_future_replaces_none_before_its_time(mode: str) -> None:
    """Beside one that has been published ahead, the present one says what it said without it."""
    ahead: dict[str, Any] = {"issued": NOW + HOUR / 2, "until": NOW + 2 * HOUR}
    now, later = crl(ROOT, pki().client), crl(ROOT, **ahead)
    for lists in ((now, later), (later, now)):
        assert reason(SHORT, *lists, mode=mode) == "revoked"
        assert reason(SHORT, *lists, mode=mode, at=NOW + HOUR / 2) is None
    good, naming = crl(ROOT), crl(ROOT, pki().client, **ahead)
    for lists in ((good, later), (later, good)):
        assert judged(SHORT, *lists, mode=mode) == Standing(NOW + HOUR / 2)
        assert judged(SHORT, *lists, mode=mode, at=NOW + HOUR / 2) == Standing(NOW + 2 * HOUR)
    assert reason(SHORT, good, naming, mode=mode) == "revoked"
    assert reason(SHORT, later, naming, good, mode=mode) == "revoked", "of all that are ahead"


def test_the_newest_list_of_a_scope_alone_counts() -> None:
    older = crl(ROOT, pki().client, issued=NOW - 2 * HOUR)
    for lists in ((older, crl(ROOT)), (crl(ROOT), older)):
        assert reason(SHORT, *lists) is None
    assert reason(SHORT, crl(ROOT, issued=NOW - 2 * HOUR), crl(ROOT, pki().client)) == "revoked"


def test_of_two_lists_of_one_instant_the_number_says_which_is_newer_and_not_the_order() -> None:
    first, second = crl(ROOT, number=7), crl(ROOT, pki().client, number=8)
    for lists in ((first, second), (second, first)):
        assert reason(SHORT, *lists) == "revoked"
    first, second = crl(ROOT, pki().client, number=7), crl(ROOT, number=8)
    for lists in ((first, second), (second, first)):
        assert reason(SHORT, *lists) is None
    one, another = crl(ROOT, number=7), crl(ROOT, pki().client, number=7)
    for lists in ((one, another), (another, one)):
        assert reason(SHORT, *lists) == "revoked", "where nothing tells, both count"


def test_the_answer_stands_until_the_list_or_a_certificate_ends() -> None:
    assert judged(SHORT, crl(ROOT)).until == NOW + HOUR
    assert judged(SHORT, crl(ROOT), max_age=5400.0).until == NOW + HOUR / 2
    assert judged(PATH, crl(BELOW, until=NOW + 2 * HOUR), crl(ROOT)).until == NOW + HOUR
    late = NOW + HOUR * 24 * 365 * 10
    assert judged(SHORT, crl(ROOT, until=late)).until == SHORT[0].not_valid_after_utc
    stale_and_soft = judged(SHORT, crl(ROOT, **STALE), mode="soft")
    assert stale_and_soft.until == SHORT[0].not_valid_after_utc


# --- whose list it is ----------------------------------------------------------------------------


def test_a_list_that_its_authority_has_not_signed_does_not_count() -> None:
    forged = replace(ROOT, signer=pki().foreign.signer)
    assert reason(SHORT, crl(forged)) == "revocation_unknown"
    assert reason(SHORT, crl(forged, pki().client), mode="soft") is None
    with pytest.raises(CredentialError, match="has not signed it: CN=Test CA"):
        require_signed(read_lists(crl(forged)), [ROOT.certificate])
    with pytest.raises(CredentialError, match="has not signed it"):
        require_signed(read_lists(crl(forged, named=False)), [ROOT.certificate])
    require_signed(read_lists(crl(ROOT)), [ROOT.certificate])
    require_signed(read_lists(crl(pki().foreign)), [ROOT.certificate])


def test_an_authority_that_may_not_sign_lists_covers_nobody() -> None:
    lax = by_hand(
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(False, False, False, False, False, True, False, False, False),
    )
    (certificate,) = parse_chain(lax.certificate)
    mute = Authority(certificate, parse_key(lax.key), (certificate,))
    path = [SHORT[0], certificate, ROOT.certificate]
    assert reason(path, crl(mute)) == "revocation_unknown"


def test_an_earlier_key_of_the_same_name_covers_nobody_of_the_later() -> None:
    one, two = make_authority("Rolled"), make_authority("Rolled")
    leaf = issue(two, "leaf")
    path = [*parse_chain(leaf.certificate), two.certificate]
    assert reason(path, crl(one, leaf)) == "revocation_unknown"
    assert reason(path, crl(one, leaf), crl(two)) is None
    assert reason(path, crl(two, leaf), crl(one)) == "revoked"
    require_signed(read_lists(crl(one)), [two.certificate])


# --- scopes --------------------------------------------------------------------------------------


def test_a_list_of_authorities_only_covers_no_leaf_and_one_of_others_no_authority() -> None:
    of_authorities = crl(ROOT, critical=[scope(authorities=True)])
    of_others = crl(ROOT, critical=[scope(others=True)])
    assert reason(SHORT, of_authorities) == "revocation_unknown"
    assert reason(SHORT, of_others) is None
    assert reason(PATH, crl(BELOW), of_authorities, mode="hard") is None
    assert reason(PATH, crl(BELOW), of_others, mode="hard") == "revocation_unknown"
    assert reason(PATH, crl(BELOW), of_others, of_authorities, mode="hard") is None


def test_a_list_of_one_distribution_point_covers_who_names_that_point() -> None:
    def at(url: str) -> Credentials:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
        return by_hand(x509.CRLDistributionPoints([point]))

    one, two = at("http://crl.example/1"), at("http://crl.example/2")
    first = crl(ROOT, two, critical=[scope("http://crl.example/1", "ldap://x/")])
    second = crl(ROOT, two, critical=[scope("http://crl.example/2")])
    paths = [[certificate_of(each), ROOT.certificate] for each in (one, two)]
    assert [reason(path, first) for path in paths] == [None, "revocation_unknown"]
    assert [reason(path, first, second) for path in paths] == [None, "revoked"]
    assert reason(SHORT, first) == "revocation_unknown", (
        "who names none is covered by a list for all only"
    )


# --- lists that are of no use --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"number": None}, "no CRLNumber"),
        ({"critical": [x509.DeltaCRLIndicator(1)]}, "delta CRL"),
        ({"critical": [scope(indirect_crl=True)]}, "indirect CRL"),
        ({"critical": [scope(only_contains_attribute_certs=True)]}, "covers nobody"),
        (
            {"critical": [scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise]))]},
            "covers nobody",
        ),
        (
            {"critical": [x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")]},
            "critical extension",
        ),
        ({"algorithm": hashes.SHA224()}, "signed with sha224"),
    ],
)
def test_a_list_that_says_half_of_it_refuses_its_file(words: dict[str, Any], said: str) -> None:
    with pytest.raises(CredentialError, match=said):
        read_lists(crl(ROOT) + crl(ROOT, **words))


def test_an_entry_for_another_authority_refuses_its_file() -> None:
    foreign = x509.CertificateIssuer([x509.DirectoryName(pki().foreign.certificate.subject)])
    with pytest.raises(CredentialError, match="an entry of a CRL"):
        read_lists(crl(ROOT, pki().client, entry=[(foreign, True)]))


@pytest.mark.parametrize(
    "flag", [x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl]
)
def test_who_is_held_or_removed_is_named_all_the_same_and_so_revoked(
    flag: x509.ReasonFlags,
) -> None:
    held = crl(ROOT, pki().client, entry=[(x509.CRLReason(flag), False)])
    assert reason(SHORT, held) == "revoked"
