"""Who is on a list is refused, and so is everybody when the list cannot be relied on."""

import dataclasses
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import CredentialError
from proxy.tls.pki import issue, make_authority
from proxy.tls.revocation import read_crls
from tests.pki import make_crl, pki
from tests.tls.makers import HOUR
from tests.tls.pump import client_side, reasons, server_side


def test_a_revoked_certificate_is_refused_on_both_sides() -> None:
    authority = pki().authority
    crl = make_crl(authority, [pki().stranger, pki().receiver])
    revoked = client_side(pki().stranger, crl=crl)
    assert reasons(server_side(crl=crl), revoked) == ("revoked", "refused_by_peer")
    assert reasons(server_side(crl=crl), client_side(crl=crl)) == (None, None)
    server = server_side(pki().receiver)
    assert reasons(server, client_side(crl=crl)) == ("refused_by_peer", "revoked")


def test_an_expired_crl_refuses_whom_it_covers() -> None:
    before = datetime.now(UTC) - 2 * HOUR
    crl = make_crl(pki().authority, this_update=before, lifetime=HOUR)
    assert reasons(server_side(crl=crl), client_side()) == ("revocation_unknown", "refused_by_peer")


def test_a_crl_of_another_authority_covers_nobody_here() -> None:
    crl = make_crl(pki().foreign)
    assert reasons(server_side(crl=crl), client_side()) == ("revocation_unknown", "refused_by_peer")


def test_a_forged_crl_refuses() -> None:
    forged = dataclasses.replace(pki().authority, signer=pki().foreign.signer)
    crl = make_crl(forged)
    assert reasons(server_side(crl=crl), client_side()) == ("revocation_unknown", "refused_by_peer")


def test_only_the_issuer_of_the_leaf_must_publish_a_crl() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = client_side(issue(below, "peer"))
    assert reasons(server_side(crl=make_crl(below)), peer) == (None, None)
    upper = make_crl(pki().authority)
    assert reasons(server_side(crl=upper), peer) == ("revocation_unknown", "refused_by_peer")


def test_a_revoked_authority_takes_everybody_below_it_along() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = client_side(issue(below, "peer"))
    crls = make_crl(below) + make_crl(pki().authority, [below])
    assert reasons(server_side(crl=crls), peer) == ("revoked", "refused_by_peer")


# --- revocation lists ----------------------------------------------------------------------------


def test_several_lists_are_read_from_one_file() -> None:
    crls = make_crl(pki().authority, [pki().stranger]) + b"# a comment\n" + make_crl(pki().foreign)
    assert [len(crl) for crl in read_crls(crls)] == [1, 0]


def test_a_list_is_read_from_der() -> None:
    der = read_crls(make_crl(pki().authority))[0].public_bytes(Encoding.DER)
    assert len(read_crls(der)) == 1
    assert reasons(server_side(crl=der), client_side()) == (None, None)


def test_a_list_has_a_number_that_is_not_critical() -> None:
    """RFC 5280, 5.2.3: without it nobody could tell which of two lists is the newer."""
    authority, now = pki().authority, datetime.now(UTC)
    plain = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - HOUR)
        .next_update(now + HOUR)
    )
    numbered = [plain.add_extension(x509.CRLNumber(1), critical=each) for each in (False, True)]
    made = [each.sign(authority.signer, hashes.SHA256()) for each in (*numbered, plain)]
    good, *bad = [each.public_bytes(Encoding.PEM) for each in made]
    assert len(read_crls(good)) == 1
    for each in bad:
        with pytest.raises(CredentialError, match=r"Number|critical"):
            read_crls(good + each)


def test_a_damaged_list_refuses_the_file() -> None:
    good = make_crl(pki().authority)
    der = read_crls(good)[0].public_bytes(Encoding.DER)
    for content in (
        b"",
        b"text",
        good[:100],
        good + good[:200],
        der[:-1],
        der + b"\0",
        pki().trust,
    ):
        with pytest.raises(CredentialError):
            read_crls(content)
