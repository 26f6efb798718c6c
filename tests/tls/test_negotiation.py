"""What is negotiated, between two of ours and with a foreign OpenSSL through `ssl`."""

import ssl
from pathlib import Path

import pytest

from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.engine import Engine
from proxy.tls.pki import SERVER, issue
from tests.pki import pki
from tests.tls.hello import (
    HELLO_RETRY_REQUEST,
    X25519,
    X25519MLKEM768,
    client_hello,
    key_share_group,
    server_hello,
)
from tests.tls.pump import (
    client_side,
    connected,
    foreign_context,
    foreign_peer,
    server_side,
    shake_foreign,
)


def test_two_of_ours_agree_on_tls_1_3_and_a_post_quantum_group() -> None:
    server, client = connected()
    assert server.channel == client.channel
    assert server.channel.version == "TLSv1.3"
    assert server.channel.cipher == "TLS_AES_256_GCM_SHA384"
    assert server.channel.group == "X25519MLKEM768"
    assert server.channel.server_name == "localhost"


def test_each_side_knows_the_other_by_its_certificate_and_chain() -> None:
    server, client = connected()
    assert server.certificate is not None
    assert client.certificate is not None
    assert server.certificate.spiffe == "spiffe://lockgate.example/client"
    assert client.certificate.spiffe == "spiffe://lockgate.example/gateway"
    assert len(server.certificate.chain) == 1
    assert ssl.PEM_cert_to_DER_cert(pki().trust.decode()) == server.certificate.chain[0]


def test_every_connection_has_a_channel_binding_of_its_own() -> None:
    first, second = connected()[0].channel, connected()[0].channel
    assert len(first.exporter_sha256) == 32
    assert first.exporter_sha256 != second.exporter_sha256


def test_an_address_is_verified_but_not_sent_as_server_name() -> None:
    server, client = connected(name="127.0.0.1")
    assert server.channel.server_name is None
    assert client.channel.server_name == "127.0.0.1"


@pytest.mark.parametrize("groups", [[X25519, X25519MLKEM768], [X25519MLKEM768, X25519]])
def test_a_peer_that_offers_the_post_quantum_group_is_asked_for_it(groups: list[int]) -> None:
    """Even when its only key share is for x25519, which would save a round trip."""
    engine = Engine(server_side())
    engine.receive(client_hello(groups))
    assert not engine.handshake()
    random, extensions = server_hello(engine.outgoing())
    assert random == HELLO_RETRY_REQUEST
    assert key_share_group(extensions) == X25519MLKEM768


def test_a_peer_that_does_not_offer_it_gets_x25519() -> None:
    engine = Engine(server_side())
    engine.receive(client_hello([X25519]))
    assert not engine.handshake()
    random, extensions = server_hello(engine.outgoing())
    assert random != HELLO_RETRY_REQUEST
    assert key_share_group(extensions) == X25519


# --- a foreign peer ------------------------------------------------------------------------------


def test_a_foreign_client_transfers_both_ways(tmp_path: Path) -> None:
    ours = Engine(server_side())
    foreign = foreign_peer(foreign_context(False, pki().client, tmp_path), server=False)
    assert shake_foreign(ours, foreign).done
    assert ours.channel.version == foreign.tls.version()
    foreign.tls.write(b"question")
    ours.receive(foreign.outgoing.read())
    assert ours.read() == b"question"
    ours.write(b"answer")
    ours.close()
    foreign.incoming.write(ours.outgoing())
    assert foreign.tls.read() == b"answer"
    assert foreign.tls.read() == b""


def test_a_foreign_server_transfers_both_ways(tmp_path: Path) -> None:
    ours = Engine(client_side(), server_name="localhost")
    foreign = foreign_peer(foreign_context(True, pki().receiver, tmp_path), server=True)
    assert shake_foreign(ours, foreign).done
    ours.write(b"question")
    foreign.incoming.write(ours.outgoing())
    assert foreign.tls.read() == b"question"
    foreign.tls.write(b"answer")
    ours.receive(foreign.outgoing.read())
    assert ours.read() == b"answer"


def test_a_foreign_client_without_certificate_gets_an_alert(tmp_path: Path) -> None:
    ours = Engine(server_side())
    foreign = foreign_peer(foreign_context(False, None, tmp_path), server=False)
    assert shake_foreign(ours, foreign).reason == "no_certificate"
    with pytest.raises(ssl.SSLError, match="certificate required"):
        foreign.tls.read()


def test_a_foreign_peer_that_refuses_us_is_told_apart(tmp_path: Path) -> None:
    ours = Engine(server_side(issue(pki().foreign, "gateway", usages=SERVER)))
    foreign = foreign_peer(foreign_context(False, pki().client, tmp_path), server=False)
    assert shake_foreign(ours, foreign).reason == "refused_by_peer"


def test_a_foreign_client_of_tls_1_2_is_refused_by_default(tmp_path: Path) -> None:
    context = foreign_context(False, pki().client, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    foreign = foreign_peer(context, server=False)
    assert shake_foreign(Engine(server_side()), foreign).reason == "protocol"
    assert foreign.failure is not None
    assert "alert protocol version" in str(foreign.failure)


# --- TLS 1.2, where it is asked for --------------------------------------------------------------


@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
)
def test_minimum_1_2_admits_ecdhe_with_aead(suite: str, tmp_path: Path) -> None:
    context = foreign_context(False, pki().client, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    ours = Engine(server_side(tls=ListenerTls(minimum="1.2")))
    foreign = foreign_peer(context, server=False)
    end = shake_foreign(ours, foreign)
    assert end.done, end.failure
    assert ours.channel.version == "TLSv1.2"
    assert ours.channel.cipher == suite
    assert ours.channel.group.lower() in ("x25519", "secp256r1")
    ours.write(b"hello")
    foreign.incoming.write(ours.outgoing())
    assert foreign.tls.read() == b"hello"


@pytest.mark.parametrize(
    "suite",
    ["AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384", "AES128-SHA"],
)
def test_minimum_1_2_admits_no_other_suite(suite: str, tmp_path: Path) -> None:
    """The server has an RSA certificate, so that nothing but the policy stands in the way."""
    context = foreign_context(False, pki().client, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    server = issue(pki().authority, "gateway", algorithm="rsa2048")
    ours = Engine(server_side(server, tls=ListenerTls(minimum="1.2")))
    assert shake_foreign(ours, foreign_peer(context, server=False)).reason == "cipher"


def test_a_client_that_admits_1_2_talks_to_an_older_server(tmp_path: Path) -> None:
    context = foreign_context(True, pki().receiver, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    ours = Engine(client_side(tls=Tls(minimum="1.2")), server_name="localhost")
    end = shake_foreign(ours, foreign_peer(context, server=True))
    assert end.done, end.failure
    assert ours.channel.version == "TLSv1.2"
    strict = Engine(client_side(), server_name="localhost")
    assert shake_foreign(strict, foreign_peer(context, server=True)).reason == "refused_by_peer"
