"""Keys for signatures are read strictly: JWK, JWKS, PEM and certificates."""

import base64
import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from proxy.errors import CredentialError
from proxy.tls.credentials import parse_chain
from proxy.tls.keys import Algorithm, make_key, private_pem
from proxy.tls.pki import CLIENT, issue
from proxy.wire.jwk import (
    certificate_key,
    parse_jwks,
    public_key,
    thumbprint,
    to_jwk,
    verifying_key,
)
from proxy.wire.signature_algorithms import algorithm_of
from proxy.wire.signing_key import parse_signing_key, signing_key
from tests.client.keys import KEYS, base64url, jwk_ed25519, jwk_mldsa, jwk_secret
from tests.pki import pki
from tests.wire.vectors import PUBLISHED, published

PUBLIC = {
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
    "ecdsa-p256-sha256": ec.generate_private_key(ec.SECP256R1()).public_key(),
    "rsa-pss-sha512": rsa.generate_private_key(65537, 2048).public_key(),
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate().public_key(),
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate().public_key(),
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate().public_key(),
}


def encoded(*jwks: object) -> bytes:
    return json.dumps({"keys": jwks}).encode()


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_a_public_key_of_each_kind_is_read_as_it_is_written(algorithm: str) -> None:
    jwk = to_jwk(PUBLIC[algorithm])
    (key,) = parse_jwks(encoded({**jwk, "kid": "k", "use": "sig", "key_ops": ["verify"], "x5": 1}))
    assert (key.algorithm, key.keyid) == (algorithm, "k")
    assert key.thumbprint == thumbprint(PUBLIC[algorithm]) == key.name
    assert parse_jwks(json.dumps(jwk).encode()) == (verifying_key(jwk),)
    assert verifying_key(jwk).keyid == key.thumbprint


def test_thumbprints_are_those_of_others() -> None:
    # RFC 7638, section 3.1, and RFC 8037, appendix A.3; the last by the key of RFC 9421.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    rfc7638 = verifying_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS512", "kid": "x"})
    assert rfc7638.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    rfc8037 = verifying_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    assert rfc8037.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert published("test-key-ed25519").thumbprint == "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"


def test_a_secret_is_known_by_its_kid_and_never_shown() -> None:
    jwk = json.loads(jwk_secret())
    (key,) = parse_jwks(encoded({**jwk, "alg": "HS256"}))
    assert (key.algorithm, key.name, key.thumbprint) == ("hmac-sha256", "shared-1", "")
    assert jwk["k"] not in repr(key)
    signing = parse_signing_key(jwk_secret())
    assert repr(signing.private) not in repr(signing)
    assert "private" not in repr(parse_signing_key(KEYS["ed25519"]()))


ED = PUBLISHED["test-key-ed25519"]
EC = PUBLISHED["test-key-ecc-p256"]
RSA = PUBLISHED["test-key-rsa-pss"]
SECRET = base64url(bytes(32))


POINT = b"".join(base64.urlsafe_b64decode(EC[name] + "=") for name in "xy")


BAD: list[dict[str, Any]] = [
    {},
    {"kty": "OKP"},
    {"kty": ["OKP"]},
    {"kty": "okp", "crv": "Ed25519", "x": ED["x"]},
    {**ED, "crv": "Ed448"},
    {**ED, "crv": "X25519"},
    {**ED, "x": ED["x"] + "="},
    {**ED, "x": ED["x"][:-1]},
    {**ED, "x": ED["x"][:-1] + "t"},
    {**ED, "x": ED["x"].replace("_", "/")},
    {**ED, "x": ""},
    {**ED, "x": 7},
    {**ED, "x": "ü"},
    {**ED, "alg": "ES256"},
    {**ED, "alg": ["EdDSA"]},
    {**ED, "use": "enc"},
    {**ED, "use": None},
    {**ED, "key_ops": ["sign"]},
    {**ED, "key_ops": "verify"},
    {**ED, "kid": 1},
    {**ED, "kid": "ü"},
    {**ED, "d": SECRET},
    {**EC, "d": SECRET},
    {**RSA, "p": "AQAB"},
    {**EC, "y": EC["x"]},
    {**EC, "x": base64url(POINT[:31]), "y": base64url(POINT[31:])},
    {**EC, "crv": "P-384"},
    {**EC, "alg": "ES384"},
    {**RSA, "e": "AQAA"},
    {**RSA, "alg": "RS256"},
    {**RSA, "n": base64url(b"\xff" * 1025)},
    {"kty": "oct", "k": SECRET},
    {"kty": "oct", "k": SECRET, "kid": ""},
    {"kty": "oct", "k": base64url(bytes(31)), "kid": "a"},
    {"kty": "oct", "k": SECRET, "kid": "a", "alg": "HS512"},
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": ED["x"]},
    {"kty": "AKP", "alg": "ML-DSA-99", "pub": ED["x"]},
    {"kty": "AKP", "pub": ED["x"]},
    {**to_jwk(PUBLIC["ml-dsa-44"]), "alg": "ML-DSA-65"},
    {**to_jwk(PUBLIC["ml-dsa-44"]), "priv": SECRET},
]


@pytest.mark.parametrize("jwk", BAD)
def test_a_key_that_could_be_understood_in_two_ways_or_is_weak_is_refused(
    jwk: dict[str, Any],
) -> None:
    with pytest.raises(CredentialError):
        parse_jwks(encoded(jwk))
    with pytest.raises(CredentialError):
        parse_jwks(encoded(ED, jwk))


def test_a_small_rsa_key_is_refused() -> None:
    small = make_key("rsa1024").public_key()
    with pytest.raises(CredentialError):
        parse_jwks(encoded(to_jwk(small)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [1]}',
        b'{"keys": null}',
        encoded(ED).replace(b'"kty"', b'"kid": "a", "kid": "b", "kty"'),
        b"[" * 100_000,
        b" " * (1 << 20) + encoded(ED),
        encoded(ED, ED),
        encoded({**ED, "kid": "a"}, {**EC, "kid": "a"}),
        encoded({**ED, "kid": "a"}, {**ED, "kid": "b"}),
        encoded(ED, {**EC, "kid": published("test-key-ed25519").thumbprint}),
    ],
)
def test_a_set_that_is_no_set_of_different_keys_is_refused(data: bytes) -> None:
    with pytest.raises(CredentialError):
        parse_jwks(data)


def test_a_refused_key_is_never_quoted() -> None:
    secret = base64url(secrets.token_bytes(31))
    with pytest.raises(CredentialError) as failure:
        parse_jwks(encoded({"kty": "oct", "k": secret, "kid": "a"}))
    assert secret not in str(failure.value)


# --- keys that sign ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_that_signs_is_read_and_its_halves_belong_together(algorithm: str) -> None:
    key = parse_signing_key(KEYS[algorithm]())
    assert key.algorithm == algorithm
    assert key.verifying.verify(b"base", key.sign(b"base"))
    assert not key.verifying.verify(b"Base", key.sign(b"base"))


@pytest.mark.parametrize("bits", [44, 65, 87])
def test_post_quantum_keys_are_read_from_a_jwk_and_from_pem(bits: int) -> None:
    private = getattr(mldsa, f"MLDSA{bits}PrivateKey").generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    here, there = parse_signing_key(pem), parse_signing_key(jwk_mldsa(private))
    assert here.verifying.thumbprint == there.verifying.thumbprint
    assert here.verifying.verify(b"base", there.sign(b"base"))


def test_a_private_rsa_or_ec_key_is_read_from_its_numbers() -> None:
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    values = {"n": numbers.public_numbers.n, "e": 65537, "d": numbers.d, "p": numbers.p}
    jwk = {name: encode(value) for name, value in {**values, "q": numbers.q}.items()}
    key = signing_key({"kty": "RSA", **jwk})
    assert key.verifying.verify(b"base", key.sign(b"base"))
    private = ec.generate_private_key(ec.SECP256R1())
    d = private.private_numbers().private_value.to_bytes(32, "big")
    jwk = {**to_jwk(private.public_key()), "d": base64url(d), "kid": "a"}
    assert signing_key(jwk).verifying == public_key(private.public_key(), "a")


def encode(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def test_halves_that_do_not_belong_together_are_refused() -> None:
    one, two = (json.loads(jwk_ed25519()) for _ in range(2))
    for bad in ({**one, "d": two["d"]}, {**EC, "d": SECRET}, {**EC, "d": base64url(b"\1" * 32)}):
        with pytest.raises(CredentialError):
            signing_key(bad)


@pytest.mark.parametrize(
    "jwk",
    [
        {**ED},
        {**ED, "d": ED["x"], "key_ops": ["verify"]},
        {**ED, "d": ED["x"], "use": "enc"},
        {**RSA, "d": "AQAB"},
        {**RSA, "d": "AQAB", "p": "AQAB", "q": "AQAB"},
        {**to_jwk(PUBLIC["ml-dsa-65"]), "priv": base64url(bytes(31))},
        {**to_jwk(PUBLIC["ml-dsa-65"]), "priv": base64url(bytes(32))},
    ],
)
def test_a_private_key_that_lacks_something_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(CredentialError):
        signing_key(jwk)


def test_keys_of_other_kinds_do_not_sign() -> None:
    for private in (
        ec.generate_private_key(ec.SECP384R1()),
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(2048),
    ):
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        assert algorithm_of(private.public_key()) is None
        with pytest.raises(CredentialError):
            parse_signing_key(pem)
    with pytest.raises(CredentialError):
        parse_signing_key(private_pem(make_key("rsa1024")))


def test_an_encrypted_key_is_said_to_be_that() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(b"word")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    with pytest.raises(CredentialError, match="encrypted"):
        parse_signing_key(pem)


# --- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "p256", "rsa2048"])
def test_the_key_of_a_certificate_verifies_what_its_owner_signs(kind: Algorithm) -> None:
    issued = issue(pki().authority, "client", usages=CLIENT, algorithm=kind)
    (certificate, *_) = parse_chain(issued.certificate)
    key = certificate_key(certificate.public_bytes(Encoding.DER))
    assert key is not None
    mine = parse_signing_key(issued.key)
    assert mine.verifying == key
    assert key.verify(b"base", mine.sign(b"base"))


def test_a_certificate_whose_key_cannot_sign_here_has_none() -> None:
    assert certificate_key(b"") is None
    assert certificate_key(base64.b64decode("MAA=")) is None
