"""Revocation lists with something special about them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.pki import Authority

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
Entry = Credentials | Authority


def certificate_of(each: Entry) -> x509.Certificate:
    return each.certificate if isinstance(each, Authority) else parse_chain(each.certificate)[0]


def crl(
    authority: Authority,
    *revoked: Entry,
    issued: datetime = NOW - HOUR,
    until: datetime = NOW + HOUR,
    number: int | None = 1,
    named: bool = True,
    critical: Sequence[x509.ExtensionType] = (),
    entry: Sequence[tuple[x509.ExtensionType, bool]] = (),
    algorithm: hashes.SHA224 | None = None,
) -> bytes:
    """A PEM CRL; `named` with the identifier of the authority's key."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(issued).next_update(until)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    if named:
        own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
        builder = builder.add_extension(above, critical=False)
    for each in critical:
        builder = builder.add_extension(each, critical=True)
    for one in revoked:
        row = x509.RevokedCertificateBuilder().serial_number(certificate_of(one).serial_number)
        row = row.revocation_date(issued)
        for value, grave in entry:
            row = row.add_extension(value, critical=grave)
        builder = builder.add_revoked_certificate(row.build())
    made = builder.sign(authority.signer, algorithm or hashes.SHA256())
    return made.public_bytes(Encoding.PEM)


def scope(
    *points: str, authorities: bool = False, others: bool = False, **special: Any
) -> x509.IssuingDistributionPoint:
    """An issuingDistributionPoint."""
    parts: dict[str, Any] = {
        "full_name": [x509.UniformResourceIdentifier(each) for each in points] or None,
        "relative_name": None,
        "only_contains_user_certs": others,
        "only_contains_ca_certs": authorities,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(parts | special))
