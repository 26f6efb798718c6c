"""What contexts are made from is proven before anything listens; one bad part refuses the whole."""

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from proxy.errors import CredentialError
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.context import client_context, server_context
from proxy.tls.credentials import Credentials, load_credentials, parse_key
from proxy.tls.keys import Algorithm, make_mldsa44, private_pem
from proxy.tls.pki import issue, make_authority
from tests.pki import pki
from tests.tls.pump import client_side, connected, reasons, server_side


def test_a_key_and_its_certificate_are_taken() -> None:
    mine = pki().gateway
    assert load_credentials(mine.certificate, mine.key) == mine


def test_a_key_of_somebody_else_is_refused() -> None:
    with pytest.raises(CredentialError, match="does not belong"):
        load_credentials(pki().gateway.certificate, pki().client.key)


def test_a_pair_that_does_not_fit_never_becomes_a_context() -> None:
    half_rotated = Credentials(pki().gateway.certificate, pki().client.key)
    with pytest.raises(CredentialError, match="does not belong"):
        server_side(half_rotated)


def test_a_chain_in_the_wrong_order_is_refused() -> None:
    mine = pki().gateway
    with pytest.raises(CredentialError, match="does not belong"):
        load_credentials(pki().trust + mine.certificate, mine.key)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pki().gateway.certificate,
        private_pem(make_mldsa44()),
        pki().authority.signer.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
        ),
    ],
)
def test_what_is_no_plain_tls_key_is_refused(key: bytes) -> None:
    with pytest.raises(CredentialError, match="private key"):
        load_credentials(pki().gateway.certificate, key)


@pytest.mark.parametrize("damage", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_damaged_certificate_refuses_the_whole_chain(damage: bytes) -> None:
    mine = pki().gateway
    with pytest.raises(CredentialError):
        load_credentials(damage, mine.key)
    if damage.startswith(b"-----"):
        with pytest.raises(CredentialError):
            load_credentials(mine.certificate + damage, mine.key)


def test_key_material_is_in_no_representation_and_no_error() -> None:
    mine = pki().gateway
    secret = mine.key.splitlines()[1].decode()
    assert secret not in repr(mine)
    assert "signer" not in repr(pki().authority)
    with pytest.raises(CredentialError) as caught:
        parse_key(mine.key.replace(b"PRIVATE KEY", b"PRIVATE  KEY"))
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", ["p256", "p384", "ed25519", "rsa2048"])
def test_keys_of_every_usual_kind_work_on_both_sides(algorithm: Algorithm) -> None:
    authority = make_authority("Other", algorithm=algorithm)
    peers = [issue(authority, name, algorithm=algorithm) for name in ("gateway", "client")]
    connected(
        server_side(peers[0], trust=authority.pem), client_side(peers[1], trust=authority.pem)
    )


def test_a_key_below_security_level_2_is_refused() -> None:
    weak = issue(pki().authority, "weak", algorithm="rsa1024")
    with pytest.raises(CredentialError, match="too weak"):
        server_side(weak)


# --- trust ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", [b"\n", b"text", pki().gateway.key])
def test_a_trust_bundle_without_certificates_is_refused(trust: bytes) -> None:
    with pytest.raises(CredentialError):
        server_side(trust=trust)


def test_a_leaf_is_no_trust_anchor() -> None:
    for bundle in (pki().client.certificate, pki().trust + pki().client.certificate):
        with pytest.raises(CredentialError, match="not that of a CA"):
            server_side(trust=bundle)


def test_several_authorities_may_be_trusted() -> None:
    both = server_side(trust=pki().trust + pki().foreign.pem)
    assert reasons(both, client_side()) == (None, None)
    assert reasons(both, client_side(pki().impostor)) == (None, None)


def test_an_intermediate_alone_is_no_trust_anchor() -> None:
    below = make_authority("Below", issuer=pki().authority)
    server = server_side(trust=below.pem)
    assert reasons(server, client_side(issue(below, "x"))) == ("untrusted", "refused_by_peer")


def test_a_long_list_of_authorities_is_not_told_to_clients() -> None:
    many = b"".join(make_authority(f"CA {number} " + "x" * 50).pem for number in range(100))
    ends = connected(server_side(trust=pki().trust + many), client_side())
    assert ends[0].certificate is not None


# --- protocol policy -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"groups": ["ffdhe2048"]}, "group"),
        ({"ciphers": ["AES128-SHA"]}, "cipher"),
        ({"ciphers": ["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-SHA384"]}, "cipher"),
        ({"ciphers": ["ALL:@SECLEVEL=0"]}, "cipher"),
        ({"ciphers": ["ECDHE-RSA-AES256-GCM-SHA384"]}, "cipher"),
    ],
)
def test_a_policy_beyond_ecdhe_and_aead_is_refused(
    properties: dict[str, list[str]], what: str
) -> None:
    with pytest.raises(CredentialError, match=what):
        server_context(pki().gateway, pki().trust, None, ListenerTls.model_validate(properties))


def test_a_bad_pin_refuses_the_context() -> None:
    with pytest.raises(CredentialError, match="pin"):
        client_context(pki().client, pki().trust, None, Tls(), ["sha256:short"])


def test_a_tls_1_2_suite_alone_is_enough_where_1_2_is_admitted() -> None:
    suite = "ECDHE-ECDSA-AES256-GCM-SHA384"
    only = ListenerTls(minimum="1.2", ciphers=[suite])
    ends = connected(server_side(tls=only), client_side(tls=Tls(minimum="1.2")))
    assert ends[0].channel.cipher == ends[1].channel.cipher == suite
