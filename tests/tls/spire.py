"""An authority as SPIRE makes them: its certificates have the SPIFFE ID of the trust domain.

Root and intermediate have a URI without a path (X509-SVID, section 2) and the subject that SPIRE
writes; a workload's subject has a x500UniqueIdentifier. The root has no authorityKeyIdentifier.
"""

from collections.abc import Collection

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from proxy.tls.credentials import Credentials
from proxy.tls.keys import make_key
from proxy.tls.pki import Authority
from tests.tls.paths import SIGNS, certificate, leaf

DOMAIN = "spiffe://lockgate.example"


def spire_root(uri: str = DOMAIN) -> Authority:
    made = _authority("root", None, uri, without=[x509.AuthorityKeyIdentifier])
    return Authority(made.certificate, made.signer)


def spire_intermediate(root: Authority, uri: str = DOMAIN) -> Authority:
    return _authority("intermediate", root, uri)


def workload(issuer: Authority, name: str) -> Credentials:
    """A leaf with its chain: SPIFFE ID, and the names by which tests dial it."""
    names = [f"{DOMAIN}/{name}", f"{name}.lockgate.example", "localhost", "127.0.0.1"]
    unique = x509.NameAttribute(
        NameOID.X500_UNIQUE_IDENTIFIER,
        "85f2d3ce67dcb2d71d2d5a17e6f4fbf4",
        _ASN1Type.PrintableString,
    )
    return leaf(issuer, names=names, subject=_subject(unique))


def _authority(
    name: str,
    issuer: Authority | None,
    uri: str,
    without: Collection[type[x509.ExtensionType]] = (),
) -> Authority:
    key = make_key()
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    standard = [x509.BasicConstraints(ca=True, path_length=None), SIGNS, names]
    who = _subject(x509.NameAttribute(NameOID.SERIAL_NUMBER, f"2781904470{len(name)}"))
    made = certificate(who, issuer, key, standard, without=without)
    return Authority(made, key, (made, *issuer.chain) if issuer else ())


def _subject(last: x509.NameAttribute[str]) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SPIFFE"),
            last,
        ]
    )
