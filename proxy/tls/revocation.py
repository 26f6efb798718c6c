"""Certificate revocation lists (RFC 5280, section 5): read here, judged by OpenSSL.

A file holds one or several, PEM or DER. One that does not parse refuses the file. An expired one is
loaded: it refuses every peer that it covers, with reason `crl`, until a fresh one is there.
"""

from cryptography import x509

from proxy.errors import CredentialError

_BEGIN = b"-----BEGIN X509 CRL-----"


def read_crls(content: bytes) -> list[x509.CertificateRevocationList]:
    """Every CRL of the file, at least one; `CredentialError` otherwise."""
    try:
        if b"-----BEGIN" not in content:
            return [x509.load_der_x509_crl(content)]
        blocks = content.split(_BEGIN)[1:]
        crls = [x509.load_pem_x509_crl(_BEGIN + block) for block in blocks]
    except ValueError:
        raise CredentialError("a CRL does not parse") from None
    if not crls:
        raise CredentialError("no PEM CRL found")
    for crl in crls:
        _require_form(crl)
    return crls


def _require_form(crl: x509.CertificateRevocationList) -> None:
    """RFC 5280, 5.1.2.5 and 5.2.3: a list says when it is stale, and which of two is newer."""
    if crl.next_update_utc is None:
        raise CredentialError("a CRL has no nextUpdate: nobody could tell when it is stale")
    try:
        number = crl.extensions.get_extension_for_class(x509.CRLNumber)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise CredentialError("a CRL has no CRLNumber: nobody could tell which is newer") from None
    if number.critical:
        raise CredentialError("the CRLNumber of a CRL is critical, which it may not be")
