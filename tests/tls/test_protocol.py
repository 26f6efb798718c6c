"""What is no TLS, not the TLS that we speak, or ends too early: a reason for each, and an alert."""

import dataclasses
import gc
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.credentials import parse_chain, parse_key
from proxy.tls.engine import Engine
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

SERVER_SIDE = server_side()


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


def test_the_suite_is_held_against_the_policy_once_more_after_the_handshake() -> None:
    server = dataclasses.replace(server_side(), ciphers=frozenset({"TLS_AES_128_GCM_SHA256"}))
    assert shake(server, client_side())[0].reason == "cipher"


def test_a_handshake_that_verified_nobody_is_refused() -> None:
    """What a resumption would look like, if there were one."""
    lax = SSL.Context(SSL.TLS_METHOD)
    lax.use_certificate(parse_chain(pki().gateway.certificate)[0])
    lax.use_privatekey(parse_key(pki().gateway.key))
    server = dataclasses.replace(server_side(), openssl=lax)
    assert shake(server, client_side())[0].reason == "no_certificate"


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

PLAIN_HTTP = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /orders HTTP/1.1\r\n\r\n",
    b"DELETE /orders HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PURGE /orders HTTP/1.1\r\n\r\n",
    b"MKCOL /orders HTTP/1.1\r\n\r\n",
    b"get / HTTP/1.1\r\n\r\n",
    b"lock / HTTP/1.1\r\n\r\n",
]
NO_TLS = [
    b"GETAWAY HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9p1 Debian-3\r\n",
    b"EHLO localhost\r\n",
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
        assert "AWAY" not in failure.detail


@pytest.mark.parametrize("request_line", PLAIN_HTTP)
def test_http_without_tls_is_known_however_it_arrives(request_line: bytes) -> None:
    for cut in (whole, bytewise):
        failure = feed(Engine(server_side()), cut(request_line))
        assert failure is not None
        assert failure.reason == "plain_http", failure.detail
        assert "orders" not in failure.detail


@pytest.mark.parametrize("method", [b"GETAWAY", b"x", b"a-b.c", b"LONGER-THAN-ANY-THAT-THERE-IS"])
def test_http_is_known_by_any_method_with_a_target_behind_it(method: bytes) -> None:
    for target in (b"/", b"/orders", b"*", b"http://localhost/"):
        failure = feed(Engine(server_side()), whole(method + b" " + target + b" HTTP/1.1\r\n\r\n"))
        assert failure is not None
        assert failure.reason == "plain_http", failure.detail


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


@pytest.mark.parametrize(
    ("noise", "reason"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "plain_http"), (b"\0" * 64, "garbage")],
)
def test_a_client_knows_an_answer_that_is_no_tls(noise: bytes, reason: str) -> None:
    engine = Engine(client_side(), server_name="localhost")
    assert not engine.handshake()
    engine.receive(noise)
    assert refusal_of(engine) == reason


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


@pytest.mark.parametrize("octets", [b"\0" * 64, b""])
def test_who_failed_is_freed_at_once_and_not_when_the_collector_comes_by(octets: bytes) -> None:
    """Reference cycles hold what OpenSSL keeps for a connection, which the collector cannot see."""
    gc.collect()
    gc.disable()
    try:
        engine = Engine(SERVER_SIDE)
        engine.receive(octets)
        for _ in range(2):
            try:
                engine.handshake()
            except TlsFailure:
                pass
        freed = weakref.ref(engine)
        del engine
        assert freed() is None
    finally:
        gc.enable()


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
