"""Addresses of machines: rows of the registry."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from proxy.content.kinds import Found, Kind, Likelihood
from proxy.content.shapes import compiled, words

_IPV4: Final = compiled(
    rb"[0-9](?<![0-9A-Za-z_.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_])(?!\.[0-9])"
)
_IPV6: Final = compiled(
    rb"[0-9A-Fa-f:](?<![0-9A-Za-z_:.].)[0-9A-Fa-f:]{2,44}(?:\.[0-9]{1,3}){0,3}(?![0-9A-Za-z_])"
)
_GROUPS_LEAST: Final = 3
_MAC: Final = compiled(
    rb"[0-9A-Fa-f](?<![0-9A-Za-z_].)(?<![0-9A-Fa-f][:.-].)(?:[0-9A-Fa-f]([:-])"
    rb"(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{3}(?:\.[0-9A-Fa-f]{4}){2})"
    rb"(?![0-9A-Za-z_])(?![:.-][0-9A-Fa-f])"
)


def find_ipv4(text: bytes) -> Iterator[Found]:
    """Four numbers up to 255 without leading zeros; a version number reads alike.

    Not those that name no machine: 0.0.0.0, 127.0.0.0/8, 255.255.255.255.
    """
    for match in _IPV4.finditer(text):
        try:
            address = ipaddress.IPv4Address(match[0].decode())
        except ValueError:
            continue
        if not (address.is_loopback or int(address) in (0, 2**32 - 1)):
            yield *match.span(), Likelihood.POSSIBLE


def find_ipv6(text: bytes) -> Iterator[Found]:
    """RFC 4291 text form. With `::` and fewer than three groups, code like `a::b` reads alike."""
    for match in _IPV6.finditer(text):
        shown = match[0]
        if shown.endswith(b":") and not shown.endswith(b"::"):
            shown = shown[:-1]
        try:
            address = ipaddress.IPv6Address(shown.decode())
        except ValueError:
            continue
        if int(address) > 1:
            groups = len(shown.replace(b"::", b":").strip(b":").split(b":"))
            yield (
                match.start(),
                match.start() + len(shown),
                Likelihood.LIKELY if groups >= _GROUPS_LEAST else Likelihood.POSSIBLE,
            )


def find_macs(text: bytes) -> Iterator[Found]:
    """EUI-48 in pairs, or in fours with points. Digits alone may be a time."""
    for match in _MAC.finditer(text):
        digits = match[0].translate(None, b":-.").lower()
        if digits not in (b"0" * 12, b"f" * 12):
            paired = match[1] and not digits.isdigit()
            yield *match.span(), Likelihood.LIKELY if paired else Likelihood.POSSIBLE


_IP_WORDS: Final = words(
    "ip, ips, ipv4, ipv6, ip address, addr, address, host, hostname, subnet, netmask, dns, "
    "x forwarded for, adresse, dirección, indirizzo"
)
"""No `server` or `client`: a version number may stand below such a key."""

NETWORK: Final = (
    Kind(
        "ip_address",
        find_ipv6,
        (
            rb"::[0-9A-Fa-f]",
            rb"[0-9A-Fa-f]::",
            rb"[0-9A-Fa-f](?::[0-9A-Fa-f]{1,4}){6}",
        ),
        needed=b":",
        context=_IP_WORDS,
        alone=Likelihood.LIKELY,
        group="network",
    ),
    Kind(
        "ip_address",
        find_ipv4,
        (rb"[0-9](?:\.[0-9]{1,3}){3}",),
        needed=b".",
        context=_IP_WORDS,
        alone=Likelihood.POSSIBLE,
        group="network",
    ),
    Kind(
        "mac_address",
        find_macs,
        (
            rb"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}",
            rb"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}",
            rb"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
        ),
        context=words("mac, mac address, hwaddr, ethernet, ether, bssid, wlan, wifi"),
        alone=Likelihood.LIKELY,
        group="network",
    ),
)
