"""One body on its way: octets in, checked octets out, and a report of what was done.

    json     held whole; everything comes out of finish()
    ndjson   record by record: what feed() returns ends with a record that has been checked
    opaque   as it comes, unseen

An NDJSON record is a line, ended by LF or CRLF or, for the last one, by the end of the body. Line
ends and blank lines stay as sent. Memory is bounded by the largest record plus the octets of one
feed(). After a Refusal an inspector gives nothing any more.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.content.detect import Detector
from proxy.content.findings import Findings
from proxy.content.mask import mask
from proxy.content.paths import Automaton
from proxy.content.probe import Plain, probe
from proxy.content.scan import Hit, find
from proxy.content.tally import Tally, refuse_more
from proxy.content.validate import require_json
from proxy.content.values import Replace
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.schema import Limits


class Inspector(Protocol):
    """What every format offers."""

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take the next octets; return those that are checked, possibly b"". Raises Refusal."""

    @abstractmethod
    def finish(self) -> bytes:
        """The body has ended: return the rest, checked. Raises Refusal."""

    @property
    @abstractmethod
    def held(self) -> int:
        """Octets that wait to be judged: all of a document, or what came of a record so far."""

    @abstractmethod
    def report(self) -> Report:
        """What has been done so far, at any time."""

    @abstractmethod
    def abandon(self) -> None:
        """Nobody waits any more: a feed() or finish() in another thread raises Refusal soon."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A compiled policy."""

    limits: Limits
    automaton: Automaton
    paths: tuple[str, ...]
    actions: tuple[Replace | None, ...]
    plain: tuple[Plain, ...] | None
    detector: Detector | None
    scale: tuple[str, ...]

    def mask(self, data: bytes, where: str, tally: Tally) -> tuple[bytes, Sequence[int]]:
        """One document masked, and where replacements stand in it; counted by number of rule.

        Raises Refusal("unparseable") when it is not JSON.
        """
        tally.findings.require_wanted()
        value = require_json(data, self.limits.depth, where)
        if not self.paths:
            return data, ()
        hits = None if self.plain is None else probe(data, value, self.plain)
        del value  # many times the size of the document
        if hits is not None and not hits:
            return data, ()
        wanted = _wanted(hits or find(data, self.automaton.root), tally.findings)
        return mask(data, wanted, self.actions, tally.masked)


def _wanted(hits: Iterable[Hit], findings: Findings) -> Iterator[Hit]:
    for hit in hits:
        findings.require_wanted()
        yield hit


class JsonInspector:
    """One JSON document (RFC 8259) of at most `limits.document` octets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tally = Tally(engine.paths, engine.scale)
        self._held = bytearray()
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        if len(self._held) + len(data) > self._engine.limits.document:
            self._ended = True
            self._held.clear()
            raise Refusal("content-too-large", "a document over limits.document")
        self._held += data
        return b""

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        data = bytes(self._held)
        self._held.clear()
        engine, tally = self._engine, self._tally
        output, placed = engine.mask(data, "the document", tally)
        tally.records = 1
        if engine.detector and (suspects := engine.detector.suspects(output)):
            output = engine.detector.examine(
                output, suspects, placed, tally.findings, "the document"
            )
        tally.changed = output != data
        return output

    @property
    def held(self) -> int:
        return len(self._held)

    def report(self) -> Report:
        return self._tally.report("json")

    def abandon(self) -> None:
        self._tally.findings.abandoned = True


class NdjsonInspector:
    """One JSON text a line, each of at most `limits.record` octets without its line end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tally = Tally(engine.paths, engine.scale)
        self._held = bytearray()
        self._lines = 0
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True  # for good, when anything below raises
        cut = data.rfind(b"\n") + 1
        output = b""
        if cut:
            block = bytes(self._held) + data[:cut]
            self._held.clear()
            output = self._block(block)
        self._held += data[cut:]
        if len(self._held) > self._engine.limits.record + 1:  # the one more may be CR
            self._held.clear()
            raise Refusal("content-too-large", f"line {self._lines + 1} is over limits.record")
        self._ended = False
        return output

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        block = bytes(self._held)
        self._held.clear()
        return self._block(block) if block else b""

    @property
    def held(self) -> int:
        return len(self._held)

    def report(self) -> Report:
        return self._tally.report("ndjson")

    def abandon(self) -> None:
        self._tally.findings.abandoned = True

    def _block(self, block: bytes) -> bytes:
        """Check and mask whole lines; the last one may lack its LF."""
        detector, tally = self._engine.detector, self._tally
        first = self._lines + 1
        lines: list[bytes] = []
        places: list[Sequence[int]] = []
        for line in block.split(b"\n"):
            self._lines += 1
            output, placed = self._line(line)
            lines.append(output)
            places.append(placed)
        self._lines -= not lines[-1]
        output = b"\n".join(lines)
        if detector and detector.suspects(output):
            for n, line in enumerate(lines):
                if suspects := detector.suspects(line):
                    where = f"line {first + n}"
                    lines[n] = detector.examine(line, suspects, places[n], tally.findings, where)
            output = b"\n".join(lines)
        tally.changed = tally.changed or output != block
        return output

    def _line(self, line: bytes) -> tuple[bytes, Sequence[int]]:
        if len(line) > self._engine.limits.record and (
            len(line.removesuffix(b"\r")) > self._engine.limits.record
        ):
            raise Refusal("content-too-large", f"line {self._lines} is over limits.record")
        if not line.strip(b" \t\r"):
            return line, ()
        self._tally.records += 1
        return self._engine.mask(line, f"line {self._lines}", self._tally)


class OpaqueInspector:
    """Octets as they come. The report says that nobody looked."""

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""

    @property
    def held(self) -> int:
        return 0

    def report(self) -> Report:
        return Report(format="opaque")

    def abandon(self) -> None:
        """There is nothing to stop."""
