"""How a statement writes content, parties, counts and times: JSON texts, nothing too long in them.

Texts instead of dictionaries, since every transfer needs one, and half of it is the same as in the
one before: what never changes of a peer or a certificate is written once. Strings are quoted by
orjson, so each text is the very one that orjson would write for the same value
(`tests/receipt/plain.py` is that other construction).

Whatever is not Unicode raises `TypeError` or `ValueError`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Generic, TypeVar

import orjson

from proxy.model import Certificate, Content, Digest, Peer, Report

NAME: Final = 1024
"""Octets of the longest name of a peer, path or SAN that is written out."""
_KEPT: Final = 1024
"""Owners whose texts are kept."""
_WIDEST: Final = 4
"""Octets of UTF-8 that a character takes at most."""
_REST: Final = "…"
"""Stands for the paths that are not told."""

_Owner = TypeVar("_Owner")
_Text = TypeVar("_Text")


# --- content -------------------------------------------------------------------------------------


def content(content: Content, entries: int) -> str:
    """What stands between the braces of a content."""
    received, delivered = content.received, content.delivered
    if delivered is None:
        sides = f'"received":{_digest(received, plain=False)},"delivered":null'
    else:
        told = _digest(received, plain=received.sha256 == delivered.sha256)
        sides = f'"received":{told},"delivered":{_digest(delivered, plain=True)}'
    shadow = f'"shadow":{_counts(content.shadow, entries)},' if content.shadow else ""
    return f'{sides},{_report(content, entries)},{shadow}"label":{optional(content.label)}'


def _digest(digest: Digest, *, plain: bool) -> str:
    if plain and digest.sha256 is not None:
        return f'{{"sha256":"{digest.sha256.hex()}","bytes":"{digest.size}"}}'
    if digest.hmac_sha256 is not None:
        return f'{{"hmacSha256":"{digest.hmac_sha256.hex()}","bytes":"{digest.size}"}}'
    return f'{{"bytes":"{digest.size}"}}'


def _report(content: Content, entries: int) -> str:
    report = content.report
    if report is None:
        return _UNSEEN if not content.fields else _unseen(_counts(content.fields, entries))
    masked = {**report.masked, **content.fields} if content.fields else report.masked
    opaque = "true" if report.format == "opaque" else "false"
    changed = "true" if report.changed else "false"
    codings = f'"codings":[{",".join(map(known, report.codings))}],' if report.codings else ""
    return (
        f'"format":{known(report.format)},{codings}"opaque":{opaque},"changed":{changed},'
        f'"records":{count(report.records)},"masked":{_counts(masked, entries)},'
        f'"findings":{_counts(report.findings, entries)}{_further(report, entries)}'
    )


def _further(report: Report, entries: int) -> str:
    """What is there only where there is something to say."""
    found = f',"foundAt":{_places(report.found_at, entries)}' if report.found_at else ""
    left = f',"unscanned":"{report.unscanned}"' if report.unscanned else ""
    lowered = f',"lowered":{_counts(report.lowered, entries)}' if report.lowered else ""
    return f"{found}{left}{lowered}"


def _unseen(masked: str) -> str:
    seen = '"format":null,"opaque":false,"changed":false,"records":null'
    return f'{seen},"masked":{masked},"findings":{{}}'


_UNSEEN: Final = _unseen("{}")


def _counts(counts: Mapping[str, int], entries: int) -> str:
    """At most `entries` of them, most frequent first, and `others` for what the rest add up to."""
    if not counts:
        return "{}"
    ranked = sorted(counts.items(), key=_rank) if len(counts) > 1 else counts.items()
    texts: list[str] = []
    rest = 0
    for name, number in ranked:
        if len(texts) < entries and name != "others" and _fits(name):
            texts.append(f'{known(name)}:"{number}"')
        else:
            rest += number
    if rest:
        texts.append(f'"others":"{rest}"')
    return f"{{{','.join(texts)}}}"


def _places(found: Mapping[str, Mapping[str, int]], entries: int) -> str:
    """Type -> path -> occurrences: at most `entries` paths, and `…` for the rest of each type."""
    kept: dict[str, dict[str, int]] = {}
    ranked = sorted(
        (path == _REST, -number, name, path)
        for name, paths in found.items()
        for path, number in paths.items()
    )
    for n, (_, number, name, path) in enumerate(ranked):
        paths = kept.setdefault(name, {})
        path = path if n < entries else _REST
        paths[path] = paths.get(path, 0) - number
    return orjson.dumps(
        {name: {path: str(number) for path, number in kept[name].items()} for name in sorted(kept)}
    ).decode()


def _rank(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


# --- parties -------------------------------------------------------------------------------------


class Kept(Generic[_Owner, _Text]):
    """What `make` gave for the latest owners, by identity.

    Comparing a certificate costs more than writing it down. An address is as good as a name here:
    an owner that is kept keeps it.
    """

    def __init__(self, make: Callable[[_Owner], _Text]) -> None:
        self._make = make
        self._texts: dict[int, tuple[_Owner, _Text]] = {}

    def __call__(self, owner: _Owner) -> _Text:
        found = self._texts.get(id(owner))
        if found is None:
            found = owner, self._make(owner)
            if len(self._texts) >= _KEPT:
                del self._texts[next(iter(self._texts))]
            self._texts[id(owner)] = found
        return found[1]


def peer(peer: Peer, entries: int) -> str:
    name = f'"name":{quote(cut(peer.name))}'
    if peer.certificate is None:
        return f"{{{name}}}"
    return f"{{{name},{_certificate(peer.certificate, entries)}}}"


def certificate(certificate: Certificate | None, entries: int) -> str:
    return "null" if certificate is None else f"{{{_certificate(certificate, entries)}}}"


def _certificate(certificate: Certificate, entries: int) -> str:
    short = [quote(san) for san in certificate.sans if _fits(san)][:entries]
    rest = len(certificate.sans) - len(short)
    others = f',"otherSans":"{rest}"' if rest else ""
    return (
        f'"spkiSha256":"{certificate.spki_sha256.hex()}",'
        f'"certSha256":"{certificate.sha256.hex()}","sans":[{",".join(short)}]{others}'
    )


def channel(peer: Peer) -> str:
    channel = peer.channel
    if channel is None:
        return "null"
    return (
        f'{{"tls":{quote(channel.version)},"cipher":{quote(channel.cipher)},'
        f'"group":{quote(channel.group)},"exporterSha256":"{channel.exporter_sha256.hex()}"}}'
    )


# --- values --------------------------------------------------------------------------------------


def quote(text: str) -> str:
    return orjson.dumps(text).decode()


known = lru_cache(maxsize=_KEPT)(quote)
"""`quote` for words of the configuration and the protocol, which come again and again."""


def optional(word: str | None) -> str:
    return "null" if word is None else known(word)


def count(value: int | None) -> str:
    return "null" if value is None else f'"{value}"'


def octets(value: bytes | None) -> str:
    return "null" if value is None else f'"{value.hex()}"'


def cut(name: str) -> str:
    return name if _fits(name) else name.encode()[:NAME].decode(errors="ignore")


def _fits(name: str) -> bool:
    return len(name) * _WIDEST <= NAME or len(name.encode()) <= NAME


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, `2026-01-31T12:00:00.000000Z`."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    minute = _minute(time.year, time.month, time.day, time.hour, time.minute)
    return f"{minute}{time.second:02}.{time.microsecond:06}Z"


@lru_cache(maxsize=64)
def _minute(year: int, month: int, day: int, hour: int, minute: int) -> str:
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:"
