"""Certificates for a key that somebody has already."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.tls.credentials import Credentials, parse_chain, parse_key
from proxy.tls.pki import Authority


def rekeyed(
    authority: Authority,
    like: Credentials,
    key: Credentials,
    *,
    later: timedelta = timedelta(0),
    longer: timedelta = timedelta(0),
    subject: x509.Name | None = None,
) -> Credentials:
    """`like`, issued again for the key of `key`, so much later and for so much longer."""
    leaf, private = parse_chain(like.certificate)[0], parse_key(key.key)
    builder = (
        x509.CertificateBuilder(leaf.issuer, subject or leaf.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(leaf.not_valid_before_utc + later)
        .not_valid_after(leaf.not_valid_after_utc + later + longer)
    )
    for each in leaf.extensions:
        value = each.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
        builder = builder.add_extension(value, each.critical)
    made = builder.sign(authority.signer, hashes.SHA256())
    return Credentials(made.public_bytes(Encoding.PEM), key.key)
