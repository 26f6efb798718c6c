"""application/x-www-form-urlencoded: names and values, held whole, pair by pair when it has ended.

    form  = [pair] *("&" [pair])
    pair  = name ["=" value]
    name, value = *(octet that a query admits | "+" | "%" HEXDIG HEXDIG), UTF-8 when decoded

"+" is a space. What RFC 3986 does not admit in a query (quotes, braces, spaces, controls, octets
over 127) is refused, and so are ";", which some take for "&", and NUL, at which some end a name. So
no JSON crosses that only calls itself a form. Every pair of a name is masked, and so are those that
some servers read under it (`ssn[]`, see names); a name that is not there is no mistake, since forms
leave out what was not filled in.

    $.ssn, $..ssn    ssn=078-05-1120&%73sn=A    ->    ssn=%5BREDACTED%5D&%73sn=%5BREDACTED%5D
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from proxy.content.detect import Detector, Suspects
from proxy.content.fields import UNTOUCHED, WITHHELD, Fields
from proxy.content.held import Held
from proxy.content.masker import Engine
from proxy.content.names import bare
from proxy.content.places import step
from proxy.content.tally import Tally
from proxy.content.values import Scalar
from proxy.errors import Refusal
from proxy.model import Report

PAIRS_MAXIMUM: Final = 65_536
_TOGETHER: Final = 16
"""Pairs that are searched together."""
_FORM: Final = re.compile(rb"(?:[A-Za-z0-9!$'()*,\-./:=?@\[\]_~+&]|%[0-9A-Fa-f]{2})*+")


@dataclass(slots=True)
class _Pair:
    """One pair as it is written, and what it says. `raw` is empty between two `&`."""

    raw: bytes
    name: bytes = b""
    value: bytes = b""
    masked: bool = False
    dropped: bool = False

    def put(self, value: bytes) -> None:
        """Give it another value; its name stays as it is written."""
        self.value = value
        self.raw = self.raw.partition(b"=")[0] + b"=" + spelt(value)

    def rename(self, name: bytes) -> None:
        self.name = name
        _, equals, value = self.raw.partition(b"=")
        self.raw = spelt(name) + equals + value


class FormInspector:
    """One form of at most `limits.document` octets."""

    def __init__(self, engine: Engine, fields: Fields) -> None:
        self._engine = engine
        self._fields = fields
        self._tally = Tally(engine.paths, engine.scale, engine.above)
        self._held = Held(engine.limits.document, "a form")

    def feed(self, data: bytes) -> bytes:
        return self._held.feed(data)

    def finish(self) -> bytes:
        data = self._held.end()
        pairs = list(parsed(data))
        self._tally.records = 1
        self._mask(pairs)
        self._search(pairs)
        output = b"&".join(pair.raw for pair in pairs if not pair.dropped)
        self._tally.changed = output != data
        return output

    def report(self) -> Report:
        return self._tally.report("form")

    def abandon(self) -> None:
        self._tally.findings.abandoned = True

    @property
    def held(self) -> int:
        """All of the form."""
        return len(self._held)

    def _mask(self, pairs: list[_Pair]) -> None:
        for pair in pairs:
            self._tally.findings.require_wanted()
            rule = self._rule(pair.name.decode()) if pair.raw else UNTOUCHED
            if rule == WITHHELD:
                self._tally.withheld += 1
                pair.dropped = True
            elif rule >= 0:
                self._tally.masked[rule] += 1
                pair.masked = True
                action = self._engine.actions[rule]
                pair.dropped = action is None
                masked = action(Scalar("string", pair.value)) if action else None
                if masked is not None:
                    pair.put(masked.text)

    def _rule(self, name: str) -> int:
        """The first rule for the name as it is written, or as servers with lists may read it."""
        rule, known = self._fields.named(name), bare(name)
        if rule == WITHHELD or known == name:
            return rule
        return min((n for n in (rule, self._fields.named(known)) if n >= 0), default=rule)

    def _search(self, pairs: list[_Pair]) -> None:
        detector = self._engine.detector
        if detector is None:
            return
        left = [pair for pair in pairs if pair.raw and not pair.dropped]
        for first in range(0, len(left), _TOGETHER):
            some = left[first : first + _TOGETHER]
            said = b"\n".join([text for pair in some for text in (pair.name, pair.value)])
            if suspects := detector.suspects_in_text(said):
                self._judge(some, detector, suspects)

    def _judge(self, pairs: list[_Pair], detector: Detector, suspects: Suspects) -> None:
        findings = self._tally.findings
        for pair in pairs:
            name = pair.name.decode()
            new = detector.judge(pair.name, (), "$", suspects, findings, "the form")
            path = "$" + (step(name) if new == pair.name else ".*")
            if new != pair.name:
                pair.rename(new)
            if not pair.masked:
                new = detector.judge(pair.value, (name,), path, suspects, findings, "the form")
                if new != pair.value:
                    pair.put(new)


def parsed(data: bytes) -> Iterator[_Pair]:
    """The pairs of a form, and what stands between two `&` without one.

    Raises Refusal("unparseable").
    """
    if not _FORM.fullmatch(data):
        raise Refusal("unparseable", "the form is not URL-encoded")
    if data.count(b"&") >= PAIRS_MAXIMUM:
        raise Refusal("unparseable", f"over {PAIRS_MAXIMUM} pairs")
    for raw in data.split(b"&"):
        name, _, value = raw.partition(b"=")
        yield _Pair(raw, _decoded(name), _decoded(value))


def _decoded(raw: bytes) -> bytes:
    if b"%" not in raw and b"+" not in raw:
        return raw
    text = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        text.decode()
    except UnicodeDecodeError:
        raise Refusal("unparseable", "the form holds what is not UTF-8") from None
    if b"\0" in text:
        raise Refusal("unparseable", "the form holds NUL")
    return text


def spelt(text: bytes) -> bytes:
    """A name or value as a form writes it (WHATWG URL, application/x-www-form-urlencoded)."""
    return quote_plus(text, safe="*").encode()
