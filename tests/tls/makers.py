"""Certificates with something special about them: what a test expects to be refused."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.tls.credentials import Credentials, parse_chain, parse_key
from proxy.tls.identity import read_pins
from proxy.tls.keys import make_key, private_pem
from proxy.tls.pki import (
    BOTH,
    Authority,
    Names,
    issue,
    make_authority,
)
from tests.pki import pki
from tests.tls import paths

HOUR = timedelta(hours=1)
_NOT_CRITICAL = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier, x509.ExtendedKeyUsage)
Maker = Callable[..., Credentials]


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


def by_hand(*extensions: x509.ExtensionType) -> Credentials:
    """A certificate of our CA with exactly these extensions beside the key identifiers."""
    issuer, key = pki().authority, make_key()
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above.value)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "by hand")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - HOUR)
        .not_valid_after(datetime.now(UTC) + HOUR)
    )
    for extension in (own, identifier, *extensions):
        critical = not isinstance(extension, _NOT_CRITICAL)
        builder = builder.add_extension(extension, critical=critical)
    leaf = builder.sign(issuer.signer, hashes.SHA256())
    return Credentials(leaf.public_bytes(Encoding.PEM), private_pem(key))


def of_an_authority_with_every_usage() -> Credentials:
    """Only basicConstraints tells that this is no end entity."""
    return by_hand(
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(True, False, False, False, False, True, True, False, False),
        x509.ExtendedKeyUsage(BOTH),
    )


def below_an_authority_that_does_not_say_what_its_key_may_do() -> Credentials:
    """RFC 5280, 4.2.1.3: a CA must have keyUsage. OpenSSL asks for it only when it is strict."""
    lax = by_hand(x509.BasicConstraints(ca=True, path_length=None))
    certificate = parse_chain(lax.certificate)[0]
    return issue(Authority(certificate, parse_key(lax.key), (certificate,)), "peer")


def with_an_unknown_critical_extension() -> Credentials:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\0")
    return by_hand(x509.ExtendedKeyUsage(BOTH), unknown)


def beyond_the_names_of_its_authority() -> Credentials:
    """RFC 5280, 4.2.1.10: the authority may name hosts of other.example only."""
    narrow = by_hand(
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(False, False, False, False, False, True, True, False, False),
        x509.NameConstraints([x509.DNSName("other.example")], None),
    )
    certificate = parse_chain(narrow.certificate)[0]
    return issue(Authority(certificate, parse_key(narrow.key), (certificate,)), "peer")


def odd_authority() -> Authority:
    """A root whose one alternative name is an x400Address, which nobody reads."""
    name = bytes.fromhex("3004a3020500")
    return paths.authority("Odd", None, edit=paths.extension(bytes.fromhex("551d11"), name))
