"""Every reason for which a peer is refused, on both sides: nobody gets through on the rest.

Pairs are `(what the server says, what the client says)`.
"""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.context import client_context
from proxy.tls.credentials import Credentials, parse_chain, parse_key
from proxy.tls.engine import Engine
from proxy.tls.identity import read_pins
from proxy.tls.pki import BOTH, CLIENT, SERVER, Names, issue, make_authority, make_crl
from tests.pki import pki
from tests.tls.hello import (
    SECP521R1,
    TLS11,
    TLS12,
    UNKNOWN_HYBRID,
    X25519,
    client_hello,
)
from tests.tls.pump import bytewise, client_side, reasons, server_side, shake, whole

HOUR = timedelta(hours=1)
Maker = Callable[..., Credentials]
SERVER_SIDE = server_side()


def ours(name: str = "peer", **properties: object) -> Credentials:
    """A certificate of our CA with something special about it."""
    return issue(pki().authority, name, **properties)  # type: ignore[arg-type]


def of_whom(credentials: Credentials) -> str:
    return read_pins(credentials.certificate)[0]


def expired() -> Credentials:
    return ours(not_before=datetime.now(UTC) - 2 * HOUR, lifetime=HOUR)


def not_yet_valid() -> Credentials:
    return ours(not_before=datetime.now(UTC) + HOUR)


def without_extended_usage() -> Credentials:
    return ours(usages=None)


def with_any_extended_usage() -> Credentials:
    return ours(usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])


def without_digital_signature() -> Credentials:
    return ours(digital_signature=False)


def with_two_spiffe_ids() -> Credentials:
    uris = ("spiffe://lockgate.example/one", "spiffe://lockgate.example/two")
    return ours(names=Names(uris=uris, dns=("localhost",)))


def with_a_bad_spiffe_id() -> Credentials:
    return ours(names=Names(uris=("spiffe://Lockgate.Example/one",), dns=("localhost",)))


def of_a_foreign_authority() -> Credentials:
    return issue(pki().foreign, "client")


def of_a_self_signed_leaf() -> Credentials:
    lone = make_authority("Lone")
    return Credentials(lone.pem, lone.key)


def of_an_authority() -> Credentials:
    below = make_authority("Below", issuer=pki().authority)
    return Credentials(below.pem, below.key)


def of_an_expired_authority() -> Credentials:
    """The intermediate has expired; the leaf below it has not."""
    before = datetime.now(UTC) - 2 * HOUR
    below = make_authority("Below", issuer=pki().authority, not_before=before, lifetime=HOUR)
    return issue(below, "peer")


def below_a_leaf() -> Credentials:
    """Signed with the key of an end-entity certificate."""
    template = make_authority("Leaf", issuer=pki().authority)
    leaf = ours("Leaf", usages=BOTH)
    certificate = parse_chain(leaf.certificate)[0]
    signer = dataclasses.replace(
        template, certificate=certificate, signer=parse_key(leaf.key), chain=(certificate,)
    )
    return issue(signer, "peer")


REFUSED: list[tuple[Maker, str]] = [
    (expired, "expired"),
    (of_an_expired_authority, "expired"),
    (not_yet_valid, "not_yet_valid"),
    (without_extended_usage, "usage"),
    (with_any_extended_usage, "usage"),
    (without_digital_signature, "usage"),
    (of_an_authority, "usage"),
    (with_two_spiffe_ids, "identity"),
    (with_a_bad_spiffe_id, "identity"),
    (of_a_foreign_authority, "untrusted"),
    (of_a_self_signed_leaf, "untrusted"),
    (below_a_leaf, "untrusted"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_a_server_refuses_a_client_certificate(make: Maker, reason: str) -> None:
    assert reasons(server_side(), client_side(make())) == (reason, "refused_by_peer")


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_a_client_refuses_a_server_certificate(make: Maker, reason: str) -> None:
    assert reasons(server_side(make()), client_side()) == ("refused_by_peer", reason)


def test_a_server_certificate_does_not_make_a_client_nor_the_other_way_round() -> None:
    assert reasons(server_side(), client_side(pki().receiver)) == ("usage", "refused_by_peer")
    assert reasons(server_side(pki().client), client_side()) == ("refused_by_peer", "usage")


def test_a_client_without_a_certificate_is_refused() -> None:
    nobody = client_context(None, pki().trust, None, Tls(), None)
    assert reasons(server_side(), nobody) == ("no_certificate", "refused_by_peer")


def test_trust_is_what_is_given_and_nothing_else() -> None:
    foreign = server_side(trust=pki().foreign.pem)
    assert reasons(foreign, client_side()) == ("untrusted", "refused_by_peer")
    assert reasons(foreign, client_side(pki().impostor)) == (None, None)


def test_an_intermediate_that_is_not_sent_along_is_not_guessed() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = issue(below, "peer")
    leaf = peer.certificate[: peer.certificate.index(b"-----END") + 26]
    whole, alone = client_side(peer), client_side(Credentials(leaf, peer.key))
    assert reasons(server_side(), whole) == (None, None)
    assert reasons(server_side(), alone) == ("untrusted", "refused_by_peer")


# --- pins: in addition to everything else --------------------------------------------------------


def test_a_pin_admits_its_own_key_only() -> None:
    pinned = ListenerTls(pins=[of_whom(pki().client)])
    assert reasons(server_side(tls=pinned), client_side()) == (None, None)
    others = client_side(pki().stranger)
    assert reasons(server_side(tls=pinned), others) == ("pin", "refused_by_peer")


def test_a_client_pins_its_server() -> None:
    right, wrong = [of_whom(pki().gateway)], [of_whom(pki().receiver)]
    assert reasons(server_side(), client_side(pins=wrong)) == ("refused_by_peer", "pin")
    assert reasons(server_side(), client_side(pins=wrong + right)) == (None, None)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (expired, "expired"),
        (of_a_foreign_authority, "untrusted"),
        (without_extended_usage, "usage"),
    ],
)
def test_a_pin_replaces_no_other_check(make: Maker, reason: str) -> None:
    peer = make()
    server = server_side(tls=ListenerTls(pins=[of_whom(peer)]))
    assert reasons(server, client_side(peer)) == (reason, "refused_by_peer")
    client = client_side(pins=[of_whom(peer)])
    assert reasons(server_side(peer), client) == ("refused_by_peer", reason)


# --- the name of the server ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST", "127.0.0.1", "::1", "gateway.lockgate.example"]
)
def test_a_client_accepts_a_name_that_the_server_has(name: str) -> None:
    assert reasons(server_side(), client_side(), name) == (None, None)


@pytest.mark.parametrize(
    "name", ["other.example", "127.0.0.2", "::2", "xn--lockgate.example", "gateway"]
)
def test_a_client_refuses_a_server_of_another_name(name: str) -> None:
    assert reasons(server_side(), client_side(), name) == ("refused_by_peer", "name")


def test_a_common_name_is_no_name() -> None:
    server = server_side(ours("gateway.test", names=Names()))
    assert reasons(server, client_side(), "gateway.test") == ("refused_by_peer", "name")


def test_a_wildcard_stands_for_one_label() -> None:
    server = server_side(ours(names=Names(dns=("*.lockgate.example",))))
    assert reasons(server, client_side(), "a.lockgate.example") == (None, None)
    assert reasons(server, client_side(), "a.b.lockgate.example") == ("refused_by_peer", "name")


def test_a_client_must_name_its_server() -> None:
    with pytest.raises(ValueError, match="name of its server"):
        Engine(client_side())


# --- revocation ----------------------------------------------------------------------------------


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
    assert reasons(server_side(crl=crl), client_side()) == ("crl", "refused_by_peer")


def test_a_crl_of_another_authority_covers_nobody_here() -> None:
    crl = make_crl(pki().foreign)
    assert reasons(server_side(crl=crl), client_side()) == ("crl", "refused_by_peer")


def test_a_forged_crl_refuses() -> None:
    forged = dataclasses.replace(pki().authority, signer=pki().foreign.signer)
    crl = make_crl(forged)
    assert reasons(server_side(crl=crl), client_side()) == ("crl", "refused_by_peer")


def test_only_the_issuer_of_the_leaf_must_publish_a_crl() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = client_side(issue(below, "peer"))
    assert reasons(server_side(crl=make_crl(below)), peer) == (None, None)
    upper = make_crl(pki().authority)
    assert reasons(server_side(crl=upper), peer) == ("crl", "refused_by_peer")


def test_a_revoked_authority_takes_everybody_below_it_along() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = client_side(issue(below, "peer"))
    crls = make_crl(below) + make_crl(pki().authority, [below])
    assert reasons(server_side(crl=crls), peer) == ("revoked", "refused_by_peer")


# --- protocol, groups, suites --------------------------------------------------------------------


def refusal_of(engine: Engine) -> str:
    with pytest.raises(TlsFailure) as caught:
        engine.handshake()
    return caught.value.reason


@pytest.mark.parametrize("version", [TLS12, TLS11])
def test_an_older_client_is_refused_with_an_alert(version: int) -> None:
    engine = Engine(server_side())
    engine.receive(client_hello([X25519], versions=(version,)))
    assert refusal_of(engine) == "protocol"
    assert engine.outgoing()[:1] == b"\x15"


def test_tls_1_2_is_refused_by_default_and_tls_1_1_always() -> None:
    older = Tls(minimum="1.2", ciphers=["ECDHE-ECDSA-AES128-GCM-SHA256"])
    assert reasons(server_side(), client_side(tls=older)) == ("protocol", "refused_by_peer")
    engine = Engine(server_side(tls=ListenerTls(minimum="1.2")))
    engine.receive(client_hello([X25519], versions=(TLS11,)))
    assert refusal_of(engine) == "protocol"


def test_a_client_refuses_a_server_that_only_speaks_tls_1_2() -> None:
    older = ListenerTls(minimum="1.2", ciphers=["ECDHE-ECDSA-AES128-GCM-SHA256"])
    assert reasons(server_side(tls=older), client_side()) == ("protocol", "refused_by_peer")


@pytest.mark.parametrize("groups", [[SECP521R1 + 1000], [UNKNOWN_HYBRID]])
def test_a_client_without_a_common_group_is_refused(groups: list[int]) -> None:
    engine = Engine(server_side())
    engine.receive(client_hello(groups))
    assert refusal_of(engine) == "group"


def test_a_server_refuses_a_group_that_is_not_allowed() -> None:
    server, client = shake(server_side(tls=ListenerTls(groups=["x25519"])), client_side())
    assert server.reason == "group"
    assert server.engine.certificate is None
    assert client.closed


def test_a_client_refuses_a_group_that_is_not_allowed() -> None:
    client = shake(server_side(), client_side(tls=Tls(groups=["secp256r1", "x25519"])))[1]
    assert client.reason == "group"
    assert client.engine.certificate is None


def test_a_suite_that_is_not_allowed_is_refused() -> None:
    server = server_side(tls=ListenerTls(ciphers=["TLS_AES_128_GCM_SHA256"]))
    client = client_side(tls=Tls(ciphers=["TLS_AES_256_GCM_SHA384"]))
    assert reasons(server, client) == ("cipher", "refused_by_peer")


def feed(engine: Engine, pieces: Iterator[bytes]) -> TlsFailure | None:
    """What comes of a handshake that gets these pieces; it is never complete."""
    try:
        for piece in pieces:
            engine.receive(piece)
            assert not engine.handshake()
    except TlsFailure as failure:
        return failure
    return None


# --- what is no TLS at all -----------------------------------------------------------------------

NO_TLS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /orders HTTP/1.1\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"\0" * 64,
    b"\xff" * 64,
    b"\x16\x03\x01\xff\xff" + b"\0" * 64,
    b"\x80\x2e\x01\x00\x02" + b"\0" * 64,
    b"\x17\x03\x03\x00\x10" + b"\0" * 16,
]


@pytest.mark.parametrize("noise", NO_TLS)
def test_what_is_no_tls_is_garbage_however_it_arrives(noise: bytes) -> None:
    for cut in (whole, bytewise):
        engine = Engine(server_side())
        failure = feed(engine, cut(noise))
        assert failure is not None
        assert failure.reason == "garbage", failure.detail
        assert "orders" not in failure.detail


@given(st.binary(max_size=300), st.integers(0, 400))
def test_whatever_arrives_the_handshake_fails_with_a_reason_or_waits(
    noise: bytes, length: int
) -> None:
    hello = client_hello([X25519])
    for start in (noise, hello[:length] + noise):
        engine = Engine(SERVER_SIDE)
        failure = feed(engine, whole(start))
        assert failure is None or failure.reason != "other", failure
        engine.outgoing()
        assert engine.certificate is None


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64])
def test_a_client_takes_an_answer_that_is_no_tls_for_garbage(noise: bytes) -> None:
    engine = Engine(client_side(), server_name="localhost")
    assert not engine.handshake()
    engine.receive(noise)
    assert refusal_of(engine) == "garbage"


@pytest.mark.parametrize("length", [0, 1, 100])
def test_an_end_in_mid_handshake_is_closed(length: int) -> None:
    engine = Engine(server_side())
    if length:
        engine.receive(client_hello([X25519])[:length])
        assert not engine.handshake()
    engine.receive(b"")
    assert refusal_of(engine) == "closed"


def test_a_failure_is_final() -> None:
    engine = Engine(server_side())
    engine.receive(NO_TLS[0])
    assert refusal_of(engine) == "garbage"
    engine.receive(client_hello([X25519]))
    for call in (engine.handshake, engine.read, lambda: engine.write(b"data")):
        with pytest.raises(TlsFailure, match="garbage"):
            call()
    engine.close()


def test_failures_of_one_connection_do_not_touch_another_of_the_same_context() -> None:
    server, client = server_side(), client_side()
    good, broken = Engine(server), Engine(server)
    peer = Engine(client, server_name="localhost")
    assert not peer.handshake()
    hello = peer.outgoing()
    broken.receive(NO_TLS[0])
    assert refusal_of(broken) == "garbage"
    good.receive(hello)
    assert not good.handshake()
    assert shake(server, client_side(pki().impostor))[0].reason == "untrusted"
    peer.receive(good.outgoing())
    assert peer.handshake()
    good.receive(peer.outgoing())
    assert good.handshake()
    assert good.certificate is not None
    assert good.certificate.spiffe == "spiffe://lockgate.example/client"


def test_the_log_learns_who_failed_and_no_control_character_with_it() -> None:
    intruder = issue(pki().foreign, "evil\nname\x1b[31m", names=Names(), usages=CLIENT)
    end = shake(server_side(), client_side(intruder))[0]
    assert end.failure is not None
    assert "evil" in end.failure.detail
    assert end.failure.detail.isprintable()


def test_usages_are_those_of_the_side_on_which_the_peer_stands() -> None:
    only_client, only_server = ours(usages=CLIENT), ours(usages=SERVER)
    assert reasons(server_side(only_server), client_side(only_client)) == (None, None)
