"""No resumption, no renegotiation, no early data: every handshake is a whole one."""

import contextlib
import ssl
from pathlib import Path

import pytest
from OpenSSL import SSL

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.credentials import parse_chain, parse_key
from proxy.tls.engine import Engine
from tests.pki import pki
from tests.tls.hello import (
    X25519,
    client_hello,
)
from tests.tls.pump import (
    client_side,
    foreign_context,
    foreign_peer,
    server_side,
    shake_foreign,
)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_offered_session_gets_a_full_handshake(version: ssl.TLSVersion, tmp_path: Path) -> None:
    context = foreign_context(False, pki().client, tmp_path)
    context.maximum_version = version
    server = server_side(tls=ListenerTls(minimum="1.2"))
    first = foreign_peer(context, server=False)
    ours = Engine(server)
    assert shake_foreign(ours, first).done
    ours.write(b"so that the client reads its tickets")
    first.incoming.write(ours.outgoing())
    assert first.tls.read()

    again = Engine(server)
    second = foreign_peer(context, server=False, session=first.tls.session)
    assert shake_foreign(again, second).done
    assert not second.tls.session_reused
    assert again.certificate is not None
    assert again.certificate.spiffe == "spiffe://lockgate.example/client"
    assert again.channel.exporter_sha256 != ours.channel.exporter_sha256


def test_our_client_offers_no_session(tmp_path: Path) -> None:
    server_tls = foreign_context(True, pki().receiver, tmp_path)
    context = client_side()
    for _ in range(2):
        ours = Engine(context, server_name="localhost")
        foreign = foreign_peer(server_tls, server=True)
        assert shake_foreign(ours, foreign).done
        assert not foreign.tls.session_reused
        assert ours.certificate is not None
    assert server_tls.session_stats()["hits"] == 0


@pytest.mark.parametrize("raw_is_server", [False, True])
def test_renegotiation_is_refused(raw_is_server: bool) -> None:
    """The peer is a raw connection of TLS 1.2, the last version that has it."""
    raw = raw_connection(raw_is_server)
    ours = (
        Engine(client_side(tls=Tls(minimum="1.2")), server_name="localhost")
        if raw_is_server
        else Engine(server_side(tls=ListenerTls(minimum="1.2")))
    )
    while not ours.handshake():
        exchange(raw, ours)
    exchange(raw, ours)
    assert ours.read() is None
    channel, certificate = ours.channel, ours.certificate
    assert raw.renegotiate()
    exchange(raw, ours)
    assert ours.read() is None
    alert = ours.outgoing()
    assert alert[0] == 21
    raw.bio_write(alert)
    with pytest.raises(SSL.Error, match="no renegotiation"):
        raw.recv(1)
    assert (ours.channel, ours.certificate) == (channel, certificate)


def raw_connection(server: bool) -> SSL.Connection:
    """TLS 1.2 with a good certificate and no rules of ours."""
    credentials = pki().receiver if server else pki().client
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(parse_chain(credentials.certificate)[0])
    context.use_privatekey(parse_key(credentials.key))
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    raw = SSL.Connection(context)
    raw.set_accept_state() if server else raw.set_connect_state()
    return raw


def exchange(raw: SSL.Connection, ours: Engine) -> None:
    """One round of the handshake, as far as the raw side goes, and the bytes of both."""
    if ciphertext := ours.outgoing():
        raw.bio_write(ciphertext)
    with contextlib.suppress(SSL.WantReadError):
        raw.do_handshake()
    with contextlib.suppress(SSL.WantReadError):
        ours.receive(raw.bio_read(65536))


def test_early_data_is_not_taken() -> None:
    engine = Engine(server_side())
    engine.receive(client_hello([X25519], early_data=True))
    engine.receive(b"\x17\x03\x03\x00\x20" + b"e" * 32)
    assert not engine.handshake()
    with pytest.raises(RuntimeError, match="not complete"):
        engine.read()
    engine.receive(b"")
    with pytest.raises(TlsFailure, match="closed"):
        engine.handshake()
