"""What is allowed and probably not meant. `lint` notes all that settings alone tell.

Codes are in codes.py; what the words inside a rule come to, and what stands in files, is looked at
by `proxy/app/lint.py`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from proxy.settings.address import parse_bind, parse_endpoint
from proxy.settings.check import BY_CERTIFICATE
from proxy.settings.check_masks import keys_in_use
from proxy.settings.check_signatures import signers_in_use
from proxy.settings.check_trust import names_lists
from proxy.settings.detection import own_types_in_use
from proxy.settings.lint_content import lint_contents
from proxy.settings.lint_grants import lint_endless, lint_ends, lint_grants
from proxy.settings.lint_in_shadow import lint_in_shadow
from proxy.settings.lint_shadows import lint_shadows
from proxy.settings.lint_weak import lint_weak
from proxy.settings.lint_zones import lint_ways
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import ContentPolicy, Listener, Principal, Route, Settings, Upstream
from proxy.settings.yaml12 import Path

_Lint = Callable[[Settings, Mistakes], None]


def lint(settings: Settings, warnings: Mistakes, now: datetime) -> None:
    """Note everything; each part by its code. Of coherent settings only."""
    for each in _LINTS:
        each(settings, warnings)
    lint_ends(settings, warnings, now)


def _lint_routes(settings: Settings, warnings: Mistakes) -> None:
    for index, route in enumerate(settings.routes):
        path: Path = ("routes", index)
        listener = settings.listeners[route.listener]
        if all(entry.shadow for entry in route.allow):
            what = "`allow` with every entry in shadow" if route.allow else "an empty `allow`"
            warnings.add(path, f"{what} admits nobody", code="admits-nobody")
        if listener.protocol == "tcp" and not (route.request.content or route.response.content):
            text = "nothing may cross either way: give `content: [opaque]`"
            warnings.add(path, text, code="carries-nothing")
        for key in ("allow", "deny"):
            for number, entry in enumerate(getattr(route, key)):
                if _never(entry, listener):
                    text = "never holds for a peer of this listener"
                    warnings.add((*path, key, number), text, code="entry-never-holds")
        if route.replay.require == "off":
            for key in sorted(route.replay.model_fields_set - {"require"}):
                text = "means nothing while `replay.require` is off"
                warnings.add((*path, "replay", key), text, code="means-nothing")
        if "signature" in route.model_fields_set and not route.demands_signature:
            text = "means nothing: neither `replay` nor `integrity` demands a signature"
            warnings.add((*path, "signature"), text, at_key=True, code="means-nothing")
        _lint_zones(path, route, settings, warnings)


def _never(entry: Principal, listener: Listener) -> bool:
    unix = parse_bind(listener.bind).is_unix
    if listener.tls.mode == "none" and any(getattr(entry, key) for key in BY_CERTIFICATE):
        return True
    return (entry.networks is not None and unix) or (entry.local is not None and not unix)


def _lint_zones(path: Path, route: Route, settings: Settings, warnings: Mistakes) -> None:
    sender = settings.listeners[route.listener].zone
    receiver = settings.upstreams[route.upstream].zone
    ways: tuple[tuple[Literal["request", "response"], str, str], ...] = (
        ("request", sender, receiver),
        ("response", receiver, sender),
    )
    for way, here, there in ways:
        policy: ContentPolicy = getattr(route, way)
        _lint_clearance((*path, way), policy, there, settings, warnings)
        if "opaque" in policy.content and _rank(settings, there) < _rank(settings, here):
            warnings.add(
                (*path, way, "content"),
                f"bytes that nobody looks into go from zone {here} to zone {there}, which may see "
                "less: only the label says what is in them",
                code="opaque-downhill",
            )


def _rank(settings: Settings, zone: str) -> int:
    return settings.sensitivity.index(settings.zones[zone].clearance)


def _lint_clearance(
    path: Path, policy: ContentPolicy, zone: str, settings: Settings, warnings: Mistakes
) -> None:
    if policy.label_from is not None or not policy.content:
        return
    label = policy.label or settings.sensitivity[-1]
    clearance = settings.zones[zone].clearance
    if settings.sensitivity.index(label) > _rank(settings, zone):
        warnings.add(
            path,
            f"labelled {label}, above the clearance of zone {zone} ({clearance}): "
            "every body will be refused",
            code="above-clearance",
        )


def _lint_upstreams(settings: Settings, warnings: Mistakes) -> None:
    for name, upstream in settings.upstreams.items():
        path: Path = ("upstreams", name)
        for place, text in enumerate(upstream.endpoints):
            _lint_endpoint((*path, "endpoints", place), text, upstream, warnings)
        secured = any(parse_endpoint(text).secure for text in upstream.endpoints)
        if secured and upstream.pins is None:
            text = (
                "no `pins`: whoever gets a certificate for its name from an authority of `trust` "
                "may be this upstream"
            )
            warnings.add(path, text, at_key=True, code="unpinned-upstream")


def _lint_endpoint(path: Path, text: str, upstream: Upstream, warnings: Mistakes) -> None:
    endpoint = parse_endpoint(text)
    if not endpoint.secure or upstream.server_name is None or endpoint.address.is_local:
        return
    if not endpoint.address.is_ip and endpoint.address.host != upstream.server_name.lower():
        said = "the certificate must bear `server_name`, which is not this host"
        warnings.add(path, said, code="other-host")


def _lint_trust(settings: Settings, warnings: Mistakes) -> None:
    if names_lists(settings):
        return
    for key in ("mode", "max_age"):
        if key in settings.revocation.model_fields_set:
            text = "means nothing: no `crl` is named anywhere"
            warnings.add(("revocation", key), text, code="means-nothing")


def _lint_unused(settings: Settings, warnings: Mistakes) -> None:
    used = {
        "upstreams": {route.upstream for route in settings.routes},
        "listeners": {route.listener for route in settings.routes},
        "zones": {place.zone for place in settings.listeners.values()}
        | {place.zone for place in settings.upstreams.values()},
        "keys": keys_in_use(settings),
        "signers": signers_in_use(settings),
        "detectors": own_types_in_use(settings),
    }
    for section, names in used.items():
        for name in getattr(settings, section):
            if name not in names:
                warnings.add((section, name), "nothing uses this", at_key=True, code="unused")


_LINTS: Final[tuple[_Lint, ...]] = (
    _lint_routes,
    lint_contents,
    lint_ways,
    lint_in_shadow,
    _lint_upstreams,
    _lint_trust,
    _lint_unused,
    lint_grants,
    lint_endless,
    lint_shadows,
    lint_weak,
)
