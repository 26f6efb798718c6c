r"""Who sent a request, told to the upstream in header fields.

    Forwarded: for=192.0.2.7;by=_gateway-a;host="gate.example:8443";proto=https     RFC 7239
    Client-Cert: :MIIB...:                                                          RFC 9440
    Client-Cert-Chain: :MIIC...:, :MIID...:
    X-Forwarded-Client-Cert: By=spiffe://acme/gate;Hash=9f86...;Subject="CN=etl";URI=spiffe://acme/etl

Nothing here comes from the request but its Host. Everything else is what the handshake proved, and
what names may hold (commas, quotes, any character at all) is quoted so that no name can end its
own field and begin another.
"""

import ipaddress
from functools import lru_cache

from proxy.errors import Refusal
from proxy.model import Certificate, Peer
from proxy.wire.structured import format_bytes, format_list

MAX_CERTIFICATES = 16 * 1024
"""Octets of certificate fields that are sent on; more is refused, never dropped (RFC 9440)."""
_NEEDS_QUOTES = frozenset(b' \t",;=\\')


def identity_fields(
    peer: Peer, *, gateway: str, host: bytes, own_uri: str | None = None
) -> list[tuple[bytes, bytes]]:
    """The fields that name `peer`. Raises `Refusal` ("head-too-large")."""
    fields = [(b"forwarded", _forwarded(peer, gateway, host))]
    if peer.certificate is not None:
        fields += _certificate_fields(peer.certificate, own_uri)
    return fields


@lru_cache(256)
def _certificate_fields(
    certificate: Certificate, own_uri: str | None
) -> tuple[tuple[bytes, bytes], ...]:
    """Kept, since they are the same for every request of a connection."""
    fields = [(b"client-cert", format_bytes(certificate.der))]
    if certificate.chain:
        fields.append((b"client-cert-chain", format_list(certificate.chain)))
    fields.append((b"x-forwarded-client-cert", _xfcc(certificate, own_uri)))
    if sum(len(value) for _, value in fields) > MAX_CERTIFICATES:
        raise Refusal("head-too-large", "the peer's certificates are too large to be sent on")
    return tuple(fields)


def _forwarded(peer: Peer, gateway: str, host: bytes) -> bytes:
    """One element, ours alone: earlier ones are a peer's claim and are not passed on."""
    proto = b"http" if peer.channel is None else b"https"
    return b"for=%s;by=_%s;host=%s;proto=%s" % (
        _node(peer.address),
        gateway.encode("ascii"),
        _quoted(host),
        proto,
    )


@lru_cache(1024)
def _node(address: str | None) -> bytes:
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return b"unknown"
    text = found.compressed.encode("ascii")
    return text if found.version == 4 else b'"[%s]"' % text


def _xfcc(certificate: Certificate, own_uri: str | None) -> bytes:
    pairs = [] if own_uri is None else [(b"By", _value(own_uri))]
    pairs.append((b"Hash", certificate.sha256.hex().encode("ascii")))
    pairs.append((b"Subject", _quoted(_ascii(certificate.subject))))
    pairs += [(b"URI", _value(uri)) for uri in certificate.uris]
    pairs += [(b"DNS", _value(name)) for name in certificate.dns]
    return b";".join(b"%s=%s" % pair for pair in pairs)


def _value(text: str) -> bytes:
    value = _ascii(text)
    return _quoted(value) if not value or _NEEDS_QUOTES & set(value) else value


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _ascii(text: str) -> bytes:
    r"""Octets of UTF-8 that are not visible ASCII become `\XX` (RFC 4514 section 2.4)."""
    octets = text.encode("utf-8", "surrogatepass")
    return b"".join(
        bytes([octet]) if 0x20 <= octet <= 0x7E else b"\\%02X" % octet for octet in octets
    )
