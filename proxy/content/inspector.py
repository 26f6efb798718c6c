"""One body on its way: octets in, checked octets out, and a report of what was done.

    json     held whole; everything comes out of finish()
    ndjson   record by record: what feed() returns ends with a record that has been checked
    opaque   as it comes, unseen

An NDJSON record is a line, ended by LF or CRLF or, for the last one, by the end of the body. Line
ends and blank lines stay as sent. Memory is bounded by the largest record plus the octets of one
feed(). After a Refusal an inspector gives nothing any more.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from proxy.content.detect import Suspects
from proxy.content.gate import Located
from proxy.content.held import Held
from proxy.content.masker import Engine, Masker, Output
from proxy.content.tally import Tally, refuse_more
from proxy.errors import Refusal
from proxy.model import Report


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


class JsonInspector:
    """One JSON document (RFC 8259) of at most `limits.document` octets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tally = Tally(engine.paths, engine.scale, engine.above)
        self._masker = Masker(engine, self._tally, lines=False)
        self._held = Held(engine.limits.document, "a document")

    def feed(self, data: bytes) -> bytes:
        return self._held.feed(data)

    def finish(self) -> bytes:
        data = self._held.end(b"\0")
        detector, tally = self._engine.detector, self._tally
        masked = self._masker.mask(data)
        output = masked.octets
        if detector and (suspects := detector.suspects(masked.rest)):
            findings = tally.findings
            output = detector.examine(output, suspects, masked.placed, findings, "the document")
        tally.changed = len(output) + 1 != len(data) or not data.startswith(output)
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
        self._tally = Tally(engine.paths, engine.scale, engine.above)
        self._held = bytearray()
        self._masker = Masker(engine, self._tally, lines=True)
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True  # for good, when anything below raises
        cut = data.rfind(b"\n") + 1
        output = b""
        if cut:
            block = b"".join((self._held, memoryview(data)[:cut]))
            self._held.clear()
            output = self._block(block)
        self._held += data[cut:]
        if len(self._held) > self._engine.limits.record + 1:  # the one more may be CR
            self._held.clear()
            raise Refusal(
                "content-too-large", f"line {self._masker.ended + 1} is over limits.record"
            )
        self._ended = False
        return output

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        if not self._held:
            return b""
        self._held += b"\n"
        block = bytes(self._held)
        self._held.clear()
        return self._block(block)[:-1]

    @property
    def held(self) -> int:
        return len(self._held)

    def report(self) -> Report:
        return self._tally.report("ndjson")

    def abandon(self) -> None:
        self._tally.findings.abandoned = True

    def _block(self, block: bytes) -> bytes:
        """Check and mask whole lines."""
        detector, tally = self._engine.detector, self._tally
        first = self._masker.ended + 1
        masked = self._masker.mask(block)
        output = masked.octets
        if detector and (suspects := detector.suspects(masked.rest)):
            chosen = detector.lines(output, suspects)
            output = b"\n".join(self._examined(masked, chosen, suspects, first))
        tally.changed = tally.changed or output != block
        return output

    def _examined(
        self,
        masked: Output,
        chosen: Mapping[int, Sequence[Located] | None],
        suspects: Suspects,
        number: int,
    ) -> Iterator[bytes]:
        """The lines of a block, the first of them `number`; those chosen may hold something."""
        detector, findings = self._engine.detector, self._tally.findings
        placed, start = masked.placed, 0
        for n, line in enumerate(masked.octets.split(b"\n")):
            end = start + len(line)
            if n in chosen and detector is not None:
                here = placed[bisect_left(placed, start) : bisect_left(placed, end)]
                places, where = [place - start for place in here], f"line {number + n}"
                some, located = suspects, chosen[n]
                if located is None or any(kind is None for _, kind in located):
                    some &= detector.suspects(line)  # not what is in other lines
                yield detector.examine(line, some, places, findings, where, located)
            else:
                yield line
            start = end + 1


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
