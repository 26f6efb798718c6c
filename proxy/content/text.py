"""Plain text: whatever is found is replaced in its place, in windows of bounded memory.

    octets ─ UTF-8 ─ window of 64 KiB, ended where nothing is divided ─ detect ─ octets

A window ends behind a line end, or behind a space or tab where no line end will do, and only where
it makes no difference: what is found in the words before and behind the place together is what is
found in them apart. So a number in groups, or a word that says what the number behind it is, is
never divided. What runs on until something ends it, such as a private key, stays in one window from
its beginning. A window that cannot end grows up to `limits.record` octets; then it is refused.

Lines of base64 that say text stay together too, as far as a window may grow. What is longer is
divided there, and counted as not looked into.

Windows are told by the octets alone, never by how they came: split anywhere, a text comes out the
same.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from proxy.content.cutter import require_text
from proxy.content.detect import Detector, Suspects
from proxy.content.findings import Findings
from proxy.content.kinds import Span
from proxy.content.masker import Engine
from proxy.content.runs import divides
from proxy.content.tally import Tally, refuse_more
from proxy.errors import Refusal
from proxy.model import Report

WINDOW: Final = 2**16
AROUND: Final = 1024
"""Octets before and behind a place that are looked at to see what it would divide."""
_PLACES: Final = 32
"""How many places of either kind are tried in a window."""
_SPACE: Final = re.compile(rb"[ \t\r\n]")


class TextInspector:
    """One text. Memory is bounded by `limits.record` and the octets of one feed()."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tally = Tally(engine.paths, engine.scale, engine.above)
        self._tally.records = 1
        self._window = self._size = min(WINDOW, engine.limits.record)
        self._held = bytearray()
        self._passed = 0
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True  # for good, when anything below raises
        self._held += data
        detector = self._engine.detector
        output = self._checked() if detector is None else b"".join(self._windows(detector))
        self._ended = False
        return output

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        return self._judged(len(self._held), None)

    def report(self) -> Report:
        return self._tally.report("text")

    def abandon(self) -> None:
        self._tally.findings.abandoned = True

    @property
    def held(self) -> int:
        """Octets of the window that has not ended."""
        return len(self._held)

    def _checked(self) -> bytes:
        """Where nothing is looked for: all that is whole characters."""
        return self._judged(_characters(bytes(self._held), self._passed), None)

    def _windows(self, detector: Detector) -> Iterator[bytes]:
        while len(self._held) >= self._size + AROUND:
            self._tally.findings.require_wanted()
            end, suspects = self._end(detector)
            if end:
                self._size = self._window
                yield self._judged(end, suspects)
            elif self._size >= self._engine.limits.record:
                self._held.clear()
                raise Refusal("content-too-large", "text that nothing divides is over the limit")
            else:
                self._size = min(2 * self._size, self._engine.limits.record)

    def _end(self, detector: Detector) -> tuple[int, Suspects]:
        """Where the window at the front of what is held ends, and what may be in it.

        0: it has to grow.
        """
        ahead = bytes(self._held[: self._size + AROUND])
        ahead = ahead[: _characters(ahead, self._passed)]
        window = ahead[: self._size]
        window = window[: _characters(window, self._passed)]
        suspects = detector.suspects_in_text(window)
        spans = detector.spans(window, suspects)
        for at in _places(window, ahead):
            self._tally.findings.require_wanted()
            if not _within(spans, at) and _apart(ahead, at, detector):
                return at, suspects
        if self._size >= self._engine.limits.record:
            for at in islice(_behind(window, b"\n"), _PLACES):
                if not _within(spans, at) and divides(ahead, at):
                    self._tally.findings.unscanned += 1
                    return at, suspects
        return 0, suspects

    def _judged(self, end: int, suspects: Suspects | None) -> bytes:
        """What becomes of the first octets that are held; `suspects` is None when not known."""
        text = bytes(self._held[:end])
        del self._held[:end]
        where = f"the text from octet {self._passed} on"
        self._passed += end
        require_text(text, where)
        detector, findings = self._engine.detector, self._tally.findings
        if suspects is None and detector is not None:
            suspects = detector.suspects_in_text(text)
        if detector is None or not suspects:
            return text
        output = detector.judge(text, (), "$", suspects, findings, where)
        self._tally.changed = self._tally.changed or output != text
        return output


def _characters(data: bytes, passed: int) -> int:
    """How many octets of it are whole characters; at most three are not.

    Raises Refusal("unparseable") when it is the beginning of no UTF-8.
    """
    if data.isascii():
        return len(data)
    try:
        return codecs.utf_8_decode(data, "strict", False)[1]
    except UnicodeDecodeError:
        raise Refusal("unparseable", f"not UTF-8 in the text from octet {passed} on") from None


def _places(window: bytes, ahead: bytes) -> Iterator[int]:
    """Where it may end, the best first: behind the last line ends, then behind other marks."""
    lines = (at for at in _behind(window, b"\n") if not divides(ahead, at))
    for places in (lines, _behind(window, b" "), _behind(window, b"\t")):
        yield from islice(places, _PLACES)


def _behind(window: bytes, mark: bytes) -> Iterator[int]:
    """Behind each mark, the last one first."""
    end = len(window)
    while (at := window.rfind(mark, 0, end)) >= 0:
        yield at + 1
        end = at


def _within(spans: Iterable[Span], at: int) -> bool:
    """Whether a place is inside one of them."""
    return any(start < at < end for start, end in spans)


def _apart(text: bytes, at: int, detector: Detector) -> bool:
    """Whether the same is found on both sides of a place, together and each alone."""
    before = _SPACE.search(text, max(0, at - AROUND), at - 1)
    behind = _SPACE.search(text, at + AROUND)
    left = text[before.end() if before and at > AROUND else 0 : at]
    right = text[at : behind.start() if behind else len(text)]
    if not detector.suspects_in_text(left + right):
        return True
    try:
        together, whole = _found(left + right, detector)
        first, second = _found(left, detector), _found(right, detector)
    except Refusal:
        return False
    counts = {kind: first[1].get(kind, 0) + second[1].get(kind, 0) for kind in first[1] | second[1]}
    return together == first[0] + second[0] and whole == counts


def _found(text: bytes, detector: Detector) -> tuple[bytes, dict[str, int]]:
    findings = Findings()
    suspects = detector.suspects_in_text(text)
    new = detector.judge(text, (), "$", suspects, findings, "text") if suspects else text
    return new, findings.counts
