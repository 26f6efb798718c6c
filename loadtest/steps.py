"""What each step of a receipt costs by itself, by the very functions that the gateway calls."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from loadtest.evidence import WORKER, keys_in, open_store
from loadtest.outcomes import intent_of
from proxy.model import Outcome, Submission
from proxy.notary.drafts import Batch, Pending
from proxy.notary.frames import Decoder, Kind, encode
from proxy.notary.intents import IntentFile
from proxy.notary.store import Store
from proxy.notary.submissions import pack_submission, unpack_submission
from proxy.receipt import dsse, statement

_BATCH: Final = 256
_EDITION: Final = 8192
"""Receipts between two publications: a second of a busy notary."""

Costs = dict[str, float]
"""Step -> seconds of CPU a receipt."""


class Meter:
    """Adds up CPU time by step."""

    def __init__(self, count: int) -> None:
        self.costs: Costs = {}
        self._count = count

    def run(self, step: str, function: Callable[[], object]) -> None:
        before = time.process_time()
        function()
        spent = (time.process_time() - before) / self._count
        self.costs[step] = self.costs.get(step, 0.0) + spent


def worker_steps(folder: Path, found: list[Outcome]) -> Costs:
    """One worker's share, without the channel."""
    meter = Meter(len(found))
    intents = IntentFile.open(folder / "intents" / WORKER, sync=False)

    def intend() -> None:
        for each in found:
            intents.write(intent_of(each))
            intents.clear(each.attempt_id)

    meter.run("intent: slot written, slot cleared", intend)
    intents.close()
    meter.run("details of the outcome as JSON", lambda: [*map(statement.submission, found)])
    return meter.costs


def channel_steps(found: list[Outcome]) -> Costs:
    """What packing costs the worker, and unpacking the notary."""
    meter = Meter(len(found))
    submissions = [statement.submission(each) for each in found]
    frames: list[bytes] = []

    def pack() -> None:
        for number, each in enumerate(submissions):
            frames.append(encode(Kind.CONCLUDE, number, pack_submission(each)))

    def unpack() -> None:
        for body in _bodies(frames):
            unpack_submission(body)

    meter.run("statement packed by the worker", pack)
    meter.run("statement unpacked by the notary", unpack)
    return meter.costs


def _bodies(frames: Iterable[bytes]) -> Iterable[bytes]:
    decoder, data = Decoder(), b"".join(frames)
    for at in range(0, len(data), 65_536):
        for _, _, body in decoder.feed(data[at : at + 65_536]):
            yield body


def notary_steps(folder: Path, pki: Path, found: list[Outcome]) -> Costs:
    """The notary's share, without the channel."""
    meter = Meter(len(found))
    submissions = [statement.submission(each) for each in found]
    _statements(meter, submissions, pki)
    store = open_store(folder, pki)
    try:
        _commits(meter, store, submissions)
    finally:
        store.release()
    drafted = meter.costs.pop("drafted")
    signed, built = meter.costs["Ed25519 signature"], meter.costs["statement built"]
    meter.costs["base64, digest, place in the stream"] = drafted - signed - built
    return meter.costs


def _statements(meter: Meter, submissions: list[Submission], pki: Path) -> None:
    place = statement.Place(1, statement.stream_of(submissions[0].sender, "orders"), 42, bytes(32))
    built: list[bytes] = []

    def build() -> None:
        for each in submissions:
            at = each.received_at
            built.append(statement.build(each, place, origin="o" * 30, completed=at))

    key = keys_in(pki).receipt
    meter.run("statement built", build)
    encoded = [dsse.pae(dsse.PAYLOAD_TYPE, each) for each in built]
    meter.run("Ed25519 signature", lambda: [*map(key.sign, encoded)])


def _commits(meter: Meter, store: Store, submissions: list[Submission]) -> None:
    queue = [Pending(each, patient=True) for each in submissions]
    for start in range(0, len(queue), _BATCH):
        _commit(meter, store, queue[start : start + _BATCH])
        if start % _EDITION == 0:
            _publish(meter, store)
    _publish(meter, store)


def _commit(meter: Meter, store: Store, items: list[Pending]) -> None:
    for pending in items:
        item = pending.item
        if isinstance(item, Submission) and item.claim is not None:
            store.ids.reserve(item.claim, item.attempt_id, time.time(), holder=WORKER)
    batch: Batch = store.begin()
    meter.run("drafted", lambda: store.draft(batch, items))
    meter.run("journal: memo of the id, append", lambda: store.append(batch))
    meter.run("journal: fdatasync", store.journal.sync)
    meter.run("tree, book and ids settled", lambda: store.settle(batch))


def _publish(meter: Meter, store: Store) -> None:
    def publish() -> None:
        found = store.unpublished()
        if found is not None:
            store.published(store.publish(*found), found[1])

    meter.run("published: tiles, checkpoint, ids, index", publish)
