"""Whether trust, revocation lists and what is demanded of them go together. Part of `check.py`."""

from collections.abc import Iterator

from proxy.settings.address import parse_endpoint
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Settings, Tls
from proxy.settings.yaml12 import Path

SOONEST = 2.0
"""Seconds that a verdict and its receipt may take, before a connection is cut without them."""


def require_trust(settings: Settings, mistakes: Mistakes) -> None:
    """Note what could not be checked, or not be kept."""
    revocation = settings.revocation
    if revocation.enforce_within < SOONEST:
        path: Path = ("revocation", "enforce_within")
        mistakes.add(path, f"a verdict takes its time: {SOONEST:g}s is the least")
    for place, tls in verified(settings) if revocation.mode == "hard" else ():
        if not has_lists(settings, tls):
            text = "`revocation.mode` is hard, and there is no `crl` for these peers"
            mistakes.add(place, text, at_key=True)
    for index, route in enumerate(settings.routes):
        if route.crl is not None and route.trust is None:
            text = "give `trust` too: a list speaks of the authorities beside it"
            mistakes.add(("routes", index, "crl"), text)
        if route.trust is not None and settings.listeners[route.listener].tls.mode == "none":
            text = "cannot be checked where tls.mode is none"
            mistakes.add(("routes", index, "trust"), text)
        if route.trust is not None and route.crl is None and revocation.mode == "hard":
            text = "`revocation.mode` is hard, and there is no `crl` beside it"
            mistakes.add(("routes", index, "trust"), text)


def names_lists(settings: Settings) -> bool:
    """Whether any list is named anywhere."""
    if any(route.crl is not None for route in settings.routes):
        return True
    return any(has_lists(settings, tls) for _, tls in verified(settings))


def has_lists(settings: Settings, tls: Tls) -> bool:
    """Its own, or those of `identity`, which speak of the authorities there."""
    inherited = settings.identity.crl if settings.identity and not tls.trust else None
    return tls.crl is not None or inherited is not None


def verified(settings: Settings) -> Iterator[tuple[Path, Tls]]:
    """(path of a listener or upstream, its settings of TLS), wherever peers have certificates."""
    for name, listener in settings.listeners.items():
        if listener.tls.mode == "mutual":
            yield ("listeners", name), listener.tls
    for name, upstream in settings.upstreams.items():
        if any(parse_endpoint(text).secure for text in upstream.endpoints):
            yield ("upstreams", name), upstream.tls
