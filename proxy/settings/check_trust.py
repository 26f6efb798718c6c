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
    for place, tls in _verified(settings) if revocation.mode == "hard" else ():
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


def lint_trust(settings: Settings, warnings: Mistakes) -> None:
    """Note what is said of lists that there are not."""
    named = any(has_lists(settings, tls) for _, tls in _verified(settings))
    if named or any(route.crl is not None for route in settings.routes):
        return
    for key in ("mode", "max_age"):
        if key in settings.revocation.model_fields_set:
            warnings.add(("revocation", key), "means nothing: no `crl` is named anywhere")


def has_lists(settings: Settings, tls: Tls) -> bool:
    """Its own, or those of `identity`, which speak of the authorities there."""
    inherited = settings.identity.crl if settings.identity and not tls.trust else None
    return tls.crl is not None or inherited is not None


def _verified(settings: Settings) -> Iterator[tuple[Path, Tls]]:
    """Wherever peers have certificates."""
    for name, listener in settings.listeners.items():
        if listener.tls.mode == "mutual":
            yield ("listeners", name), listener.tls
    for name, upstream in settings.upstreams.items():
        if any(parse_endpoint(text).secure for text in upstream.endpoints):
            yield ("upstreams", name), upstream.tls
