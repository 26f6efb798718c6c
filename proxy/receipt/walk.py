"""The entries of a log in their order: each must be where those before it say.

- It is of this log, and was signed by a receipt key that may sign now (`keychain.py`).
- It is the next of its stream: number one higher, `previous` the digest of the one before. Where
  numbers are left out, that is a gap: it is told, and the walk goes on behind it, so that all are.
  A number that comes again, or a `previous` that is another, ends the walk.
- It was completed no earlier than the entry before it.
- Events stand in the log's own stream and nowhere else.
- No two entries are about one attempt (`attempts.py`; looked at when the walk has ended).

Memory: one number and digest a stream, as many as there are senders and routes.
"""

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.receipt.attempts import Attempts
from proxy.receipt.inspection import Inspection, Said, inspect_entries
from proxy.receipt.keychain import KeyChain
from proxy.receipt.merkle import Tree
from proxy.receipt.statement import event_stream


class Walk:
    """How far a log has been walked. Everything raises `EvidenceError` where an entry is wrong."""

    def __init__(
        self,
        origin: str,
        keys: Sequence[Ed25519PublicKey],
        attempts: Attempts | None = None,
        gap: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`gap` is told each gap, a line."""
        self.tree = Tree()
        self.chain = KeyChain(keys)
        self._gap = gap
        self._gaps = 0
        self._attempts = attempts or Attempts()
        self._origin = origin
        self._events = event_stream(origin)
        self._streams: dict[str, tuple[int, bytes]] = {}
        self._completed = 0

    @property
    def known(self) -> tuple[bytes, ...]:
        """The raw public keys to inspect with."""
        return tuple(key.public_bytes_raw() for key in self.chain.known.values())

    def step(self, entry: bytes, where: str) -> list[tuple[int, int, bytes]]:
        """Check one entry and add it to the tree. Returns the tiles that it completes."""
        found = inspect_entries([entry], self.known)
        self.check(found, 0, self.tree.size, where)
        return self.tree.append(found.leaves[0])

    def check(self, found: Inspection, number: int, index: int, where: str) -> None:
        """Check entry `number` of an inspected bundle, which is entry `index` of the log."""
        try:
            if number == len(found.said):
                raise EvidenceError(found.fault or "is missing")
            self._check(found.said[number], index, where)
        except EvidenceError as error:
            raise EvidenceError(f"{where}: entry {index}: {error}") from None

    def _check(self, said: Said, index: int, where: str) -> None:
        self.chain.require(said.signer)
        if said.origin != self._origin:
            raise EvidenceError("is of another log")
        self._require_place(said, index, where)
        if said.completed < self._completed:
            raise EvidenceError("was completed before the entry before it")
        self._completed = said.completed
        self._streams[said.stream] = (said.number, said.digest)
        if said.attempt_id is not None:
            self._attempts.add(said.attempt_id, index)
        if said.details is not None:
            self.chain.follow(said.details, said.signer, index)

    def _require_place(self, said: Said, index: int, where: str) -> None:
        if (said.event is None) is (said.stream == self._events):
            raise EvidenceError(
                "is no event, but in the log's own stream"
                if said.event is None
                else "is an event, but not in the log's own stream"
            )
        number, previous = self._streams.get(said.stream, (0, None))
        wrong = f"is number {said.number} of its stream, where {number + 1} comes next"
        if said.number > number + 1 and said.previous is not None:
            self._gaps += 1
            self._gap(f"{where}: entry {index}: {wrong} ({said.stream})")
        elif said.number != number + 1:
            raise EvidenceError(wrong)
        elif said.previous != previous:
            raise EvidenceError("does not name the receipt before it in its stream")

    def finish(self) -> None:
        """Raises where an attempt has two entries, or a stream a gap. May raise `OSError`."""
        self._attempts.require_distinct()
        if self._gaps:
            told = "1 gap" if self._gaps == 1 else f"{self._gaps} gaps"
            raise EvidenceError(f"{told} in the streams: receipts were left out")
