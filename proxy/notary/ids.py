"""Which `Transfer-Id`s are used up, on their way, or undecided: what makes a repeat harmless.

An id belongs to a sender and a route, and the nonce of a signature to nobody. An id is

    free        nobody has delivered it, or its window has passed
    held        an attempt is on its way: in memory, until that attempt is concluded
    delivered   within its window: whoever comes again gets the first receipt, or 409
    undecided   an attempt ended `indeterminate`: refused, unless the route forwards it again

and a nonce is free, held, or used by an attempt, whatever its verdict: refused within the window.

Rules
- Places are bounded: `capacity` ids held, delivered and undecided together, and of these a share
  for each sender and each worker, see `shares.py`. When they are taken new ids are refused, because
  to forget one early would admit its repeat. Whatever cannot be looked up is refused too.
- Delivered and undecided ids survive, and used nonces. What an entry does to the table, its *memo*,
  stands beside it in the journal. Memos gather in an overlay, `flush` takes them to the table, and
  `watermark` is the size of the log up to which the table holds everything. So the journal may drop
  the memos below the watermark, once `flush(durable=True)` has returned, and no others. After a
  restart the memos from the watermark on are `redo`ne.
- The table holds no names and no content: everything is keyed with the store key.

The octets of a memo stand in `ids_memo.py`. The order of calls:

    open ─ require_reach ─ redo… ─ (reserve ─ memo ─ settle)… ─ batch ─ flush ─ flushed … ─ close

All but `flush` is for the event loop; `flush` runs in a thread, one at a time.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Intent, Submission
from proxy.notary.bounds import Bounds
from proxy.notary.ids_held import Held, Holds, same
from proxy.notary.ids_kept import Batch as Batch
from proxy.notary.ids_kept import Kept
from proxy.notary.ids_memo import DELIVERED, UNDECIDED, Tags, read, tag, unpack
from proxy.notary.ids_table import IDS, Table
from proxy.notary.shares import UNHELD, Shares, worker_of
from proxy.notary.storekey import store_key
from proxy.notary.streams import State


@dataclass(frozen=True, slots=True)
class Delivered:
    """The attempt that used an id up. `status` is None where the sender had no answer."""

    status: int | None
    index: int


class Ids:
    def __init__(self, table: Table, key: bytes, capacity: int, bounds: Bounds) -> None:
        self._kept = Kept(table, capacity)
        self._tags = Tags(key)
        self.bounds = bounds
        """For how long ids are remembered, whatever a worker says."""
        self._shares = Shares(capacity, self.bounds)
        self._holds = Holds(self._shares)
        self._drafted = 0
        """Of the batch: how many nobody holds."""

    @classmethod
    def open(cls, folder: Path, *, capacity: int, bounds: Bounds | None = None) -> Self:
        """The table in `folder`, made where there is none. Blocks on the disk.

        Raises `EvidenceError` where table or store key are damaged or do not belong together, and
        `LogFailure` where the disk fails.
        """
        key = store_key(folder, make=not (folder / IDS).exists())
        opened = cls(Table(folder, tag(key, b"store", 16)), key, capacity, bounds or Bounds())
        try:
            for sender, expires in opened._kept.load():
                opened._shares.add((sender,), expires)
        except BaseException:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """Give the table up. What was not flushed is in the journal."""
        self._kept.close()

    # --- after a restart -------------------------------------------------------------------------

    @property
    def watermark(self) -> int:
        """The table holds what every entry below this index did to it."""
        return self._kept.watermark

    def require_reach(self, since: int, size: int) -> None:
        """Raises `EvidenceError` unless table and journal have everything between them.

        `since`: the first index whose memo the journal has; `size`: of the log. Fails closed.
        """
        self._kept.require_reach(since, size)

    def redo(self, index: int, memo: bytes, now: float) -> None:
        """Repeat what entry `index` did; nothing below the watermark. In the order of the log."""
        if index >= self.watermark:
            self.settle(None, index, memo, now)

    def cold(self, stream: str) -> State | None:
        """The state of a stream that only the table has. Raises `LogFailure`."""
        return self._kept.stream(self._tags.stream(stream))

    # --- an attempt ------------------------------------------------------------------------------

    def reserve(
        self, claim: Claim, attempt_id: bytes, now: float, *, holder: str = ""
    ) -> Delivered | None:
        """None: the id is held for this attempt, until `settle` or `release`. `now`: Unix seconds.

        Its nonce is held too, also where the id turns out to be delivered. `holder` is the worker
        whose attempt it is. Asked again for the same attempt it answers the same. Raises `Refusal`
        signature-replayed, in-flight, undecided or overloaded, and `LogFailure`, also where the
        attempt holds another id: nobody could let go both.
        """
        key, nonce = self._tags.key(claim), self._tags.nonce(claim)
        held = self._holds.at(key)
        if held is not None and held.attempt_id == attempt_id:
            return None
        if nonce is not None:
            self._require_unused(nonce, attempt_id, now)
        if held is not None:
            raise Refusal("in-flight", "another attempt has the Transfer-Id", retry_after=1)
        self._require_empty_handed(attempt_id, nonce)
        earlier = self._kept.find(key, now)
        delivered = earlier is not None and earlier.state == DELIVERED
        if earlier is not None and not delivered and not claim.forward_undecided:
            raise Refusal("undecided", "the last attempt with the Transfer-Id was indeterminate")
        owners = self._tags.sender(claim.sender), worker_of(holder)
        mine = None if delivered else key
        wanted = Held(claim, attempt_id, holder, owners, earlier, mine, nonce)
        if wanted.places:
            self._shares.require_room(owners, now, wanted.places)
        if mine or nonce:
            self._holds.take(wanted)
        if earlier is None or not delivered:
            return None
        return Delivered(earlier.status or None, earlier.leaf)

    def _require_unused(self, nonce: bytes, attempt_id: bytes, now: float) -> None:
        """Raises `Refusal` signature-replayed, `LogFailure`. Fails closed."""
        held = self._holds.at(nonce)
        other = held is not None and held.attempt_id != attempt_id
        if other or self._kept.find(nonce, now) is not None:
            raise Refusal("signature-replayed", "the nonce of the signature has been used")

    def restore(self, claim: Claim, attempt_id: bytes, now: float, *, holder: str = "") -> None:
        """Hold what a worker held when the notary stopped: no question, and past all bounds but the
        worker's own share. Raises `LogFailure` where nothing is left of it, or as `reserve` does.

        Nothing where the id is held or delivered: then the attempt's statement is in the log.
        """
        key, nonce = self._tags.key(claim), self._tags.nonce(claim)
        earlier = self._kept.find(key, now)
        if self._holds.at(key) or (earlier is not None and earlier.state == DELIVERED):
            return
        if nonce and (self._holds.at(nonce) or self._kept.find(nonce, now)):
            nonce = None  # it is used, or about to be
        worker = worker_of(holder)
        self._require_empty_handed(attempt_id)
        reason = self._shares.lacking_of_worker((worker,))
        if reason is not None:
            raise LogFailure(reason)
        owners = self._tags.sender(claim.sender), worker
        self._holds.take(Held(claim, attempt_id, holder, owners, earlier, key, nonce))

    def _require_empty_handed(self, attempt_id: bytes, nonce: bytes | None = None) -> None:
        """Or with no more in its hands than this nonce, which it then has not any more."""
        held = self._holds.of(attempt_id)
        if held is not None and (held.key is not None or held.nonce != nonce):
            raise LogFailure("the attempt holds another Transfer-Id")
        self._holds.release(attempt_id)

    def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """Whether this content is what was delivered under the id; False where nobody knows.

        Asked of an id that `reserve` has found delivered. That its window passes while the content
        is read makes it no other content.
        """
        found = self._kept.find(self._tags.key(claim), now=0)
        if found is None or found.state != DELIVERED or not found.known:
            return False
        return hmac.compare_digest(found.content, self._tags.content(content_sha256))

    def require_held(self, found: Submission) -> None:
        """Raises `EvidenceError` where the attempt holds an id, and claims another. Fails closed.

        One that holds none may claim: what it held may have been let go, or a notary ago.
        """
        held = None if found.claim is None else self._holds.of(found.attempt_id)
        if held is not None and found.claim is not None and not same(found.claim, held.claim):
            raise EvidenceError("an attempt claims another Transfer-Id than it holds")

    def begin(self) -> None:
        """A batch of entries begins; those of the one before are settled, or begin again."""
        self._drafted = 0

    def memo(self, found: Submission | Intent, now: float) -> bytes | None:
        """What goes beside its entry into the journal; None where the entry changes no id.

        An intent is one that a crash left open: its attempt ends `indeterminate`. What nobody held
        is remembered while there is room for such, for only who is no longer ours has many of them.
        """
        claim = found.claim
        if claim is None:
            return None
        held = self._holds.of(found.attempt_id)
        if held is not None and not same(claim, held.claim):
            held = None
        if held is None:
            if self._shares.lacking_of_worker((UNHELD,), self._drafted):
                return None
            self._drafted += 1 + (claim.nonce is not None)
        key = None if held is None else held.key
        return self._tags.memo(found, key, now, self.bounds.window(claim))

    def settle(self, attempt_id: bytes | None, index: int, memo: bytes | None, now: float) -> None:
        """Entry `index` is durable: its memo counts from now on, and its attempt holds no more."""
        held = self.release(attempt_id)
        for key, value in () if memo is None else unpack(index, memo):
            record, own = read(value), held if held and key in (held.key, held.nonce) else None
            earlier = own.earlier if own and key == own.key else self._kept.find(key, now)
            if earlier is not None:
                if earlier.state == DELIVERED and record.state == UNDECIDED:
                    continue
                self._shares.remove(earlier.sender, earlier.expires)
            unheld = (record.sender,) if attempt_id is None else (record.sender, UNHELD)
            owners = own.owners if own else unheld
            self._shares.add(owners, record.expires)
            self._kept.put(key, value, record.expires)

    def release(self, attempt_id: bytes | None) -> Held | None:
        """The attempt has ended without a statement, or before it held anything."""
        return self._holds.release(attempt_id)

    def keep_undecided(self, intents: Iterable[Intent], now: float, *, holder: str) -> None:
        """Hold what a dead worker's intents claim, until they are closed; as far as its share goes.

        Raises `LogFailure` where the table does not read.
        """
        for intent in intents:
            worker = worker_of(holder)
            if self._holds.of(intent.attempt_id) or self._shares.lacking_of_worker((worker,)):
                continue
            if intent.claim is not None:
                self.restore(intent.claim, intent.attempt_id, now, holder=holder)

    def drop(self, holder: str) -> None:
        """Release all that a worker holds: it is gone, and its intents are closed."""
        for held in self._holds.by(holder):
            self.release(held.attempt_id)

    # --- to the table ----------------------------------------------------------------------------

    def batch(self, size: int, now: float, *, all_of_it: bool = False) -> Batch | None:
        """What to flush now that every entry below `size` is settled; None: not worth it yet."""
        self._shares.expire(now)
        return self._kept.batch(size, now, live=self._shares.kept, all_of_it=all_of_it)

    def flush(self, batch: Batch, *, durable: bool = False) -> None:
        """Write a batch, in a thread. Raises `LogFailure`.

        After a failure nothing is lost: the rows are in the next batch. `durable`: return when it
        outlives a loss of power.
        """
        streams = {self._tags.stream(name): state for name, state in batch.streams.items()}
        self._kept.flush(batch, streams, durable=durable)

    def flushed(self, batch: Batch) -> None:
        """The batch is in the table."""
        self._kept.flushed(batch, live=self._shares.kept)
