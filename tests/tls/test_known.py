"""A peer that comes again is not examined again, and is refused all the same once it has to be."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls
from proxy.tls.context import TlsContext
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.identity import identify
from proxy.tls.known import KnownPaths
from proxy.tls.offline import CLIENT, SERVER
from proxy.tls.pki import Authority, issue, make_authority
from proxy.tls.profile import Member, examine
from tests.patience import PATIENCE
from tests.pki import make_crl, pki
from tests.tls.crls import crl
from tests.tls.makers import HOUR, of_whom, ours, without_extended_usage
from tests.tls.pump import client_side, reasons, server_side, shake
from tests.tls.rekeyed import rekeyed

ROOT = pki().authority
REFUSED = "refused_by_peer"
SECOND = timedelta(seconds=1)


def test_who_comes_again_is_the_same_to_the_octet() -> None:
    server, client = server_side(), client_side()
    seen = [shake(server, client)[0].engine.certificate for _ in range(3)]
    assert seen[0] is seen[1] is seen[2], "and takes no more room"
    leaf = parse_chain(pki().client.certificate)[0]
    assert seen[0] == identify(leaf, (ROOT.certificate.public_bytes(Encoding.DER),))


# --- what has changed since ----------------------------------------------------------------------


def until_refused(server: TlsContext, client: TlsContext) -> str | None:
    """Why a peer that is accepted at first is refused after a while."""
    assert reasons(server, client) == (None, None)
    give_up = datetime.now(UTC) + PATIENCE * SECOND
    while (reason := reasons(server, client)[0]) is None:
        assert datetime.now(UTC) < give_up
    return reason


def test_a_known_peer_whose_certificate_has_expired_since_is_refused() -> None:
    brief = ours(not_before=datetime.now(UTC) - HOUR, lifetime=HOUR + 3 * SECOND)
    assert until_refused(server_side(), client_side(brief)) == "expired"


def test_a_known_peer_whose_list_is_not_fresh_any_more_is_refused() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    server = server_side(crl=crl(ROOT, issued=now - HOUR, until=now + 3 * SECOND))
    assert until_refused(server, client_side()) == "revocation_unknown"


def test_a_known_peer_that_is_revoked_by_the_next_list_is_refused() -> None:
    client = client_side()
    assert reasons(server_side(crl=make_crl(ROOT)), client) == (None, None)
    assert reasons(server_side(crl=make_crl(ROOT, [pki().client])), client) == ("revoked", REFUSED)


def test_a_known_peer_whose_pin_is_withdrawn_is_refused() -> None:
    client = client_side()
    pins = [of_whom(pki().client)], [of_whom(pki().stranger)]
    before, after = (server_side(tls=ListenerTls(pins=each)) for each in pins)
    assert reasons(before, client) == (None, None)
    assert reasons(after, client) == ("pin", REFUSED)
    assert reasons(before, client) == (None, None), "connections of the old one go on"


def test_a_known_peer_whose_authority_is_withdrawn_is_refused() -> None:
    client = client_side()
    assert reasons(server_side(), client) == (None, None)
    assert reasons(server_side(trust=pki().foreign.pem), client) == ("untrusted", REFUSED)


def test_a_known_receiver_is_refused_under_another_name() -> None:
    server, client = server_side(pki().receiver), client_side()
    assert reasons(server, client) == (None, None)
    assert reasons(server, client, "elsewhere.example") == (REFUSED, "name")
    assert reasons(server, client) == (None, None)


# --- what is another path ------------------------------------------------------------------------


def strict(authority: Authority) -> Authority:
    """The same name and key, but one that demands a policy of whom it vouches for, which OpenSSL
    does not ask about."""
    was = authority.certificate
    builder = x509.CertificateBuilder(was.issuer, was.subject, was.public_key(), 2)
    builder = builder.not_valid_before(was.not_valid_before_utc)
    builder = builder.not_valid_after(was.not_valid_after_utc)
    for each in was.extensions:
        builder = builder.add_extension(each.value, each.critical)
    demands = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    made = builder.add_extension(demands, critical=True).sign(ROOT.signer, hashes.SHA256())
    return dataclasses.replace(authority, certificate=made, chain=(made,))


def test_a_known_leaf_is_refused_below_an_authority_that_does_not_admit_it() -> None:
    lax = make_authority("Below", issuer=ROOT)
    leaf = issue(lax, "peer")
    other = strict(lax).certificate.public_bytes(Encoding.PEM)
    own = parse_chain(leaf.certificate)[0].public_bytes(Encoding.PEM)
    server = server_side()
    assert reasons(server, client_side(leaf)) == (None, None)
    again = client_side(Credentials(own + other, leaf.key))
    assert reasons(server, again) == ("untrusted", REFUSED)


def test_the_same_name_and_key_in_another_certificate_is_examined_by_itself() -> None:
    server, lacking = server_side(), without_extended_usage()
    assert reasons(server, client_side()) == (None, None)
    again = rekeyed(ROOT, lacking, pki().client)
    for _ in range(2):
        assert reasons(server, client_side(again)) == ("usage", REFUSED)


# --- what is kept --------------------------------------------------------------------------------


def asked(known: KnownPaths, credentials: Credentials, usage: x509.ObjectIdentifier) -> object:
    leaf = crypto.X509.from_cryptography(parse_chain(credentials.certificate)[0])
    return known.require(leaf, [root(usage)])


def root(usage: x509.ObjectIdentifier) -> Member:
    return examine(ROOT.certificate, usage, authority=True)


def test_what_was_refused_is_not_kept() -> None:
    known = KnownPaths(CLIENT)
    for make in (without_extended_usage, lambda: pki().receiver):
        with pytest.raises(TlsFailure, match="usage"):
            asked(known, make(), CLIENT)
    assert len(known) == 0


@pytest.mark.parametrize("usage", [CLIENT, SERVER])
def test_only_those_that_came_last_are_kept(usage: x509.ObjectIdentifier) -> None:
    known = KnownPaths(usage, limit=2)
    first, second, third = (ours(name) for name in ("first", "second", "third"))
    was = asked(known, first, usage)
    asked(known, second, usage)
    assert asked(known, first, usage) is was
    asked(known, third, usage)
    assert len(known) == 2
    assert asked(known, first, usage) is was, "second had to go, which came before it"
