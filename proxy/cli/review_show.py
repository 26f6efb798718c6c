"""A review in words and as JSON: each route, its grants, what they were used for."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from proxy.cli.review_narrow import narrower
from proxy.cli.review_use import Use, Uses
from proxy.cli.review_yaml import flow
from proxy.cli.wording import count
from proxy.receipt.words import printable
from proxy.settings.load import Loaded
from proxy.settings.schema import Grant, Route, Settings
from proxy.settings.times import parse_moment, parse_zone
from proxy.settings.yaml12 import parse

Entries = dict[int, Mapping[str, Any] | None]
_SHOWN: Final = 5
"""Peers that are named in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of `allow`."""

    route: Route
    way: Mapping[str, str]
    """Where from and where to."""
    rule: str
    entry: Mapping[str, Any]
    """As it is written."""
    use: Use
    until: datetime | None
    shadow: bool
    narrower: Mapping[str, Any] | None
    """Keys to change; None where nothing has used it."""


def written(data: Any, route: int, place: int) -> dict[str, Any]:
    """An entry as the file has it."""
    entry: dict[str, Any] = data["routes"][route]["allow"][place]
    return entry


def grants(loaded: Loaded, found: Uses) -> list[Line]:
    """Every entry of `allow`, in the order of the file."""
    data, settings = parse(loaded.octets, str(loaded.path)).data, loaded.settings
    lines = []
    for index, route in enumerate(settings.routes):
        for place, entry in enumerate(route.allow):
            use = found.get(route.name, place)
            lines.append(
                Line(
                    route,
                    _way(settings, route),
                    f"allow[{place}]",
                    written(data, index, place),
                    use,
                    _until(entry),
                    entry.shadow,
                    narrower(settings, route, entry, use),
                )
            )
    return lines


def _way(settings: Settings, route: Route) -> dict[str, str]:
    zone = settings.upstreams[route.upstream].zone
    return {
        "listener": route.listener,
        "from": settings.listeners[route.listener].zone,
        "upstream": route.upstream,
        "to": zone,
        "clearance": settings.zones[zone].clearance,
    }


def _until(entry: Grant) -> datetime | None:
    when = entry.when
    if when is None or when.until is None:
        return None
    return parse_moment(when.until, parse_zone(when.timezone))


# --- in words ------------------------------------------------------------------------------------


def write_text(lines: list[Line], found: Uses, text: str) -> None:
    """The review, then the entries that could be narrower, as YAML."""
    now = datetime.now(UTC)
    route = None
    for line in lines:
        if line.route is not route:
            route = line.route
            print(printable(_route(line)))
        for told in _told(line, now):
            print(f"  {printable(told)}")
    for told in _summary(lines, found, now):
        print(told)


def _route(line: Line) -> str:
    match, way = line.route.match, line.way
    what = " ".join([*(match.methods or ()), match.path or ", ".join(match.sni or ("any name",))])
    formats = ", ".join(line.route.request.content) or "no content"
    return (
        f"route {line.route.name}: {way['listener']} ({way['from']}) to {way['upstream']} "
        f"({way['to']}, up to {way['clearance']}): {what}; {formats}"
    )


def _told(line: Line, now: datetime) -> Iterator[str]:
    use, keys = line.use, line.narrower
    yield f"{line.rule} {flow(line.entry)}"
    yield f"  {_end(line.until, now)}"
    if line.shadow:
        yield "  in shadow: decides nothing"
        return
    if keys is None:
        yield "  never used; narrower: without it"
        return
    perhaps = f", {count(use.possible, 'time')} perhaps" if use.possible else ""
    last = f"{use.last:%Y-%m-%dT%H:%M:%SZ}" if use.last else "-"
    yield f"  used {count(use.certain, 'time')}{perhaps}, last {last}, by {_peers(use)}"
    label = f"; labelled {', '.join(sorted(use.labels))}" if use.labels else ""
    what = "; ".join(filter(None, (", ".join(sorted(use.methods)), ", ".join(sorted(use.formats)))))
    yield f"  sent {what}{label}; at most {count(use.size, 'octet')}"
    if keys:
        yield f"  narrower: {flow({**line.entry, **keys})}"


def _end(until: datetime | None, now: datetime) -> str:
    if until is None:
        return "has no end"
    when = f"{until:%Y-%m-%dT%H:%M:%SZ}"
    if until <= now:
        return f"ended {when}"
    return f"ends {when}, in {count((until - now).days, 'day')}"


def _peers(use: Use) -> str:
    names = sorted(use.peers)
    more = " and more" if use.more_peers else ""
    rest = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN]) + (f" and {rest:,} others" if rest > 0 else "")
    return f"{count(len(names), 'peer')}{more}: {shown}"


def _summary(lines: list[Line], found: Uses, now: datetime) -> Iterator[str]:
    unused = sum(line.narrower is None for line in lines)
    wide = sum(bool(line.narrower) for line in lines)
    ended = sum(line.until is not None and line.until <= now for line in lines)
    endless = sum(line.until is None for line in lines)
    yield (
        f"{count(len(lines), 'grant')} by {count(found.transfers, 'transfer')}: {unused:,} never "
        f"used, {wide:,} wider than used, {ended:,} ended, {endless:,} without an end"
    )
    for (route, rule), number in sorted(found.shadow.items()):
        times = count(number, "transfer")
        yield printable(f"in shadow: {rule} of route {route} would have mattered to {times}")
    if found.refused_now:
        yield f"{count(found.refused_now, 'transfer')} had been admitted that would be refused now"
    if found.unattributed:
        yield f"{count(found.unattributed, 'transfer')} cannot be told of any grant: no path"


# --- for programs --------------------------------------------------------------------------------


def write_json(lines: list[Line], found: Uses, text: str) -> None:
    """One object. `narrower` is the whole configuration."""
    told = {
        "transfers": found.transfers,
        "refused_now": found.refused_now,
        "unattributed": found.unattributed,
        "in_shadow": [
            {"route": route, "rule": rule, "transfers": number}
            for (route, rule), number in sorted(found.shadow.items())
        ],
        "grants": [_object(line) for line in lines],
        "narrower": text,
    }
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    sys.stdout.write(orjson.dumps(told, option=options).decode() + "\n")


def _object(line: Line) -> dict[str, Any]:
    use, keys = line.use, line.narrower
    return {
        "route": line.route.name,
        **line.way,
        "rule": line.rule,
        "entry": line.entry,
        "shadow": line.shadow,
        "until": line.until,
        "used": use.certain,
        "perhaps": use.possible,
        "first": use.first,
        "last": use.last,
        "peers": dict(sorted(use.peers.items())),
        "more_peers": use.more_peers,
        "methods": sorted(use.methods),
        "formats": sorted(use.formats),
        "labels": sorted(use.labels),
        "size": use.size,
        "narrower": None if keys is None else {**line.entry, **keys},
    }
