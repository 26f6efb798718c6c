"""Certificates that are valid, and whose keys are kept carelessly: what a table of peers shows.

    lifetime         valid for longer than `identity.max_lifetime`: a thief has the key as long
    two_identities   the key of somebody else: one of the two can speak as the other
    old_key          a later certificate with the key of an earlier: nothing was renewed
    shared           the key comes from many places within an hour: it has been copied

Only peers that have proven their key are noted, once for each connection. The name of a peer is its
SPIFFE ID, else its first URI, DNS name or address, else its subject. The table is bounded: by keys,
of which the one not seen for longest goes, and by addresses of one key, IPv6 by /64.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from proxy.model import Certificate

KEYS: Final = 4096
HOUR: Final = timedelta(hours=1)
KINDS: Final = ("lifetime", "two_identities", "old_key", "shared")


@dataclass(slots=True)
class _Seen:
    """What is known of one key."""

    name: str
    sha256: bytes
    since: datetime
    """notBefore of the earliest certificate with it."""
    places: dict[str, datetime] = field(default_factory=dict)
    """Address, or its /64 -> when it came from there last."""


class Keys:
    """The keys of peers, as far as one process has seen them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def note(
        self, certificate: Certificate, address: str | None, now: datetime, most: int
    ) -> Iterator[tuple[str, str]]:
        """(kind, what) of everything that this peer shows, but its lifetime; `address` None is
        not noted. `most` is from how many a key may come within an hour."""
        name, spki = name_of(certificate), certificate.spki_sha256
        seen = self._seen.setdefault(spki, _Seen(name, certificate.sha256, certificate.not_before))
        self._seen.move_to_end(spki)
        if len(self._seen) > KEYS:
            self._seen.popitem(last=False)
        if seen.name != name:
            yield "two_identities", f"{name} has the key of {seen.name}"
        elif seen.sha256 != certificate.sha256:
            if certificate.not_before > seen.since:
                yield "old_key", f"{name} has a later certificate with the same key"
            else:
                seen.sha256, seen.since = certificate.sha256, certificate.not_before
        if address is not None and _count(seen.places, place_of(address), now, most) > most:
            yield "shared", f"the key of {name} comes from more than {most} addresses"


def too_long(certificate: Certificate, seconds: float) -> str | None:
    """What is to be said of a certificate that is valid for longer than that; else None."""
    lives = certificate.not_after - certificate.not_before
    if lives <= timedelta(seconds=seconds):
        return None
    return f"{name_of(certificate)} is valid for {lives.days} days, more than {seconds / 86400:g}"


def name_of(certificate: Certificate) -> str:
    """Whose it is."""
    return next(iter(certificate.sans), certificate.subject)


def place_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one machine chooses at will."""
    text = address.partition("%")[0]
    if ip_address(text).version == 4:
        return text
    return str(ip_network((text, 64), strict=False))


def _count(places: dict[str, datetime], place: str, now: datetime, most: int) -> int:
    """How many places there were within an hour, this one included: up to one more than `most`."""
    places[place] = now
    for old in [each for each, when in places.items() if now - when > HOUR]:
        del places[old]
    while len(places) > most + 1:
        del places[min(places, key=lambda each: places[each])]
    return len(places)
