"""Makes certificates: for development, the demo and tests. Pure, no files.

Everything here is made to pass Lockgate's own checks (RFC 5280 read strictly): key identifiers,
critical basicConstraints and keyUsage, and extended key usages that are always written out.

    authority = make_authority("Example CA")
    gateway = issue(authority, "gateway", usages=BOTH)
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.tls.credentials import Credentials, TlsKey
from proxy.tls.keys import Algorithm, make_key, private_pem

TRUST_DOMAIN = "lockgate.example"
ORGANIZATION = "Lockgate throwaway PKI"
"""In the subject of what is made to try things; None for a certificate without one."""
LIFETIME = timedelta(days=398)
"""The longest that any certificate made here lives."""
SKEW = timedelta(minutes=5)
"""Certificates begin this much earlier, for peers whose clocks are slow."""

CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH = CLIENT + SERVER

_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority with its key. `chain` is what a leaf below it has to send along."""

    certificate: x509.Certificate
    signer: TlsKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate: what goes into a trust bundle."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The private key, PKCS #8 PEM."""
        return private_pem(self.signer)


@dataclass(frozen=True, slots=True)
class Names:
    """The subjectAltName of a certificate."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()


def default_names(name: str, trust_domain: str = TRUST_DOMAIN) -> Names:
    """A SPIFFE ID, a DNS name, and this machine, so that everything runs on one of them."""
    return Names(
        uris=(f"spiffe://{trust_domain}/{name}",),
        dns=(f"{name}.{trust_domain}", "localhost"),
        ips=("127.0.0.1", "::1"),
    )


def make_authority(
    name: str = "Lockgate throwaway CA",
    *,
    issuer: Authority | None = None,
    lifetime: timedelta = LIFETIME,
    not_before: datetime | None = None,
    algorithm: Algorithm = "p256",
    organization: str | None = ORGANIZATION,
) -> Authority:
    """A root, or an intermediate below `issuer`. `not_before` is `SKEW` ago by default."""
    key = make_key(algorithm)
    subject = _subject(name, organization)
    builder = _builder(subject, issuer, key, not_before, lifetime)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    certificate = builder.sign((issuer.signer if issuer else key), _hash(issuer, key))
    return Authority(certificate, key, (certificate, *issuer.chain) if issuer else ())


def issue(
    authority: Authority,
    name: str,
    *,
    usages: Sequence[x509.ObjectIdentifier] | None = BOTH,
    names: Names | None = None,
    lifetime: timedelta = LIFETIME,
    not_before: datetime | None = None,
    algorithm: Algorithm = "p256",
    digital_signature: bool | None = True,
    organization: str | None = ORGANIZATION,
) -> Credentials:
    """An end-entity certificate with its key.

    `usages` None leaves extendedKeyUsage out; `digital_signature` None leaves keyUsage out, False
    writes one without it. `names` are `default_names(name)` unless given.
    """
    key = make_key(algorithm)
    builder = _builder(_subject(name, organization), authority, key, not_before, lifetime)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    if digital_signature is not None:
        usage = _usage("digital_signature" if digital_signature else "key_agreement")
        builder = builder.add_extension(usage, critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    alternative = _alternative_names(names if names is not None else default_names(name))
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    leaf = builder.sign(authority.signer, _hash(authority, key))
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, *authority.chain))
    return Credentials(pem, private_pem(key))


# --- parts of a certificate ----------------------------------------------------------------------


def _subject(name: str, organization: str | None) -> x509.Name:
    common = x509.NameAttribute(NameOID.COMMON_NAME, name)
    if organization is None:
        return x509.Name([common])
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), common])


def _builder(
    subject: x509.Name,
    issuer: Authority | None,
    key: TlsKey,
    not_before: datetime | None,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    begin = not_before or datetime.now(UTC) - SKEW
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + lifetime)
    )
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    identifier = (
        _issuer_identifier(issuer)
        if issuer
        else x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    )
    return builder.add_extension(own, critical=False).add_extension(identifier, critical=False)


def _issuer_identifier(issuer: Authority) -> x509.AuthorityKeyIdentifier:
    extension = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def _usage(*granted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{bit: bit in granted for bit in _USAGE_BITS})


def _alternative_names(names: Names) -> list[x509.GeneralName]:
    return [
        *(x509.UniformResourceIdentifier(uri) for uri in names.uris),
        *(x509.DNSName(name) for name in names.dns),
        *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in names.ips),
    ]


def _hash(issuer: Authority | None, key: TlsKey) -> hashes.SHA256 | None:
    signer = issuer.signer if issuer else key
    return None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
