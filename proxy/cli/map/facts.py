"""What a map shows, taken from a configuration: plain text, in the words of the file itself.

Sizes, durations and keys that a later version adds are told as they are written, so that nothing is
rounded and nothing is left out; defaults are filled in where a reviewer would ask. No file that the
configuration names is opened: a map of a gateway can be drawn where none of its keys are.
"""

from collections.abc import Iterator

from proxy.cli.as_written import Raw, demands, in_force, in_shadow, raw, said
from proxy.cli.map.custody import processes
from proxy.cli.map.shapes import Crypt, Door, Facts, Flow, Receiver, Way, Zone
from proxy.cli.wording import count
from proxy.settings.address import parse_bind, parse_endpoint
from proxy.settings.grants import OF_PEERS
from proxy.settings.load import Loaded
from proxy.settings.schema import HYBRID_GROUPS, Settings, Tls


def gather(loaded: Loaded) -> Facts:
    """Everything that is drawn of a configuration."""
    settings = loaded.settings
    written = raw(loaded)
    ways = tuple(_way(settings, written, number) for number in range(len(settings.routes)))
    return Facts(
        settings.name,
        loaded.sha256.hex(),
        tuple(settings.sensitivity),
        {
            name: Zone(name, zone.clearance, said(written["zones"][name], ("clearance",)))
            for name, zone in settings.zones.items()
        },
        tuple(_door(settings, written, name) for name in settings.listeners),
        ways,
        tuple(_receiver(settings, name) for name in settings.upstreams),
        tuple(processes(settings)),
    )


# --- in words ------------------------------------------------------------------------------------


def principal(entry: Raw) -> str:
    """Whom an entry names: a SPIFFE id or name alone where it says nothing more."""
    keys = [key for key in entry if key in OF_PEERS]
    plain = [said(entry[key]) if key in ("spiffe", "uri") else f"{key} {said(entry[key])}"
             for key in keys]  # fmt: skip
    return " and ".join(plain)


def _entry(entry: Raw) -> str:
    within = ", ".join(
        filter(None, (said(entry.get("when")), said(entry, (*OF_PEERS, "when", "shadow"))))
    )
    return f"{principal(entry)} ({within})" if within else principal(entry)


# --- places --------------------------------------------------------------------------------------


def _tls(tls: Tls, *, asks: str, details: list[str]) -> Crypt:
    version = "TLS 1.3" if tls.minimum == "1.3" else "TLS 1.2 or 1.3"
    if set(tls.groups) <= set(HYBRID_GROUPS):
        details.append("post-quantum only")
    elif set(tls.groups) & set(HYBRID_GROUPS):
        details.append("post-quantum where offered")
    return Crypt(plain=False, text=f"{version}, {asks}", details=tuple(details))


def _door(settings: Settings, written: Raw, name: str) -> Door:
    listener = settings.listeners[name]
    if listener.tls.mode == "none":
        unix = parse_bind(listener.bind).is_unix
        crypt = Crypt(plain=True, text="unix socket, no TLS" if unix else "loopback, no TLS")
    else:
        pins = listener.tls.pins
        details = [count(len(pins), "key pinned", "keys pinned")] if pins else []
        crypt = _tls(listener.tls, asks="certificate demanded", details=details)
    entries = [entry for route in written.get("routes") or () if route["listener"] == name
               for entry in in_force(route.get("allow", []))]  # fmt: skip
    senders = tuple(dict.fromkeys(principal(entry) for entry in entries))
    return Door(name, listener.bind, listener.zone, listener.protocol, crypt, senders)


def _receiver(settings: Settings, name: str) -> Receiver:
    upstream = settings.upstreams[name]
    plain = [text for text in upstream.endpoints if not parse_endpoint(text).secure]
    endpoints = tuple(upstream.endpoints)
    if len(plain) == len(endpoints):
        unix = all(text.startswith("unix:") for text in plain)
        crypt = Crypt(plain=True, text="unix socket, no TLS" if unix else "this machine, no TLS")
        return Receiver(name, upstream.zone, endpoints, crypt)
    details = [count(len(upstream.pins), "key") + " pinned" if upstream.pins else "not pinned"]
    if upstream.server_name:
        details.append(f"name {upstream.server_name}")
    if upstream.peer is not None:
        details.append(principal(upstream.peer.model_dump(exclude_none=True)))
    if plain:
        details.append(f"but no TLS to {', '.join(plain)}")
    ours = "mutual" if settings.identity is not None else "no certificate of ours"
    return Receiver(name, upstream.zone, endpoints, _tls(upstream.tls, asks=ours,
                                                         details=details))  # fmt: skip


# --- routes --------------------------------------------------------------------------------------


def _way(settings: Settings, whole: Raw, number: int) -> Way:
    route, written = settings.routes[number], whole["routes"][number]
    allow, deny = written.get("allow", []), written.get("deny", [])
    return Way(
        number + 1,
        route.name,
        route.listener,
        route.upstream,
        _match(written.get("match", {})),
        tuple(_entry(entry) for entry in in_force(allow)),
        tuple(_entry(entry) for entry in in_force(deny)),
        demands(written),
        tuple(_shadows(written)),
        _flow(settings, written["request"], settings.upstreams[route.upstream].zone),
        _flow(settings, written.get("response", {}), settings.listeners[route.listener].zone),
    )


def _shadows(route: Raw) -> Iterator[str]:
    """What would be done by all that is in shadow."""
    yield from (f"would admit {_entry(entry)}" for entry in in_shadow(route.get("allow", [])))
    yield from (f"would refuse {_entry(entry)}" for entry in in_shadow(route.get("deny", [])))
    for way in ("request", "response"):
        policy = route.get(way, {})
        for rule in in_shadow(policy.get("mask", [])):
            yield f"{way}: would mask {_place(rule)} ({_action(rule)})"
        for rule in in_shadow(policy.get("detect", [])):
            yield f"{way}: would {_action(rule)} {rule['type']}"


def _match(match: Raw) -> str:
    """`POST PUT /orders/**`, or for a tunnel the server names that are asked for."""
    if "path" in match:
        methods = " ".join(match["methods"]) if "methods" in match else "any method"
        return f"{methods} {match['path']}"
    return f"server name {said(match['sni'])}" if "sni" in match else "every connection"


def _flow(settings: Settings, policy: Raw, zone: str) -> Flow:
    label, by = policy.get("label"), ""
    if "label_from" in policy:
        by = f"as {policy['label_from']} says"
    elif label is None:
        by = "no label: the highest"
    masks = [(_action(rule), _place(rule)) for rule in in_force(policy.get("mask", []))]
    if "allow_only" in policy:
        masks.insert(0, ("drop", f"all but {said(policy['allow_only'])}"))
    searches = [
        (_action(rule) + _beside(rule), rule["type"]) for rule in in_force(policy.get("detect", []))
    ]
    scale = settings.sensitivity
    highest = label or scale[-1]
    above = scale.index(highest) > scale.index(settings.zones[zone].clearance)
    known = ("content", "label", "label_from", "mask", "detect", "allow_only")
    return Flow(
        highest,
        f"up to {highest}" if "label_from" in policy else highest,
        by,
        tuple(policy.get("content", ())),
        tuple(masks),
        tuple(searches),
        said(policy, known),
        above and bool(policy.get("content")) and "label_from" not in policy,
    )


def _action(rule: Raw) -> str:
    return said(rule["action"]).replace("key ", "", 1)


def _place(rule: Raw) -> str:
    """Where a mask applies: a path as it is, any other place with its kind before it."""
    (place,) = [key for key in ("path", "type", "header", "query") if key in rule]
    return str(rule[place]) + _beside(rule) if place == "path" else f"{place} {rule[place]}"


def _beside(rule: Raw) -> str:
    rest = said(rule, ("path", "type", "header", "query", "action", "shadow"))
    return f" ({rest})" if rest else ""
