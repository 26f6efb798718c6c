"""What a table of 1,000,000 ids costs: disk, and CPU of a check, unsigned and signed.

    make bench-ids

Fills a table as the notary does, each id delivered, in a signed one each with its nonce, flushed in
batches; then asks of new ids, known ones and used nonces at random. CPU of one call, and the most
octets that the files had; ends with 1 when that is too much.
"""

import argparse
import hashlib
import random  # of a bench: which of them is asked for
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from proxy.errors import Refusal
from proxy.model import Claim, Submission, Verdict
from proxy.notary.ids import Ids

MIB: Final = 1 << 20
NOW: Final = 1_790_000_000.0
WINDOW: Final = 86_400.0
SENDERS: Final = 8
MICROSECONDS: Final = 30.0
MEBIBYTES: Final = 190.7
"""200 MB."""


def main(words: list[str] | None = None) -> int:
    """The table; 1 when a check takes too long or the disk too much."""
    reader = argparse.ArgumentParser(prog="make bench-ids")
    reader.add_argument("--ids", type=int, default=1_000_000)
    reader.add_argument("--checks", type=int, default=20_000, help="of each kind")
    reader.add_argument("--microseconds", type=float, default=MICROSECONDS, help="of a check")
    reader.add_argument("--mebibytes", type=float, default=MEBIBYTES, help="of the files")
    wanted = reader.parse_args(words)
    heads = "".join(f"{name:>11}" for name in ("fill", "new", "known", "used nonce"))
    print(f"{wanted.ids:,} ids{'':10} {'disk':>10}{heads}")
    kept = True
    for signed in (False, True):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            octets, fill, costs = _measure(Path(name), wanted.ids, wanted.checks, signed=signed)
        kept = kept and max(costs) < wanted.microseconds and octets < wanted.mebibytes * MIB
        told = "".join(f"{cost:8.2f} µs" for cost in (fill, *costs))
        print(f"{'with nonces' if signed else 'without nonces':24} {octets / MIB:6.1f} MiB{told}")
    print(f"the limits are {wanted.mebibytes:g} MiB and {wanted.microseconds:g} µs: "
          f"{'kept' if kept else 'exceeded'}")  # fmt: skip
    return int(not kept)


def _measure(
    folder: Path, count: int, checks: int, *, signed: bool
) -> tuple[int, float, list[float]]:
    """Octets of the files; microseconds of an id from reservation to table; of each check."""
    ids = Ids.open(folder, capacity=4 * count)
    began, most = time.process_time(), 0
    for number in range(count):
        _deliver(ids, number, signed=signed)
        if (number + 1) % 1000 == 0:
            most = max(most, _flush(ids, number + 1, folder))
    most = max(most, _flush(ids, count, folder, all_of_it=True))
    fill = (time.process_time() - began) / count * 1e6
    chosen = random.Random(1)  # noqa: S311
    known = [chosen.randrange(count) for _ in range(checks)]

    def claims(numbers: Iterator[int], nonces: int) -> list[Claim]:
        return [_claim(number, nonces + number if signed else None) for number in numbers]

    costs = [
        _cost(ids, claims(iter(range(count, count + checks)), 0)),
        _cost(ids, claims(iter(known), 2 * count)),
    ]
    if signed:
        costs.append(_cost(ids, [_claim(2 * count + each, each) for each in known]))
    ids.close()
    return most, fill, costs


def _deliver(ids: Ids, number: int, *, signed: bool) -> None:
    """One transfer, as far as the table knows of it."""
    claim, attempt_id = _claim(number, number if signed else None), number.to_bytes(16)
    ids.reserve(claim, attempt_id, NOW)
    found = Submission(
        attempt_id=attempt_id,
        transfer_id=claim.transfer_id,
        verdict=Verdict.DELIVERED,
        status=200,
        problem=None,
        sender=claim.sender,
        route=claim.route,
        received_at=datetime.fromtimestamp(NOW, UTC),
        details=b"{}",
        claim=claim,
        content_sha256=attempt_id * 2,
    )
    ids.settle(attempt_id, number, ids.memo(found, NOW), NOW)


def _claim(number: int, nonce: int | None) -> Claim:
    made = uuid.UUID(int=int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:16]))
    used = None if nonce is None else hashlib.sha256(b"nonce %d" % nonce).digest()
    sender = f"spiffe://acme/etl/{number % SENDERS}"
    return Claim(sender, "orders", str(made), WINDOW, nonce=used)


def _flush(ids: Ids, size: int, folder: Path, *, all_of_it: bool = False) -> int:
    """Write what waits, where that is worth it; the octets of the table's files then."""
    batch = ids.batch(size, NOW, all_of_it=all_of_it)
    if batch is None:
        return 0
    ids.flush(batch, durable=all_of_it)
    octets = sum(path.stat().st_size for path in folder.glob("ids.sqlite*"))
    ids.flushed(batch)
    return octets


def _cost(ids: Ids, claims: list[Claim]) -> float:
    """Microseconds of one question; what it reserves is let go before the next."""
    ask: Callable[[Claim, bytes, float], object] = ids.reserve
    spent = 0
    for number, claim in enumerate(claims):
        attempt_id = (1 << 64 | number).to_bytes(16)
        began = time.process_time_ns()
        with suppress(Refusal):
            ask(claim, attempt_id, NOW)
        spent += time.process_time_ns() - began
        ids.release(attempt_id)
    return spent / len(claims) / 1000


if __name__ == "__main__":
    sys.exit(main())
