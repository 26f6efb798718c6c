"""Who sent it, told to the upstream so that no name can say more than its own."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Certificate, Channel, Peer
from proxy.wire.grammar import trailers
from proxy.wire.identity import MAX_CERTIFICATES, identity_fields

CERTIFICATE = Certificate(
    der=b"leaf",
    chain=(b"issuer", b"root"),
    sha256=bytes(32),
    spki_sha256=bytes(32),
    subject="CN=etl,O=Acme",
    issuer="CN=ca",
    serial=1,
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2027, 1, 1, tzinfo=UTC),
    spiffe="spiffe://acme/etl",
    uris=("spiffe://acme/etl",),
    dns=("etl.example", "b.example"),
)
CHANNEL = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", bytes(32))
PEER = Peer(address="192.0.2.7", certificate=CERTIFICATE, channel=CHANNEL)
PAIR = re.compile(rb'(By|Hash|Subject|URI|DNS)=("(?:[^"\\]|\\.)*"|[^";,]*)')


def named(
    peer: Peer, *, host: bytes = b"gate.example", own_uri: str | None = None
) -> dict[bytes, bytes]:
    return dict(identity_fields(peer, gateway="gate-a", host=host, own_uri=own_uri))


def test_the_certificate_is_told_in_both_forms() -> None:
    fields = named(PEER, own_uri="spiffe://acme/gate")
    assert fields[b"client-cert"] == b":bGVhZg==:"
    assert fields[b"client-cert-chain"] == b":aXNzdWVy:, :cm9vdA==:"
    assert fields[b"x-forwarded-client-cert"] == (
        b"By=spiffe://acme/gate;Hash=" + b"00" * 32 + b';Subject="CN=etl,O=Acme";'
        b"URI=spiffe://acme/etl;DNS=etl.example;DNS=b.example"
    )


def test_a_peer_without_a_certificate_is_told_by_address_alone() -> None:
    assert named(Peer(address="192.0.2.7")) == {
        b"forwarded": b'for=192.0.2.7;by=_gate-a;host="gate.example";proto=http'
    }


@pytest.mark.parametrize(
    ("address", "node"),
    [
        ("192.0.2.7", b"192.0.2.7"),
        ("2001:DB8::0:1", b'"[2001:db8::1]"'),
        ("fe80::1%eth0", b'"[fe80::1]"'),
        (None, b"unknown"),
        ("", b"unknown"),
        ("nonsense;for=1", b"unknown"),
    ],
)
def test_forwarded_names_the_address(address: str | None, node: bytes) -> None:
    value = named(Peer(address=address, channel=CHANNEL))[b"forwarded"]
    assert value == b"for=" + node + b';by=_gate-a;host="gate.example";proto=https'


def test_the_original_host_is_quoted() -> None:
    value = named(Peer(), host=b"[::1]:8443")[b"forwarded"]
    assert b'host="[::1]:8443";' in value


def test_a_certificate_without_issuers_has_no_chain_field() -> None:
    fields = named(replace(PEER, certificate=replace(CERTIFICATE, chain=())))
    assert b"client-cert-chain" not in fields


def test_certificates_that_are_too_large_are_refused() -> None:
    for large in (
        replace(CERTIFICATE, der=bytes(MAX_CERTIFICATES)),
        replace(CERTIFICATE, chain=(bytes(MAX_CERTIFICATES // 2),) * 2),
        replace(CERTIFICATE, subject="x" * MAX_CERTIFICATES),
    ):
        with pytest.raises(Refusal) as caught:
            named(replace(PEER, certificate=large))
        assert caught.value.code == "head-too-large"


@pytest.mark.parametrize(
    ("subject", "written"),
    [
        ("CN=a;URI=spiffe://acme/admin", b'"CN=a;URI=spiffe://acme/admin"'),
        ('CN=a";URI=b', rb'"CN=a\";URI=b"'),
        (r"CN=a\"b", rb'"CN=a\\\"b"'),
        ("CN=a\\", rb'"CN=a\\"'),
        ("CN=é", rb'"CN=\\C3\\A9"'),
        ("CN=a\r\nX: y", rb'"CN=a\\0D\\0AX: y"'),
        ("", b'""'),
    ],
)
def test_a_subject_cannot_end_its_own_value(subject: str, written: bytes) -> None:
    fields = named(replace(PEER, certificate=replace(CERTIFICATE, subject=subject)))
    assert b";Subject=" + written + b";URI=" in fields[b"x-forwarded-client-cert"]


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_name_begins_another_pair_or_another_field(subject: str, uri: str, dns: str) -> None:
    certificate = replace(CERTIFICATE, subject=subject, uris=(uri,), dns=(dns,))
    for name, value in named(replace(PEER, certificate=certificate)).items():
        assert trailers_accept(value), name
    value = named(replace(PEER, certificate=certificate))[b"x-forwarded-client-cert"]
    pairs = PAIR.findall(value)
    assert [key for key, _ in pairs] == [b"Hash", b"Subject", b"URI", b"DNS"]
    assert b";".join(b"%s=%s" % pair for pair in pairs) == value


def trailers_accept(value: bytes) -> bool:
    """True when `value` is one field value by the grammar."""
    return trailers(b"a: " + value + b"\r\n\r\n") == ((b"a", value.strip(b" \t")),)
