"""Certification paths with something special about them, made by hand down to the octet.

`root()` is the trust anchor, `authority` and `leaf` issue below it. Extensions are replaced by
type, left out, or made critical or not; what the builder refuses to write is edited into the
TBSCertificate, which is then signed again. `judged` says what becomes of a leaf: in a handshake as
a sender, in one as an upstream, and offline; the three have to agree.
"""

import base64
import functools
import ipaddress
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from proxy.errors import TlsFailure
from proxy.tls.context import read_trust
from proxy.tls.credentials import Credentials, TlsKey, parse_chain
from proxy.tls.der import Value, only, values
from proxy.tls.engine import Engine
from proxy.tls.keys import make_key, private_pem
from proxy.tls.offline import CLIENT, SERVER, verify_path
from proxy.tls.pki import BOTH, Authority
from tests.tls.pump import (
    client_side,
    foreign_context,
    foreign_peer,
    reasons,
    server_side,
    shake_foreign,
)

HOUR = timedelta(hours=1)
Extensions = Collection[x509.ExtensionType]
Edit = Callable[[list[Value]], list[bytes]]
"""The fields of a TBSCertificate -> their octets, something changed."""

_CRITICAL = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.NameConstraints,
    x509.PolicyConstraints,
    x509.InhibitAnyPolicy,
)
SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
"""keyUsage of an authority."""
SPEAKS = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
"""keyUsage of a leaf."""


def subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) if name else x509.Name([])


@functools.cache
def root() -> Authority:
    return authority("Path Root", None)


@functools.cache
def honest() -> Credentials:
    """Somebody with nothing special, to shake hands with."""
    return leaf(root(), names=["localhost"])


def authority(name: str, issuer: Authority | None, **special: object) -> Authority:
    """An authority below `issuer`, self-signed without one."""
    key = special.pop("key", None) or make_key()
    standard = [x509.BasicConstraints(ca=True, path_length=None), SIGNS]
    made = certificate(subject(name), issuer, key, standard, **special)  # type: ignore[arg-type]
    return Authority(made, key, (made, *issuer.chain) if issuer else ())  # type: ignore[arg-type]


def leaf(
    issuer: Authority, *, names: Sequence[str | bytes] = ("localhost",), **special: object
) -> Credentials:
    """An end entity below `issuer`, client and server, with these names (`general`)."""
    key = special.pop("key", None) or make_key()
    named = special.pop("subject", "leaf")
    standard: list[x509.ExtensionType] = [SPEAKS, x509.ExtendedKeyUsage(BOTH)]
    if names:
        standard.append(x509.SubjectAlternativeName([general(name) for name in names]))
    who = named if isinstance(named, x509.Name) else subject(str(named))
    edit = special.pop("edit", None)
    made = certificate(who, issuer, key, standard, **special)  # type: ignore[arg-type]
    if edit is None:
        pem = made.public_bytes(Encoding.PEM)
    else:
        pem = armoured(edited(made, issuer.signer, edit))  # type: ignore[arg-type]
    above = b"".join(each.public_bytes(Encoding.PEM) for each in issuer.chain)
    return Credentials(pem + above, private_pem(key))  # type: ignore[arg-type]


def armoured(encoded: bytes) -> bytes:
    """PEM of octets that need not be a certificate."""
    text = base64.encodebytes(encoded)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def general(name: str | bytes | x509.GeneralName) -> x509.GeneralName:
    """`host`, `user@host`, `scheme:…`, an address or a network -> a GeneralName, unchecked."""
    if isinstance(name, x509.GeneralName):
        return name
    text = str(name)
    for read in (ipaddress.ip_address, ipaddress.ip_network):
        try:
            return x509.IPAddress(read(text))
        except ValueError:
            continue
    if "@" in text and ":" not in text:
        return x509.RFC822Name._init_without_validation(text)
    if ":" in text:
        return x509.UniformResourceIdentifier._init_without_validation(text)
    return x509.DNSName._init_without_validation(text)


def certificate(
    who: x509.Name,
    issuer: Authority | None,
    key: TlsKey,
    standard: Sequence[x509.ExtensionType],
    *,
    extensions: Extensions = (),
    without: Collection[type[x509.ExtensionType]] = (),
    critical: Mapping[type[x509.ExtensionType], bool] | None = None,
    period: tuple[datetime, datetime] | None = None,
    serial: int | None = None,
    hash_algorithm: hashes.HashAlgorithm | None = None,
    padding: object = None,
    edit: Edit | None = None,
) -> x509.Certificate:
    """One certificate: what is standard, then what is special about it."""
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer, issued_by, above = key, who, own
    if issuer is not None:
        signer, issued_by = issuer.signer, issuer.certificate.subject
        above = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    held: dict[type[x509.ExtensionType], x509.ExtensionType] = {}
    for each in (own, identifier, *standard, *extensions):
        held[type(each)] = each
    begin, end = period or (datetime.now(UTC) - HOUR, datetime.now(UTC) + HOUR)
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for kind, each in held.items():
        if kind not in without:
            marked = (critical or {}).get(kind, isinstance(each, _CRITICAL))
            builder = builder.add_extension(each, critical=marked)
    how = {"rsa_padding": padding} if padding is not None else {}
    made = builder.sign(signer, hash_algorithm or _hash(signer), **how)  # type: ignore[arg-type]
    return x509.load_der_x509_certificate(edited(made, signer, edit)) if edit else made


def edited(made: x509.Certificate, signer: TlsKey, edit: Edit) -> bytes:
    """The same certificate with its TBSCertificate changed, and signed again."""
    tbs, algorithm, _ = values(only(made.public_bytes(Encoding.DER), 0x30))
    changed = der(0x30, b"".join(edit(values(tbs.content))))
    signature = der(0x03, b"\0" + sign(signer, changed))
    return der(0x30, changed + algorithm.whole + signature)


def sign(signer: TlsKey, data: bytes) -> bytes:
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(data, ec.ECDSA(hashes.SHA256()))
    assert isinstance(signer, ed25519.Ed25519PrivateKey)
    return signer.sign(data)


def der(tag: int, content: bytes) -> bytes:
    """A tag-length-value."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    written = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(written))) + written + content


def field(index: int, octets: bytes) -> Edit:
    """Put `octets` in the place of one field: 1 serial, 2 algorithm, 3 issuer, 4 validity, …"""
    return lambda fields: [
        octets if place == index else each.whole for place, each in enumerate(fields)
    ]


def extension(oid: bytes, content: bytes, *, critical: bytes = b"") -> Edit:
    """Add an extension at the end; `critical` is the octets of the flag, if any."""
    whole = der(0x30, der(0x06, oid) + critical + der(0x04, content))

    def edit(fields: list[Value]) -> list[bytes]:
        *rest, last = fields
        inner = only(last.content, 0x30)
        return [*(each.whole for each in rest), der(0xA3, der(0x30, inner + whole))]

    return edit


def _hash(signer: TlsKey) -> hashes.HashAlgorithm | None:
    named = isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return hashes.SHA256() if named else None


@functools.cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


# --- the judgement -------------------------------------------------------------------------------


def judged(peer: Credentials, *, trust: Authority | None = None) -> str | None:
    """The reason why a peer is refused, None when it is let in; the same in three places."""
    anchor = trust or root()
    honestly, plainly = honest(), root().pem
    server = server_side(honestly, trust=anchor.pem)
    client = client_side(honestly, trust=anchor.pem)
    said = {
        reasons(server, client_side(peer, trust=plainly))[0],
        reasons(server_side(peer, trust=plainly), client)[1],
        *(offline(peer, usage=usage, trust=anchor) for usage in (CLIENT, SERVER)),
    }
    assert len(said) == 1, said
    return said.pop()


def presented(peer: Credentials, folder: Path) -> str | None:
    """What a server says when a foreign peer presents it, which nobody read before."""
    foreign = foreign_context(False, peer, folder)
    foreign.load_verify_locations(cadata=root().pem.decode())
    ours = Engine(server_side(honest(), trust=root().pem))
    return shake_foreign(ours, foreign_peer(foreign, server=False)).reason


def offline(
    peer: Credentials,
    *,
    usage: x509.ObjectIdentifier = SERVER,
    trust: Authority | None = None,
    at: datetime | None = None,
) -> str | None:
    """What `verify_path` says: a reason, or None."""
    try:
        why(peer, usage=usage, trust=trust, at=at)
    except TlsFailure as failure:
        return failure.reason
    return None


def why(
    peer: Credentials,
    *,
    usage: x509.ObjectIdentifier = SERVER,
    trust: Authority | None = None,
    at: datetime | None = None,
) -> list[x509.Certificate]:
    """The path, or `TlsFailure`."""
    anchors = read_trust((trust or root()).pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography's, of serials that are not positive
        first, *others = parse_chain(peer.certificate)
        return verify_path(first, others, anchors, usage=usage, at=at)


def below(chain: Authority, **special: object) -> Authority:
    """The authority, without the certificates that it would send along."""
    return replace(chain, chain=(), **special)  # type: ignore[arg-type]
