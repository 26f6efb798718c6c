"""Who presents a certificate has to have its key: CertificateVerify (RFC 8446, 4.4.3), and in TLS
1.2 the signature of ServerKeyExchange as well (RFC 8422, 5.4)."""

import base64
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.credentials import Credentials, parse_key
from proxy.tls.engine import Engine
from proxy.tls.pki import BOTH, issue
from tests.pki import pki
from tests.tls.makers import of_whom
from tests.tls.pump import NAME, client_side, foreign_context, foreign_peer, server_side
from tests.tls.pump import shake_foreign as shake

POINT = 65
"""Octets of an uncompressed point of P-256, with which files of public and private keys end."""


def claiming(whose: Credentials, signing: Credentials) -> bytes:
    """The private key of `signing`, in a file that states the public key of `whose` beside it.

    RFC 5915, 3 has room for both; OpenSSL believes it, and finds that certificate and key fit.
    """
    points = [
        parse_key(each.key)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[-POINT:]
        for each in (whose, signing)
    ]
    der = parse_key(signing.key).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert der.endswith(points[1])
    lied = base64.encodebytes(der[:-POINT] + points[0]).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{lied}-----END PRIVATE KEY-----\n".encode()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("we_serve", [True, False])
def test_who_signs_with_another_key_than_that_of_its_certificate_is_unproven(
    tmp_path: Path, version: ssl.TLSVersion, *, we_serve: bool
) -> None:
    somebody, liar = (issue(pki().authority, "localhost", usages=BOTH) for _ in range(2))
    for key, reason in ((somebody.key, None), (claiming(somebody, liar), "unproven")):
        foreign = foreign_context(not we_serve, replace(somebody, key=key), tmp_path)
        foreign.minimum_version = foreign.maximum_version = version
        if we_serve:
            ours = Engine(server_side(tls=ListenerTls(minimum="1.2")))
        else:
            ours = Engine(client_side(tls=Tls(minimum="1.2")), server_name=NAME)
        end = shake(ours, foreign_peer(foreign, server=not we_serve))
        assert end.reason == reason, end.failure
        assert end.done == (reason is None)
    assert end.failure is not None
    assert end.failure.presented["pin"] == of_whom(somebody)
    assert ours.certificate is None, "nobody is taken for whom they only present"
