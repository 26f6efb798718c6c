"""Whether every attempt id of a log stands in one entry only, in bounded memory.

16 octets an attempt are too many to keep for a log without end. So ids go, with the index of their
entry, to one of 256 heaps by a hash that nobody can foresee; heaps are written to a file whenever
they hold `_BUFFER` octets together, and looked through one after the other at the end. Memory is
that buffer and one heap: about a 256th of the log's ids.

    id (16 octets) ‖ u64be index
"""

import io
from typing import BinaryIO, Final

from proxy.errors import EvidenceError

_HEAPS: Final = 256
_ID: Final = 16
_RECORD: Final = 24
_BUFFER: Final = 4 * 2**20


class Attempts:
    def __init__(self, spill: BinaryIO | None = None, *, buffer: int = _BUFFER) -> None:
        """`spill`: an empty file to write to and read from; without one all stays in memory."""
        self._spill = io.BytesIO() if spill is None else spill
        self._buffer = buffer // _RECORD
        self._held = 0
        self._heaps = [bytearray() for _ in range(_HEAPS)]
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(_HEAPS)]
        self._end = 0

    def add(self, attempt_id: bytes, index: int) -> None:
        """Entry `index` is about this attempt. May raise `OSError`, from the file."""
        self._heaps[hash(attempt_id) % _HEAPS] += attempt_id + index.to_bytes(8)
        self._held += 1
        if self._held >= self._buffer:
            self._write()

    def _write(self) -> None:
        self._spill.seek(self._end)
        for heap, blocks in zip(self._heaps, self._blocks, strict=True):
            if heap:
                self._spill.write(heap)
                blocks.append((self._end, len(heap)))
                self._end += len(heap)
                heap.clear()
        self._held = 0

    def require_distinct(self) -> None:
        """Raises `EvidenceError` with the first entry about an attempt that had one; `OSError`."""
        twice = min(filter(None, map(self._twice, range(_HEAPS))), default=None)
        if twice is not None:
            index, first = twice
            raise EvidenceError(f"entry {index}: is about the attempt that entry {first} is about")

    def _twice(self, number: int) -> tuple[int, int] | None:
        """(the first entry in this heap whose attempt had one, the earlier entry)."""
        if not self._blocks[number] and len(self._heaps[number]) <= _RECORD:
            return None
        heap = bytearray()
        for at, size in self._blocks[number]:
            self._spill.seek(at)
            heap += self._spill.read(size)
        heap += self._heaps[number]
        ids = [bytes(heap[at : at + _ID]) for at in range(0, len(heap), _RECORD)]
        if len(set(ids)) == len(ids):
            return None
        seen: dict[bytes, int] = {}
        for place, attempt_id in enumerate(ids):  # in the order of the log: the first is named
            if attempt_id in seen:
                return _index(heap, place), _index(heap, seen[attempt_id])
            seen[attempt_id] = place
        return None


def _index(heap: bytearray, place: int) -> int:
    return int.from_bytes(heap[place * _RECORD + _ID : (place + 1) * _RECORD])
