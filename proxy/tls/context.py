"""Policy -> what engines are made from: versions, suites, trust, CRLs, pins.

OpenSSL refuses changes to a context that a connection has used, so every reload builds new ones;
connections that are there keep theirs. Nothing is taken from the system: neither its trust store
nor its defaults.

What OpenSSL cannot be told through its public interface is held against the policy by the engine
after the handshake: the group that was negotiated. The suite is both configured and checked.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from OpenSSL import SSL, crypto

from proxy.errors import CredentialError
from proxy.settings.schema import CIPHERS, GROUPS, ListenerTls, Tls
from proxy.settings.trust import Revocation
from proxy.tls.credentials import Credentials, load_credentials, parse_chain, parse_key
from proxy.tls.identity import UNREADABLE, is_authority, parse_pins
from proxy.tls.judge import Judge
from proxy.tls.path import LONGEST
from proxy.tls.revocation import read_lists
from proxy.tls.standing import Revocations
from proxy.tls.verify import make_callback

CA_NAMES_MAXIMUM = 8192
"""Octets of authority names that a server tells its clients (RFC 8446, 4.2.4); beyond, none."""

HTTP = (b"http/1.1", b"http/1.0")
"""What a listener for HTTP speaks (RFC 7301, 6)."""
_OPTIONS = (
    SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)  # fmt: skip
_OLDER = [name for name in CIPHERS if not name.startswith("TLS_")]
_REVOCATION = Revocation()
_MODE = SSL.MODE_RELEASE_BUFFERS
"""Who is idle keeps no room for a record of each way, which is 34 KiB."""
_PARTIAL = 0x1
"""SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets: a call for each record. Memory takes all."""
_VERIFY = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


@dataclass(frozen=True, slots=True)
class TlsContext:
    """A protocol policy with keys and trust, ready for use by any number of engines."""

    openssl: SSL.Context
    server: bool
    groups: frozenset[str]
    """Names that are allowed, lower case."""
    ciphers: frozenset[str]
    judge: Judge
    """Whether a peer is acceptable, in the handshake and later."""


def server_context(
    credentials: Credentials,
    trust_pem: bytes,
    crl_pem: bytes | None,
    tls: ListenerTls,
    revocation: Revocation = _REVOCATION,
    applications: Sequence[bytes] = (),
) -> TlsContext:
    """A listener's side: a client certificate is required. Raises `CredentialError`.

    `applications` are what it speaks by the names of ALPN (RFC 7301), the preferred first: a client
    that offers others only is refused. Without any, or to a client that offers none, nothing is
    said of it.
    """
    judge = make_judge(trust_pem, crl_pem, revocation, tls.pins, server=True)
    context = _context(credentials, trust_pem, judge, tls, server=True)
    authorities = parse_chain(trust_pem)
    if sum(len(each.subject.public_bytes()) + 2 for each in authorities) <= CA_NAMES_MAXIMUM:
        for each in authorities:
            context.openssl.add_client_ca(each)
    if applications:
        context.openssl.set_alpn_select_callback(partial(_select, applications))
    return context


def _select(applications: Sequence[bytes], _: SSL.Connection, offered: list[bytes]) -> bytes:
    """What raises here is raised by this very handshake, which ends with the alert of RFC 7301."""
    for each in applications:
        if each in offered:
            return each
    raise SSL.Error([("", "", "no application protocol in common")])


def client_context(
    credentials: Credentials | None,
    trust_pem: bytes,
    crl_pem: bytes | None,
    tls: Tls,
    pins: list[str] | None,
    revocation: Revocation = _REVOCATION,
) -> TlsContext:
    """An upstream's side. Raises `CredentialError`."""
    judge = make_judge(trust_pem, crl_pem, revocation, pins, server=False)
    return _context(credentials, trust_pem, judge, tls, server=False)


def make_judge(
    trust_pem: bytes,
    crl_pem: bytes | None,
    revocation: Revocation,
    pins: list[str] | None = None,
    *,
    server: bool,
) -> Judge:
    """Who is acceptable to a trust bundle with its lists: clients, where we are the `server`.

    Raises `CredentialError`.
    """
    lists = read_lists(crl_pem) if crl_pem is not None else ()
    wanted = parse_pins(pins) if pins is not None else None
    return Judge(read_trust(trust_pem), Revocations(lists, revocation), wanted, server=server)


def require_strong(credentials: Credentials) -> None:
    """Raises `CredentialError` where TLS would not take the certificate or its key."""
    context = SSL.Context(SSL.TLS_METHOD)
    _set_protocol(context, Tls())
    _set_credentials(context, credentials)


def _context(
    credentials: Credentials | None,
    trust_pem: bytes,
    judge: Judge,
    tls: Tls,
    *,
    server: bool,
) -> TlsContext:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_options(_OPTIONS)
    context.set_mode(_MODE)
    context.clear_mode(_PARTIAL)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(os.urandom(32))
    _set_protocol(context, tls)
    callback = make_callback(server, judge.pins, judge.revocations.require)
    context.set_verify(_VERIFY, callback)
    context.set_verify_depth(LONGEST - 2)
    _set_trust(context, trust_pem)
    if credentials is not None:
        _set_credentials(context, credentials)
    groups = frozenset(group.lower() for group in tls.groups)
    return TlsContext(context, server, groups, frozenset(tls.ciphers), judge)


def _set_protocol(context: SSL.Context, tls: Tls) -> None:
    """Only what the schema knows: every suite is AEAD, and below TLS 1.3 every one is ECDHE."""
    _require_known("group", tls.groups, GROUPS)
    _require_known("cipher suite", tls.ciphers, CIPHERS)
    modern = [name for name in tls.ciphers if name.startswith("TLS_")]
    older = [name for name in tls.ciphers if not name.startswith("TLS_")]
    if not modern and not (older and tls.minimum == "1.2"):
        raise CredentialError("no cipher suite is left for this protocol version")
    older_allowed = tls.minimum == "1.2" and bool(older)
    context.set_min_proto_version(SSL.TLS1_2_VERSION if older_allowed else SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION if modern else SSL.TLS1_2_VERSION)
    # The version range is what excludes TLS 1.2; OpenSSL wants a list all the same.
    context.set_cipher_list((":".join(older or _OLDER) + ":@SECLEVEL=2").encode())
    context.set_tls13_ciphersuites(":".join(modern).encode())


def _require_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise CredentialError(f"unknown {what}: {', '.join(unknown)}")


def _set_trust(context: SSL.Context, trust_pem: bytes) -> None:
    store = context.get_cert_store()
    if store is None:
        raise CredentialError("no certificate store")
    for authority in read_trust(trust_pem):
        store.add_cert(crypto.X509.from_cryptography(authority))
    store.set_flags(crypto.X509StoreFlags.X509_STRICT)


def read_trust(pem: bytes) -> list[x509.Certificate]:
    """The authorities of a trust bundle, one at least. Raises `CredentialError`."""
    authorities = parse_chain(pem)
    for each in authorities:
        _require_authority(each)
    return authorities


def _require_authority(certificate: x509.Certificate) -> None:
    """A leaf in a trust bundle is a mistake: it would stand for itself, beyond any authority."""
    try:
        trusted = is_authority(certificate)
    except UNREADABLE:
        raise CredentialError("a part of a trusted certificate does not parse") from None
    if not trusted:
        raise CredentialError("a trusted certificate is not that of a CA")


def _set_credentials(context: SSL.Context, credentials: Credentials) -> None:
    proven = load_credentials(credentials.certificate, credentials.key)
    leaf, *issuers = parse_chain(proven.certificate)
    try:
        context.use_certificate(leaf)
        for issuer in issuers:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(parse_key(proven.key))
        context.check_privatekey()
    except (SSL.Error, crypto.Error):
        raise CredentialError("the certificate or its key is too weak for TLS here") from None
