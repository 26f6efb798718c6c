"""One file of `lockgate send`, from its digest to its receipt: as many attempts as are worth it."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.cli.send_exchange import Answer, fetch, upload
from proxy.cli.send_keep import Keeping, headers_path
from proxy.cli.send_place import Payload, Place, UsageError, payload
from proxy.cli.send_plan import Item
from proxy.cli.send_progress import Meter
from proxy.cli.send_result import Result
from proxy.cli.send_retry import pause
from proxy.cli.send_sign import signature
from proxy.client.evidence import Sent, link, receipts, require_evidence
from proxy.client.ids import transfer_id
from proxy.client.signer import Signer
from proxy.edge.outbound import Pool
from proxy.errors import EvidenceError, Refusal, UpstreamFailure
from proxy.wire.digests import format_sha256

_TYPES = {
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Ways:
    """How every file of a call is sent."""

    place: Place
    method: str
    fields: tuple[tuple[bytes, bytes], ...]
    content_type: str | None
    """None: by the suffix of the file."""
    digest: bool
    signer: Signer | None
    """Signs every attempt anew."""
    id: str | None
    """The one that was asked for."""
    secret: bytes | None
    """That ids are made with; None: each is a new one."""
    receipts: bool
    """They are expected, and kept."""
    receipt_out: Path | None
    public_key: Ed25519PublicKey | None
    spki_sha256: str | None
    """Of the certificate that is shown, in hexadecimal."""
    retries: int
    """Attempts after the first, for each file."""

    @property
    def known_again(self) -> bool:
        """The id of a file is the same at the next call, and says what its content is."""
        return self.id is None and self.secret is not None


class Sender:
    """Sends one file at a time; many may be at work over the same connections."""

    def __init__(self, ways: Ways, pool: Pool, meter: Meter) -> None:
        self._ways, self._pool, self._meter = ways, pool, meter

    async def deliver(self, result: Result) -> None:
        """Send the file of `result`, and write there how that went. Raises nothing."""
        began = time.monotonic()
        try:
            keeping = await trio.to_thread.run_sync(self._ready, result, abandon_on_cancel=True)
        except UsageError as error:
            result.unready = str(error)
        else:
            if result.kept is None:
                await self._attempts(result, keeping)
        result.seconds = time.monotonic() - began
        result.ended = True

    def _ready(self, result: Result) -> Keeping | None:
        """Take the digest, make the id, find a place for the receipt. Raises UsageError."""
        item, ways = result.item, self._ways
        result.content = payload(item.path, follow=item.follow)
        result.transfer_id = self._id(item, result.content)
        if not ways.receipts:
            return None
        item.keep.parent.mkdir(parents=True, exist_ok=True) if item.keep != item.path else None
        keeping = Keeping(item.keep, ways.receipt_out, result.transfer_id)
        if ways.known_again:
            result.kept = keeping.delivered(ways.public_key)
        return keeping

    def _id(self, item: Item, content: Payload) -> str:
        ways = self._ways
        if ways.id is not None or ways.secret is None:
            return ways.id or str(uuid.uuid4())
        where = (ways.method, *ways.place.identity, item.target)
        parts = (*(os.fsencode(text) for text in where), item.identity, content.sha256)
        return transfer_id(ways.secret, *parts)

    async def _attempts(self, result: Result, keeping: Keeping | None) -> None:
        while True:
            result.begin()
            await self._attempt(result, keeping)
            wait = pause(result, datetime.now(UTC))
            if wait is None or result.attempts > self._ways.retries:
                return
            self._meter.say(f"{result.item.name}: {result.outcome}; again in {wait:.1f} s")
            await trio.sleep(wait)

    async def _attempt(self, result: Result, keeping: Keeping | None) -> None:
        ways, content = self._ways, result.content
        assert content is not None  # noqa: S101 (it was read before)
        try:
            answer = await upload(
                self._pool,
                ways.method,
                result.item.target,
                self._fields(result),
                content,
                self._on_sent(result),
                self._on_early(result),
                ways.place.host,
            )
        except (UpstreamFailure, Refusal) as failure:
            result.failure = failure
            return
        result.answer = answer
        if keeping is None:
            result.receipt_expected = False
            return
        try:
            await self._judge(answer, result, content)
        except (EvidenceError, Refusal) as error:
            result.doubt = str(error)
        else:
            await trio.to_thread.run_sync(_keep, keeping, result)

    def _fields(self, result: Result) -> list[tuple[bytes, bytes]]:
        ways, content = self._ways, result.content
        suffix = result.item.path.suffix.lower()
        kind = ways.content_type or _TYPES.get(suffix, "application/octet-stream")
        fields = [*ways.fields, (b"content-type", kind.encode())]
        fields.append((b"transfer-id", result.transfer_id.encode()))
        if ways.digest and content is not None:
            fields.append((b"content-digest", format_sha256(content.sha256)))
        if ways.signer is not None:
            target = result.item.target
            fields += signature(ways.signer, ways.method, ways.place, target, fields)
        return fields

    def _on_sent(self, result: Result) -> Callable[[int], None]:
        tell = self._meter.of(result.item)

        def tick(done: int) -> None:
            result.sent = done
            tell(done)

        return tick

    def _on_early(self, result: Result) -> Callable[[int], None]:
        name = "" if self._meter.single else f"{result.item.name}: "
        return lambda status: self._meter.say(f"{name}answered {status} before everything was sent")

    async def _judge(self, answer: Answer, result: Result, content: Payload) -> None:
        found = receipts(answer)
        if not found:
            where = link(answer)
            fetched = await self._fetch(where) if where is not None else None
            if fetched is None or fetched.status != 200:
                raise EvidenceError("no receipt came with the answer")
            found = (fetched.body,)
        ways = self._ways
        target = result.item.target
        sent = Sent(result.transfer_id, ways.method, target, content, ways.spki_sha256)
        result.further = len(found) - 1
        result.evidence = await trio.to_thread.run_sync(
            partial(require_evidence, found[-1], answer, sent, ways.public_key)
        )

    async def _fetch(self, where: str) -> Answer:
        return await fetch(self._pool, where, host=self._ways.place.host)


def _keep(keeping: Keeping, result: Result) -> None:
    if result.evidence is not None:
        try:
            result.saved = keeping.save(result.evidence)
            beside = headers_path(result.saved)
            result.headers = beside if beside.exists() else None
        except EvidenceError as error:
            result.unsaved = str(error)
