"""What values may be together. `require_coherent` refuses; what it lets pass, `lint` may warn of.

Runs on settings whose shape, values and references are right already.
"""

from collections.abc import Iterator
from datetime import datetime

from proxy.settings import tunnels
from proxy.settings.address import Address, Endpoint, parse_bind, parse_endpoint
from proxy.settings.check_grants import require_grants
from proxy.settings.check_masks import require_masks
from proxy.settings.check_signatures import require_signers
from proxy.settings.check_trust import require_trust
from proxy.settings.check_zones import require_ways
from proxy.settings.detection import require_detection, require_own_types
from proxy.settings.mistakes import Mistakes
from proxy.settings.operation import share
from proxy.settings.schema import ContentPolicy, Listener, Route, Settings, Tls, Upstream
from proxy.settings.yaml12 import Path

BY_CERTIFICATE = ("spiffe", "uri", "dns", "ip", "cn", "ou", "pins")
_OF_SENDERS = ("networks", "local")
_ROOT = ("root", 0)


def require_coherent(settings: Settings, mistakes: Mistakes, now: datetime) -> None:
    """Note everything that cannot be meant, or could not be kept."""
    _require_binds(settings, mistakes)
    _require_two_users(settings, mistakes)
    _require_two_keys(settings, mistakes)
    require_own_types(settings, mistakes)
    require_trust(settings, mistakes)
    require_masks(settings, mistakes)
    require_grants(settings, mistakes, now)
    require_signers(settings, mistakes)
    require_ways(settings, mistakes)
    for name, listener in settings.listeners.items():
        _require_listener(("listeners", name), listener, settings, mistakes)
    for name, upstream in settings.upstreams.items():
        _require_upstream(("upstreams", name), upstream, settings, mistakes)
    for path, policy in policies(settings):
        _require_policy(path, policy, mistakes)
        require_detection(path, policy, settings, mistakes)
    tunnels.require_protocols(settings, mistakes)
    for index, route in enumerate(settings.routes):
        tunnel = settings.listeners[route.listener].protocol == "tcp"
        for name in () if tunnel else ("document", "hold"):
            if getattr(route.limits, name) > share(settings.memory.held):
                path = ("routes", index, "limits", name)
                mistakes.add(
                    path, "more than the three quarters of memory.held that one sender may have"
                )
        if route.proves and route.limits.body > share(settings.spill.size):
            text = (
                "more than the three quarters of spill.size that one sender may have, and this "
                "route holds content whole until it is proven"
            )
            mistakes.add(("routes", index, "limits", "body"), text)
        for earlier in settings.routes[:index]:
            if _covers(earlier, route):
                mistakes.add(
                    ("routes", index, "match"),
                    f"never matches: route {earlier.name} stands before it and takes it all",
                )
                break


def _require_binds(settings: Settings, mistakes: Mistakes) -> None:
    seen: dict[Address, str] = {}
    binds: list[tuple[Path, str]] = [
        (("listeners", name, "bind"), listener.bind)
        for name, listener in settings.listeners.items()
    ]
    binds.append((("admin", "bind"), settings.admin.bind))
    if settings.metrics is not None:
        binds.append((("metrics", "bind"), settings.metrics.bind))
    for path, text in binds:
        bind = parse_bind(text)
        if bind in seen and bind.port != 0:
            mistakes.add(path, f"{seen[bind]} is bound to the same address")
        seen.setdefault(bind, str(path[-2]))


def _require_two_users(settings: Settings, mistakes: Mistakes) -> None:
    """As far as names and numbers tell; whom they mean is known where the program is started."""
    users = settings.users
    if users is None:
        return
    for role in ("worker", "notary"):
        if getattr(users, role) in _ROOT:
            mistakes.add(("users", role), "root could read everything: name a user of its own")
    if users.worker == users.notary and users.notary not in _ROOT:
        text = "the same user as the worker, which could then read the receipt keys"
        mistakes.add(("users", "notary"), text)


def _require_two_keys(settings: Settings, mistakes: Mistakes) -> None:
    receipts = settings.receipts
    if receipts.previous_key == receipts.key:
        text = "the same as `key`: name the key that it replaces, or none"
        mistakes.add(("receipts", "previous_key"), text)


def _require_listener(
    path: Path, listener: Listener, settings: Settings, mistakes: Mistakes
) -> None:
    _require_tls((*path, "tls"), listener.tls, mistakes)
    if listener.tls.mode == "mutual":
        if settings.identity is None:
            mistakes.add(path, "TLS needs `identity`: the certificate and key of this gateway")
        return
    if not parse_bind(listener.bind).is_local:
        mistakes.add((*path, "tls", "mode"), "none is for loopback and unix sockets only")
    for key in sorted({"pins", "trust", "crl"} & listener.tls.model_fields_set):
        mistakes.add((*path, "tls", key), "cannot be checked where tls.mode is none")


def _require_tls(path: Path, tls: Tls, mistakes: Mistakes) -> None:
    if tls.minimum == "1.3" and not any(name.startswith("TLS_") for name in tls.ciphers):
        mistakes.add((*path, "ciphers"), "none of these is for TLS 1.3, and `minimum` is 1.3")


def _require_upstream(
    path: Path, upstream: Upstream, settings: Settings, mistakes: Mistakes
) -> None:
    _require_tls((*path, "tls"), upstream.tls, mistakes)
    endpoints = [parse_endpoint(text) for text in upstream.endpoints]
    for index, endpoint in enumerate(endpoints):
        _require_name((*path, "endpoints", index), endpoint, upstream, mistakes)
    for key in _OF_SENDERS:
        if upstream.peer is not None and getattr(upstream.peer, key) is not None:
            text = "is of senders; where an upstream is, `endpoints` says"
            mistakes.add((*path, "peer", key), text, at_key=True)
    secured = any(endpoint.secure for endpoint in endpoints)
    if secured and settings.identity is None and upstream.tls.trust is None:
        mistakes.add(path, "TLS needs `identity`, or a `tls.trust` of its own")
    if not all(endpoint.secure for endpoint in endpoints):
        for place in _needs_certificate(path, upstream):
            mistakes.add(place, "cannot be checked: an endpoint has no TLS; use https:// or tls://")


def _require_name(path: Path, endpoint: Endpoint, upstream: Upstream, mistakes: Mistakes) -> None:
    if endpoint.secure and endpoint.address.is_ip and upstream.server_name is None:
        mistakes.add(path, "an IP address says no name; give `server_name` to check against")


def _needs_certificate(path: Path, upstream: Upstream) -> Iterator[Path]:
    if upstream.pins is not None:
        yield (*path, "pins")
    if upstream.peer is not None:
        for key in BY_CERTIFICATE:
            if getattr(upstream.peer, key) is not None:
                yield (*path, "peer", key)


def _require_policy(path: Path, policy: ContentPolicy, mistakes: Mistakes) -> None:
    if "opaque" in policy.content:
        for key in ("mask", "detect", "allow_only"):
            if any(getattr(rule, "beside", None) is None for rule in getattr(policy, key)):
                mistakes.add(
                    (*path, key),
                    "`opaque` forwards bytes unseen, so nothing in them could be masked or "
                    "detected; use a route of its own for opaque content",
                )
    if "text" in policy.content:
        for key in ("mask", "allow_only"):
            if any(getattr(rule, "path", "") is not None for rule in getattr(policy, key)):
                mistakes.add(
                    (*path, key),
                    "`text` has no fields, so that whatever calls itself text/plain would cross "
                    "unmasked; use a route of its own for text",
                )
    if policy.label is not None and policy.label_from is not None:
        mistakes.add((*path, "label_from"), "give `label` or `label_from`, not both")


def _covers(earlier: Route, later: Route) -> bool:
    """True when the same path and all methods of `later` are taken by `earlier`; of tunnels, when
    all its server names are."""
    same = earlier.listener == later.listener and earlier.match.path == later.match.path
    if not tunnels.covers(earlier, later):
        return False
    if earlier.match.methods is None:
        return same
    return same and set(later.match.methods or ("any",)) <= set(earlier.match.methods)


def policies(settings: Settings) -> Iterator[tuple[Path, ContentPolicy]]:
    """(path, policy) of both directions of every route."""
    for index, route in enumerate(settings.routes):
        yield ("routes", index, "request"), route.request
        yield ("routes", index, "response"), route.response
