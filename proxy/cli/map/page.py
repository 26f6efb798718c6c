"""The map as one HTML page: the picture, and everything that it cuts short in tables.

No script, and by its own policy (CSP) none can run in it and nothing can be loaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from proxy.cli.map.ink import Theme
from proxy.cli.map.shapes import Facts, Flow
from proxy.cli.map.text import clean

_LIGHT: Final = "body{background:#fff;color:#18212f}th,td{border-color:#c3ccd8}th{color:#5a6679}"
_DARK: Final = "body{background:#12161c;color:#e8edf4}th,td{border-color:#3a465a}th{color:#9aa7ba}"
_STYLE: Final = (
    "body{margin:0;padding:20px;font:14px/1.45 Inter,'Segoe UI','Helvetica Neue',Arial,sans-serif}"
    "svg{max-width:100%;height:auto;display:block}h2{margin:28px 0 8px;font-size:17px}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:0 solid;border-bottom-width:1px;padding:6px 12px 6px 0;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}"
    "code{font:12.5px 'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}"
    "@media print{body{padding:0}h2{break-after:avoid}tr{break-inside:avoid}}"
)


def page(facts: Facts, picture: str, theme: Theme) -> str:
    """A whole page, around the SVG of `picture`."""
    title = _text(f"{facts.name}: data-flow map")
    shown = _DARK if theme == "dark" else _LIGHT
    other = f"@media (prefers-color-scheme:dark){{{_DARK}}}" if theme == "auto" else ""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}{shown}{other}</style></head><body>\n"
        f"{picture}{_routes(facts)}{_places(facts)}{_custody(facts)}"
        f"<p>Configuration: SHA-256 <code>{facts.sha256}</code></p>\n</body></html>\n"
    )


def _routes(facts: Facts) -> str:
    rows = []
    for way in facts.ways:
        deny = [f"never {each}" for each in way.deny]
        rows.append(
            (
                _text(str(way.number)),
                f"{_text(way.name)}<br>{_code([way.match])}",
                _text(f"{way.listener} → {way.upstream}"),
                _code([*(way.allow or ("nobody",)), *deny]),
                _flow(way.request),
                _flow(way.response),
                _code([*way.stops, *(f"in shadow: {each}" for each in way.shadow)]),
            )
        )
    heads = ("", "Route", "From → to", "Admits", "Request", "Answer", "Besides")
    return _table("Routes: the first that matches decides", heads, rows)


def _flow(flow: Flow) -> str:
    if not flow.content:
        return "no content"
    parts = [f"<b>{_text(flow.shown)}</b> {_text(', '.join(flow.content))}"]
    parts += ["above the clearance of where it goes: refused"] if flow.above else []
    parts += [_text(each) for each in (flow.by, flow.rules) if each]
    parts += [f"{_code([where])} {_text(what)}" for what, where in flow.masks]
    parts += [f"search {_code([what])} {_text(action)}" for action, what in flow.searches]
    return "<br>".join(parts)


def _places(facts: Facts) -> str:
    doors = [
        (_text(each.name), _text(each.zone), _code([each.bind]), _code(each.senders or ("nobody",)),
         _lines((each.crypt.text, *each.crypt.details)))
        for each in facts.doors
    ]  # fmt: skip
    receivers = [
        (_text(each.name), _text(each.zone), _code(each.endpoints),
         _lines((each.crypt.text, *each.crypt.details)))
        for each in facts.receivers
    ]  # fmt: skip
    zones = [
        (_text(each.name), f"<b>{_text(each.clearance)}</b>", _text(each.rules))
        for each in facts.zones.values()
    ]
    return (
        _table("Zones", ("Zone", "Cleared for", "Rules"), zones)
        + _table("Listeners", ("Listener", "Zone", "Bind", "Senders", "Encryption"), doors)
        + _table("Upstreams", ("Upstream", "Zone", "Endpoints", "Encryption"), receivers)
    )


_KINDS: Final[Mapping[bool | None, str]] = {
    True: "secret",
    None: "keys of kind oct are secrets",
    False: "public",
}


def _custody(facts: Facts) -> str:
    rows = [
        (_text(each.name), _text(held.what), _code([held.reference]),
         _KINDS[held.secret])
        for each in facts.processes
        for held in each.held
    ]  # fmt: skip
    return _table("Who holds which key", ("Process", "What", "Reference", ""), rows)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """`rows` are markup, `heads` and `title` text."""
    head = "".join(f"<th>{_text(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{each}</td>' for each in row)}</tr>\n" for row in rows)
    return f"<h2>{_text(title)}</h2>\n<table><tr>{head}</tr>\n{body}</table>\n"


def _text(text: str) -> str:
    return escape(clean(text))


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(map(_text, texts))


def _code(texts: Iterable[str]) -> str:
    return "<br>".join(f"<code>{_text(each)}</code>" for each in texts)
