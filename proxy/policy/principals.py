"""Is this peer named by an entry? What each of its keys about peers means. Fails closed.

Every key of an entry must hold, and any one pattern of a key is enough. A key about something that
the peer does not have (a certificate, an address, a user id) does not hold.

    spiffe    spiffe://acme/etl/*     trust domain in any case, path exactly (SPIFFE-ID, section 2)
    uri       urn:acme:*              any URI name of the certificate, exactly
    dns       *.example.com           any DNS name of the certificate, in any case; one label
    ip        10.0.0.0/8            any address name of the certificate, within it
    cn, ou    etl-*                 any CN, or OU, of the subject, exactly: what an authority lets
                                    stand there is often less controlled than subjectAltName
    pins      sha256:…                the certificate's own key (RFC 7469, section 2.4)
    networks  10.0.0.0/8              the peer's address; IPv4 in IPv6 counts as IPv4
    local     {uid: [1000]}           the process at the other end of a unix socket

A certificate's own wildcard (`*.example.com`) stands for one label (RFC 9525, 6.3). To `allow` it
is nobody: its holder is no one host. To `deny` it is everybody whom it may stand for.
"""

import base64
import functools
import ipaddress
import re
from collections.abc import Callable

from proxy.model import Peer
from proxy.settings import grammar
from proxy.settings.schema import Principal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


def matches(peer: Peer, principal: Principal) -> bool:
    """Whether every key of `principal` holds for this peer. One without keys names nobody."""
    held = [holds(peer) for _, holds in compile_principal(principal)]
    return bool(held) and all(held)


def compile_principal(
    principal: Principal, *, denies: bool = False
) -> list[tuple[str, Callable[[Peer], bool]]]:
    """(key, whether it holds) of every key about the peer that the entry has.

    Raises ValueError when a pattern in it is malformed.
    """
    prepare(principal)
    keys = _DENIES if denies else _KEYS
    return [
        (key, _bound(holds, value))
        for key, holds in keys.items()
        if (value := getattr(principal, key)) is not None
    ]


def _bound(holds: Callable[..., bool], value: object) -> Callable[[Peer], bool]:
    return lambda peer: holds(peer, value)


def spiffe_key(name: str) -> str:
    """A SPIFFE ID as one text for all its spellings: its trust domain in small letters."""
    scheme, _, rest = name.partition("://")
    domain, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{domain.lower()}{slash}{path}"


def prepare(principal: Principal) -> None:
    """Compile every pattern of an entry. Raises ValueError when one is malformed."""
    for compiler, patterns in (
        (_spiffe_pattern, principal.spiffe),
        (_uri_pattern, principal.uri),
        (_dns_pattern, principal.dns),
        (_network, principal.networks),
        (_network, principal.ip),
        (_subject_pattern, principal.cn),
        (_subject_pattern, principal.ou),
    ):
        for pattern in patterns or ():
            compiler(pattern)


def _spiffe(peer: Peer, patterns: list[str]) -> bool:
    name = peer.certificate.spiffe if peer.certificate is not None else None
    return name is not None and any(_spiffe_pattern(text).fullmatch(name) for text in patterns)


def _uri(peer: Peer, patterns: list[str]) -> bool:
    names = peer.certificate.uris if peer.certificate is not None else ()
    return any(_uri_pattern(text).fullmatch(name) for text in patterns for name in names)


def _dns(peer: Peer, patterns: list[str]) -> bool:
    names = peer.certificate.dns if peer.certificate is not None else ()
    return any(_dns_pattern(text).fullmatch(name) for text in patterns for name in names)


def _may_be_dns(peer: Peer, patterns: list[str]) -> bool:
    """As `_dns`; a wildcard is whatever name it may stand for."""
    names = peer.certificate.dns if peer.certificate is not None else ()
    wild = {name[1:].lower() for name in names if name.startswith("*.")}
    return _dns(peer, patterns) or any(_above(text) in wild for text in patterns)


def _above(name: str) -> str:
    """All but its first label, in small letters: `.example.com` of `a.example.com`."""
    return "." + name.lower().partition(".")[2]


def _ip(peer: Peer, networks: list[str]) -> bool:
    names = peer.certificate.ips if peer.certificate is not None else ()
    return any(_within(name, networks) for name in names)


def _cn(peer: Peer, patterns: list[str]) -> bool:
    return _subject(peer.certificate.common_names if peer.certificate else (), patterns)


def _ou(peer: Peer, patterns: list[str]) -> bool:
    return _subject(peer.certificate.units if peer.certificate else (), patterns)


def _subject(values: tuple[str, ...], patterns: list[str]) -> bool:
    return any(_subject_pattern(text).fullmatch(value) for text in patterns for value in values)


def _pins(peer: Peer, pins: list[str]) -> bool:
    if peer.certificate is None:
        return False
    pin = "sha256:" + base64.b64encode(peer.certificate.spki_sha256).decode()
    return pin in pins


def _networks(peer: Peer, networks: list[str]) -> bool:
    return peer.address is not None and _within(peer.address, networks)


def _within(text: str, networks: list[str]) -> bool:
    address = _address(text)
    return address is not None and any(address in _network(each) for each in networks)


def _local(peer: Peer, local: object) -> bool:
    return peer.uid is not None and peer.uid in getattr(local, "uid", ())


_KEYS: dict[str, Callable[..., bool]] = {
    "spiffe": _spiffe,
    "uri": _uri,
    "dns": _dns,
    "ip": _ip,
    "cn": _cn,
    "ou": _ou,
    "pins": _pins,
    "networks": _networks,
    "local": _local,
}
_DENIES = _KEYS | {"dns": _may_be_dns}
if set(_KEYS) != set(Principal.model_fields):
    raise AssertionError("every key of an entry needs its check")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def compile_name(pattern: str) -> re.Pattern[str]:
    """What a `dns` pattern takes. Raises ValueError when it is malformed."""
    return _dns_pattern(pattern)


# --- patterns: they come from the configuration alone, so that what is kept of them is bounded ----


@functools.lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    grammar.require_network(text)
    return ipaddress.ip_network(text)


@functools.lru_cache(maxsize=4096)
def _spiffe_pattern(text: str) -> re.Pattern[str]:
    grammar.require_spiffe_pattern(text)
    domain, *segments = text.partition("://")[2].split("/")
    path = "".join(
        "(?:/[A-Za-z0-9._-]+)*" if segment == "**" else "/" + _stars(segment, "[A-Za-z0-9._-]+")
        for segment in segments
    )
    return re.compile(f"(?i:spiffe://{re.escape(domain)}){path}", re.ASCII)


@functools.lru_cache(maxsize=4096)
def _uri_pattern(text: str) -> re.Pattern[str]:
    grammar.require_uri_pattern(text)
    return re.compile(_stars(text, "[^/?#]+"))


@functools.lru_cache(maxsize=4096)
def _dns_pattern(text: str) -> re.Pattern[str]:
    grammar.require_dns_pattern(text)
    return re.compile(_stars(text, _LABEL), re.IGNORECASE | re.ASCII)


@functools.lru_cache(maxsize=4096)
def _subject_pattern(text: str) -> re.Pattern[str]:
    grammar.require_subject_pattern(text)
    return re.compile(_stars(text, r"[^\x00-\x1f\x7f-\x9f]+"))


def _stars(text: str, star: str) -> str:
    return star.join(re.escape(part) for part in text.split("*"))
