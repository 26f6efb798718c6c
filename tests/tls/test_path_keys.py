"""Which keys and signatures a path may have, at every place of it, with the near miss beside it."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import TlsFailure
from proxy.tls.algorithms import SIGNATURES, require_key, require_signature
from proxy.tls.credentials import Credentials
from proxy.tls.der import parts
from proxy.tls.pki import Authority
from tests.tls.paths import authority, der, field, judged, leaf, offline, root, rsa_key

_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def below(**special: object) -> Credentials:
    """A leaf of an intermediate with something special about it."""
    return leaf(authority("Intermediate", root(), **special))


def of_rsa(**special: object) -> Credentials:
    """A leaf that is signed by an RSA key."""
    return leaf(authority("RSA", root(), key=rsa_key()), **special)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa_key(2048),
    ],
    ids=lambda key: type(key).__name__,
)
def test_keys_that_are_admitted_are_admitted_everywhere(key: ec.EllipticCurvePrivateKey) -> None:
    assert judged(leaf(root(), key=key)) is None
    assert judged(below(key=key)) is None
    anchor = authority("Anchor", None, key=key)
    assert judged(leaf(anchor), trust=anchor) is None


_ISSUE_ONLY: list[type[Any]] = [
    ed448.Ed448PrivateKey,
    mldsa.MLDSA44PrivateKey,
    mldsa.MLDSA65PrivateKey,
    mldsa.MLDSA87PrivateKey,
]
"""What signs certificates here, though our own program has no key of the kind."""


@pytest.mark.parametrize("kind", _ISSUE_ONLY, ids=lambda kind: kind.__name__)
def test_ed448_and_lattices_sign_certificates(kind: type[Any]) -> None:
    anchor = authority("Anchor", None, key=kind.generate())
    assert judged(leaf(anchor), trust=anchor) is None
    assert offline(leaf(root(), key=kind.generate())) is None


@pytest.mark.parametrize(
    "key",
    [
        rsa_key(1024),
        rsa_key(2052),
        rsa_key(2048, 3),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=lambda key: f"{type(key).__name__} {key.key_size}",
)
def test_weak_and_exotic_keys_are_refused_everywhere(key: rsa.RSAPrivateKey) -> None:
    assert offline(leaf(root(), key=key)) == "weak_key"
    assert offline(below(key=key)) == "weak_key"
    anchor = authority("Anchor", None, key=key)
    assert offline(leaf(anchor), trust=anchor) == "weak_key"


def test_a_weak_intermediate_is_refused_in_the_handshake() -> None:
    assert judged(below(key=rsa_key(2048, 3))) == "weak_key"
    assert judged(below(key=ec.generate_private_key(ec.BrainpoolP256R1()))) == "weak_key"


def test_an_rsa_key_beyond_the_upper_bound_is_refused_without_being_used() -> None:
    """OpenSSL would take 16384 bits; one check of such a signature costs what a hundred do."""
    huge = rsa.RSAPublicNumbers(65537, (1 << 8199) + 1).public_key()
    made = x509.load_pem_x509_certificate(leaf(root(), key=rsa_key()).certificate)

    class Huge:
        def public_key(self) -> rsa.RSAPublicKey:
            return huge

    fields = parts(made.public_bytes(Encoding.DER))
    require_key(made, fields.public_key)
    with pytest.raises(TlsFailure, match="weak_key"):
        require_key(Huge(), fields.public_key)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_signatures_of_sha2_are_admitted(algorithm: hashes.HashAlgorithm) -> None:
    assert judged(leaf(root(), hash_algorithm=algorithm)) is None
    assert judged(of_rsa(hash_algorithm=algorithm)) is None


def test_signatures_with_other_hashes_are_refused() -> None:
    assert offline(leaf(root(), hash_algorithm=hashes.SHA224())) == "weak_key"
    assert offline(leaf(root(), hash_algorithm=hashes.SHA3_256())) == "weak_key"
    assert judged(of_rsa(hash_algorithm=hashes.SHA224())) == "weak_key"


def test_pss_is_admitted_with_the_parameters_that_fit_its_hash_and_no_others() -> None:
    assert judged(of_rsa(padding=_PSS)) is None
    longer = padding.PSS(padding.MGF1(hashes.SHA256()), 64)
    assert judged(of_rsa(padding=longer)) == "weak_key"
    mixed = padding.PSS(padding.MGF1(hashes.SHA512()), 32)
    assert judged(of_rsa(padding=mixed)) == "weak_key"


@pytest.mark.parametrize(
    "encoded",
    [
        "300d06092a864886f70d0101040500",  # md5WithRSAEncryption
        "300d06092a864886f70d0101050500",  # sha1WithRSAEncryption
        "300906072a8648ce3d0401",  # ecdsa-with-SHA1
        "300b06092a864886f70d01010b",  # sha256WithRSAEncryption, NULL left out
        "300c06082a8648ce3d0403020500",  # ecdsa-with-SHA256, NULL added
        "300d06092a864886f70d01010a3000",  # id-RSASSA-PSS with its defaults, which are SHA-1
        "300b0609608648016503040301",  # dsa-with-SHA224
    ],
)
def test_old_hashes_and_strange_parameters_are_refused(encoded: str) -> None:
    with pytest.raises(TlsFailure, match="weak_key"):
        require_signature(bytes.fromhex(encoded))


def test_every_admitted_algorithm_is_one_that_certificates_are_made_with() -> None:
    """The table holds octets; here they are compared with what a library writes."""
    p256, signer = root(), authority("RSA", root(), key=rsa_key())
    written = {_algorithm(leaf(p256, hash_algorithm=each)) for each in _SHA2}
    written |= {_algorithm(leaf(signer, hash_algorithm=each)) for each in _SHA2}
    for each in _SHA2:
        salted = padding.PSS(padding.MGF1(each), each.digest_size)
        written.add(_algorithm(leaf(signer, hash_algorithm=each, padding=salted)))
    for key in (ed25519.Ed25519PrivateKey.generate(), *(kind.generate() for kind in _ISSUE_ONLY)):
        written.add(_algorithm(leaf(authority("Other", root(), key=key))))
    assert written == SIGNATURES


_SHA2: list[hashes.HashAlgorithm] = [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]


def _algorithm(made: Credentials) -> bytes:
    first = x509.load_pem_x509_certificate(made.certificate)
    return parts(first.public_bytes(Encoding.DER)).outer_algorithm


def test_an_rsa_key_is_written_with_null_parameters() -> None:
    made = x509.load_pem_x509_certificate(leaf(root(), key=rsa_key()).certificate)
    key = parts(made.public_bytes(Encoding.DER)).public_key
    bare = key.replace(
        bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300b06092a864886f70d010101")
    )
    shorter = der(0x30, bare[4:])
    assert judged(leaf(root(), key=rsa_key())) is None
    assert offline(leaf(root(), key=rsa_key(), edit=field(6, shorter))) == "weak_key"


def test_the_anchors_own_signature_is_nobodys_affair() -> None:
    """Trust in it comes from the bundle; many public roots still carry SHA-1 there."""
    anchor: Authority = authority("Old", None, hash_algorithm=hashes.SHA224())
    assert offline(leaf(anchor), trust=anchor) is None
