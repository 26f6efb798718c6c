"""What may stand on a tcp listener, its routes and their upstreams, and what on no other.

A listener's `protocol` decides for all that its routes name. A key that would mean nothing is a
mistake, never passed over: whoever wrote `mask` on a tunnel believes that something is masked.
"""

from collections.abc import Iterator
from typing import Final

from proxy.settings.address import parse_endpoint
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import ContentPolicy, Listener, Route, Settings, Upstream
from proxy.settings.yaml12 import Path

_HTTP_LISTENER: Final = ("head", "receipts", "idle_timeout", "head_timeout")
_HTTP_UPSTREAM: Final = ("idle_connections", "idle_timeout", "answer_timeout", "head")
_HTTP_ROUTE: Final = ("content_on_get", "replay", "integrity", "streaming", "signature")
_HTTP_LIMITS: Final = ("body", "document", "record", "hold", "depth", "stall_timeout")
_HTTP_CONTENT: Final = ("mask", "detect", "label_from", "on_violation", "on_error")
_TUNNEL_LIMITS: Final = ("idle_timeout",)
_SCHEMES: Final = {"http": ("https", "http", "unix"), "tcp": ("tls", "tcp", "unix")}
_HTTP_ONLY: Final = "is of HTTP; a tcp listener carries octets unseen"


def require_protocols(settings: Settings, mistakes: Mistakes) -> None:
    """Note every key that its listener's protocol does not know, and every one that it needs."""
    spoken: dict[str, set[str]] = {name: set() for name in settings.upstreams}
    for index, route in enumerate(settings.routes):
        listener = settings.listeners[route.listener]
        spoken[route.upstream].add(listener.protocol)
        path: Path = ("routes", index)
        if listener.protocol == "tcp":
            _require_tunnel(path, route, listener, mistakes)
        else:
            _require_http(path, route, mistakes)
        _require_schemes(path, route, listener, settings.upstreams[route.upstream], mistakes)
    for name, listener in settings.listeners.items():
        if listener.protocol == "tcp":
            place: Path = ("listeners", name, "limits")
            for key in _given(_HTTP_LISTENER, listener.limits.model_fields_set):
                mistakes.add((*place, key), _HTTP_ONLY, at_key=True)
    for name, upstream in settings.upstreams.items():
        _require_upstream(("upstreams", name), upstream, spoken[name], mistakes)


def covers(earlier: Route, later: Route) -> bool:
    """True when every server name that `later` takes is taken by `earlier`."""
    if earlier.match.sni is None:
        return True
    names = {name.lower() for name in earlier.match.sni}
    return later.match.sni is not None and {name.lower() for name in later.match.sni} <= names


def _given(keys: tuple[str, ...], there: set[str]) -> Iterator[str]:
    return (key for key in keys if key in there)


def _require_http(path: Path, route: Route, mistakes: Mistakes) -> None:
    if "match" not in route.model_fields_set:
        mistakes.add(path, "the key match is missing")
    elif route.match.path is None:
        mistakes.add((*path, "match"), "the key path is missing")
    if route.match.sni is not None:
        text = "only a tcp listener routes by server name; this one routes by path"
        mistakes.add((*path, "match", "sni"), text, at_key=True)
    for key in _given(_TUNNEL_LIMITS, route.limits.model_fields_set):
        mistakes.add((*path, "limits", key), "is of tunnels, on tcp listeners", at_key=True)


def _require_tunnel(path: Path, route: Route, listener: Listener, mistakes: Mistakes) -> None:
    for key in _given(("path", "methods"), route.match.model_fields_set):
        text = f"{_HTTP_ONLY}: give `sni`, or leave `match` out for every connection"
        mistakes.add((*path, "match", key), text, at_key=True)
    for key in _given(_HTTP_ROUTE, route.model_fields_set):
        mistakes.add((*path, key), _HTTP_ONLY, at_key=True)
    for key in _given(_HTTP_LIMITS, route.limits.model_fields_set):
        mistakes.add((*path, "limits", key), _HTTP_ONLY, at_key=True)
    _require_opaque((*path, "request"), route.request, mistakes)
    _require_opaque((*path, "response"), route.response, mistakes)
    if route.match.sni is not None and listener.tls.mode == "none":
        text = "without TLS nobody asks for a server name; leave it out"
        mistakes.add((*path, "match", "sni"), text, at_key=True)
    if route.receipt in ("header", "trailer"):
        text = "nothing can follow inside a tunnel: its receipt is in the log alone; write log"
        mistakes.add((*path, "receipt"), text)


def _require_opaque(path: Path, policy: ContentPolicy, mistakes: Mistakes) -> None:
    for key in _given(_HTTP_CONTENT, policy.model_fields_set):
        mistakes.add((*path, key), "a tunnel is not looked into, nor changed", at_key=True)
    for index, name in enumerate(policy.content):
        if name != "opaque":
            text = "a tunnel is not looked into: only `opaque` may cross"
            mistakes.add((*path, "content", index), text)


def _require_schemes(
    path: Path, route: Route, listener: Listener, upstream: Upstream, mistakes: Mistakes
) -> None:
    known = _SCHEMES[listener.protocol]
    if any(parse_endpoint(text).scheme not in known for text in upstream.endpoints):
        told = ", ".join(f"{scheme}:" + "//" * (scheme != "unix") for scheme in known)
        text = f"listener {route.listener} speaks {listener.protocol}, and an endpoint of "
        mistakes.add((*path, "upstream"), f"{text}{route.upstream} is none of {told}")


def _require_upstream(path: Path, upstream: Upstream, spoken: set[str], mistakes: Mistakes) -> None:
    if spoken == {"tcp"}:
        for key in _given(_HTTP_UPSTREAM, upstream.limits.model_fields_set):
            mistakes.add((*path, "limits", key), _HTTP_ONLY, at_key=True)
    if upstream.proxy_protocol == "off":
        return
    if "http" in spoken:
        text = "is of tunnels; HTTP says who the sender is in Forwarded and Client-Cert"
        mistakes.add((*path, "proxy_protocol"), text, at_key=True)
    if any(parse_endpoint(text).secure for text in upstream.endpoints):
        text = (
            "is for tcp:// and unix: only: receivers differ whether it stands before TLS or in it"
        )
        mistakes.add((*path, "proxy_protocol"), text, at_key=True)
