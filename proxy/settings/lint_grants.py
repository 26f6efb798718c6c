"""Grants that name more than they seem to. A denial may name whom it wants."""

import ipaddress
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Grant, Limits, Principal, Settings
from proxy.settings.times import parse_moment, parse_zone
from proxy.settings.yaml12 import Path

_STRONG: Final = ("spiffe", "uri", "dns", "ip", "pins")
_SUBJECT: Final = ("cn", "ou")


def lint_grants(settings: Settings, warnings: Mistakes) -> None:
    """Look at every entry of `allow`, at whom an upstream has to be, and at who signs."""
    for index, route in enumerate(settings.routes):
        for number, entry in enumerate(route.allow):
            _lint_entry(("routes", index, "allow", number), entry, warnings)
            _lint_paces(("routes", index, "allow", number), entry, route.limits, warnings)
    for name, upstream in settings.upstreams.items():
        if upstream.peer is not None:
            _lint_entry(("upstreams", name, "peer"), upstream.peer, warnings)
    for name, signers in settings.signers.items():
        for number, peer in enumerate(signers.peers):
            _lint_entry(("signers", name, "peers", number), peer, warnings)


def lint_ends(settings: Settings, warnings: Mistakes, now: datetime) -> None:
    """Note every entry of `allow` and `deny` that will never hold again."""
    for index, route in enumerate(settings.routes):
        for key, entries in (("allow", route.allow), ("deny", route.deny)):
            for number, entry in enumerate(entries):
                when = entry.when
                if when is None or when.until is None:
                    continue
                zone, denies = parse_zone(when.timezone), key == "deny"
                if parse_moment(when.until, zone, latest=denies) <= now:
                    path: Path = ("routes", index, key, number, "when", "until")
                    warnings.add(path, "has passed: this holds for nobody any more", code="ended")


def lint_endless(settings: Settings, warnings: Mistakes) -> None:
    """Note once how many entries of `allow` have no end, where no policy makes that an error."""
    if settings.policy.grants_expire_within is not None:
        return
    grants = [entry for route in settings.routes for entry in route.allow]
    endless = sum(entry.when is None or entry.when.until is None for entry in grants)
    if endless:
        one = len(grants) == 1
        some = "the only grant has" if one else f"{endless} of {len(grants)} grants have"
        text = f"{some} no end: `policy.grants_expire_within` would ask for one"
        warnings.add(("routes",), text, at_key=True, code="endless-grants")


def _lint_entry(path: Path, entry: Principal, warnings: Mistakes) -> None:
    wide = _wide(entry)
    if wide is not None:
        said = f"names everybody: {wide}, and nothing beside it says whom"
        warnings.add(path, said, code="wildcard-principal")
    named = any(getattr(entry, key) is not None for key in _STRONG)
    if not named and any(getattr(entry, key) is not None for key in _SUBJECT):
        text = "named by its subject alone, which authorities watch less than names of the SAN"
        warnings.add(path, text, code="subject-only")


def _lint_paces(path: Path, entry: Grant, limits: Limits, warnings: Mistakes) -> None:
    """Note what an entry gives in a time where the route gives nobody more than that."""
    for key in ("rate", "volume"):
        mine, bound = getattr(entry, key), getattr(limits, key)
        if mine is None or bound is None:
            continue
        if mine.per_second >= bound.per_second and mine.burst >= bound.burst:
            text = f"means nothing: limits.{key} of the route lets no peer have more"
            warnings.add((*path, key), text, code="means-nothing")


def _wide(entry: Principal) -> str | None:
    """What the first key lets in, when every key of the entry lets everybody in; else None."""
    found: list[str] = []
    for key in (*_STRONG, *_SUBJECT, "networks", "local"):
        value = getattr(entry, key)
        if value is None:
            continue
        if key not in _WIDE or not _WIDE[key][0](value):
            return None
        found.append(_WIDE[key][1])
    return found[0] if found else None


def _all_of_a_domain(patterns: Sequence[str]) -> bool:
    """Every segment of the path is a wildcard, so that only the trust domain is left."""
    return any(set(text.split("/")[3:]) in _WILD for text in patterns)


_WILD: Final = ({"*"}, {"**"}, {"*", "**"})


def _all_of_a_scheme(patterns: Sequence[str]) -> bool:
    """Nothing but wildcards behind the scheme, and the host if there is one."""
    for text in patterns:
        _, _, rest = text.partition(":")
        if rest.startswith("//"):
            _, _, rest = rest[2:].partition("/")
        if "*" in rest and not rest.strip("*/"):
            return True
    return False


def _all_of_a_top_domain(patterns: Sequence[str]) -> bool:
    return any(text.startswith("*.") and text.count(".") == 1 for text in patterns)


def _all_of_the_addresses(texts: Sequence[str]) -> bool:
    """Of IPv4 or of IPv6, in whatever parts they are written."""
    networks = [ipaddress.ip_network(text) for text in texts]
    four = [each for each in networks if isinstance(each, ipaddress.IPv4Network)]
    six = [each for each in networks if isinstance(each, ipaddress.IPv6Network)]
    parts = [*ipaddress.collapse_addresses(four)], [*ipaddress.collapse_addresses(six)]
    return any(each.prefixlen == 0 for joined in parts for each in joined)


_WIDE: Final[dict[str, tuple[Callable[[Sequence[str]], bool], str]]] = {
    "spiffe": (_all_of_a_domain, "every SPIFFE ID of a trust domain"),
    "uri": (_all_of_a_scheme, "every URI of a scheme or host"),
    "dns": (_all_of_a_top_domain, "every name below a top-level domain"),
    "ip": (_all_of_the_addresses, "every address"),
    "networks": (_all_of_the_addresses, "every address"),
}
