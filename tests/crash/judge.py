"""What must hold after any crash, checked from outside: from the records of both ends, the files of
the log, and the program's own `receipts audit`.

1. An attempt has one statement at most, and exactly one if the receiver saw anything of it.
2. What was acknowledged is in the log, octet for octet and where the answer said; if it was a
   delivery, it says `delivered`, with the digest of what the receiver got.
3. No verdict is wrong: `delivered` means that the receiver has it, `failed` and `rejected` that it
   was never given the whole of it and content with that.
4. An id that must not be sent again is not: one delivery, and on a route that refuses the undecided
   one taking in all; where it is forwarded, one more for each attempt that ended undecided.
5. The log extends every checkpoint that was ever published, and its time never goes back.

Statement and try are matched by time: the tries of one transfer follow each other, so the time at
which the gateway received its attempt is within exactly one of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.notary import keys
from proxy.notary.folder import Folder, audit_folder
from proxy.receipt.marks import Kept
from tests.crash import log
from tests.crash.log import Said
from tests.crash.records import Arrival, Sent, Try
from tests.crash.site import Site
from tests.scenarios.gateway import lockgate


class Judgement:
    """Every complaint there is, and enough numbers to see that there was something to judge."""

    def __init__(self, site: Site) -> None:
        self.leaves = log.entries(site.store)
        self.said = log.statements(self.leaves)
        self.kinds = Counter(each.kind for each in self.said)
        self.acknowledged = site.ledger.acknowledged
        self._arrived = site.ledger.arrived
        by_transfer: dict[str, list[Said]] = defaultdict(list)
        for said in self.said:
            by_transfer[said.transfer_id].append(said)
        self.complaints = [
            *self._unique(),
            *self._ordered(),
            *self._extends(site.checkpoints.kept),
            *(
                complaint
                for sent in site.ledger.sent
                for complaint in self._transfer(sent, by_transfer.pop(sent.id, []))
            ),
            *(
                f"a statement about {stray}, which nobody sent, says that it crossed"
                for stray, said in by_transfer.items()
                if any(each.crossed for each in said)
            ),
        ]

    def _unique(self) -> Iterator[str]:
        counted = Counter(each.attempt_id for each in self.said)
        yield from (f"{n} statements about attempt {key}" for key, n in counted.items() if n > 1)

    def _ordered(self) -> Iterator[str]:
        for before, after in zip(self.said, self.said[1:], strict=False):
            if after.completed < before.completed:
                yield f"entry {after.index} was completed before entry {before.index}"

    def _extends(self, checkpoints: list[bytes]) -> Iterator[str]:
        roots = list(log.roots(self.leaves))
        for each in map(log.tip, checkpoints):
            if each.size >= len(roots) or roots[each.size] != each.root:
                yield f"the log does not extend its own checkpoint of size {each.size}"

    # --- one transfer ---

    def _transfer(self, sent: Sent, said: list[Said]) -> Iterator[str]:
        effects = 0
        for tried in sent.tries:
            mine = [each for each in said if _within(each, tried)]
            arrived = self._arrived.get(tried.name, [])
            effects += sum(map(_taken, arrived))
            for complaint in self._try(tried, mine, arrived):
                yield f"{sent.route} {tried.name} ({tried.status} {tried.problem}): {complaint}"
        strays = [each for each in said if not any(_within(each, tried) for tried in sent.tries)]
        if strays:
            yield f"{sent.id}: statements at times at which nothing was sent: {strays}"
        kinds = Counter(each.kind for each in said)
        if kinds["delivered"] > 1:
            yield f"{sent.id}: delivered {kinds['delivered']} times"
        allowed = 1 + (kinds["indeterminate"] if sent.route == "again" else 0)
        if effects > allowed:
            yield f"{sent.route} {sent.id}: the receiver took it {effects} times: {said}"

    def _try(self, tried: Try, said: list[Said], arrived: list[Arrival]) -> Iterator[str]:
        if len(said) > 1:
            yield f"{len(said)} statements"
        if len(arrived) > 1:
            yield f"forwarded {len(arrived)} times"
        if arrived and not said:
            yield "the receiver saw it, and it has no verdict"
        if tried.receipt is not None:
            yield from self._acknowledged(tried, said)
        elif tried.status is not None and tried.status < 300:
            yield "acknowledged without a receipt"
        for each in said:
            yield from _verdict(each, arrived)

    def _acknowledged(self, tried: Try, said: list[Said]) -> Iterator[str]:
        assert tried.index is not None
        if tried.index >= len(self.leaves) or self.leaves[tried.index] != tried.receipt:
            yield f"its receipt, entry {tried.index}, is not in the log"
            return
        (found,) = [each for each in self.said if each.index == tried.index]
        if tried.status is not None and tried.status < 300 and found.kind != "delivered":
            yield f"acknowledged, and the log says {found.kind}"
        if not tried.duplicate and found not in said:
            yield "its receipt is about another attempt"


def _verdict(said: Said, arrived: list[Arrival]) -> Iterator[str]:
    """Complaints about one statement, held against what arrived of that attempt."""
    taken = [each for each in arrived if _taken(each)]
    if said.kind == "delivered":
        if not taken:
            yield "delivered, and the receiver has not taken it"
        elif taken[0].sha256 != said.delivered:
            yield "delivered, with another digest than what was received"
    elif said.kind in ("failed", "rejected") and taken:
        yield f"{said.kind}, and the receiver has taken it"
    if arrived and not said.crossed and said.kind == "rejected":
        yield "rejected before anything was forwarded, and the receiver saw it"


def _taken(arrival: Arrival) -> bool:
    return arrival.sha256 is not None and arrival.status == 200


def _within(said: Said, tried: Try) -> bool:
    return tried.ended is not None and tried.began <= said.received <= tried.ended


def require_audited(site: Site) -> None:
    """The log audits by public keys alone, held to the oldest checkpoint that was kept."""
    vkeys = keys.vkeys(*_log_keys(site))
    public = load_pem_public_key((site.pki / "receipts.pub").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    kept = Kept("kept", site.checkpoints.kept[0])
    audit_folder(Folder(site.store), vkeys=vkeys, keys=[public], kept=kept)


def _log_keys(site: Site) -> tuple[str, bytes, bytes]:
    origin: str = site.gateway.config["receipts"]["origin"]
    return origin, (site.pki / "log.key").read_bytes(), (site.pki / "log-pq.key").read_bytes()


def require_audit_command(site: Site) -> None:
    """`lockgate receipts audit` says so too."""
    vkeys = [str(vkey) for vkey in keys.vkeys(*_log_keys(site))]
    trusted = [word for vkey in vkeys for word in ("--vkey", vkey)]
    kept = site.store.parent / "kept"
    kept.write_bytes(site.checkpoints.kept[0])
    done = lockgate(
        "receipts", "audit", site.store, *trusted,
        "--key", site.pki / "receipts.pub", "--checkpoint", kept, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
