"""Evidence in memory: what a journey asks of the log and its table of ids, and what it was told."""

import base64
from collections.abc import Mapping

import orjson

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Earlier, Intent, Outcome, Receipt, Trouble, Verdict
from proxy.notary.attempts import AttemptIds
from proxy.receipt import reading, statement
from proxy.receipt.agreement import require_consistent
from proxy.receipt.statement import Place

Key = tuple[str, str, str]


class Table:
    """Stands in for the notary. Remembers for ever, signs nothing."""

    trouble: Trouble | None = None

    def __init__(self) -> None:
        self.attempt_id = AttemptIds("")
        self.asked: list[Claim] = []
        self.intents: list[Intent] = []
        self.outcomes: list[Outcome] = []
        self.held: dict[Key, bytes] = {}
        self.nonces: dict[bytes, bytes] = {}
        self.delivered: dict[Key, Outcome] = {}
        self.undecided: set[Key] = set()
        self.padding = ""
        """Makes envelopes longer."""
        self.fault: LogFailure | None = None
        self.counts: dict[str, int] = {}

    async def reserve(self, claim: Claim, attempt_id: bytes) -> Earlier | None:
        self.asked.append(claim)
        key = _key(claim)
        if claim.nonce in self.nonces:
            raise Refusal("signature-replayed", "the nonce has been used")
        if key in self.delivered:
            outcome = self.delivered[key]
            index = self.outcomes.index(outcome)
            status = outcome.status or outcome.answer_status
            assert status is not None
            self._use(claim, attempt_id)
            return Earlier(status, index, self._envelope(outcome))
        if key in self.held:
            raise Refusal("in-flight", "another attempt has it", retry_after=1)
        if key in self.undecided and not claim.forward_undecided:
            raise Refusal("undecided", "nobody knows")
        self.held[key] = attempt_id
        self._use(claim, attempt_id)
        return None

    def _use(self, claim: Claim, attempt_id: bytes) -> None:
        if claim.nonce is not None:
            self.nonces[claim.nonce] = attempt_id

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        return self.delivered[_key(claim)].content_sha256 == content_sha256

    async def intend(self, intent: Intent) -> None:
        self.intents.append(intent)

    async def conclude(self, outcome: Outcome) -> Receipt:
        if self.fault is not None:
            raise self.fault
        _require_honest(outcome)
        self.outcomes.append(outcome)
        if outcome.claim is not None and outcome.claim.nonce is not None:
            assert self.nonces[outcome.claim.nonce] == outcome.attempt_id, "somebody else's nonce"
        if outcome.claim is not None and outcome.duplicate_of is None:
            key = _key(outcome.claim)
            assert self.held.pop(key) == outcome.attempt_id, "a claim that somebody else holds"
            self.undecided.discard(key)
            if outcome.verdict is Verdict.DELIVERED:
                self.delivered[key] = outcome
            elif outcome.verdict is Verdict.INDETERMINATE:
                self.undecided.add(key)
        return Receipt(len(self.outcomes) - 1, self._envelope(outcome))

    async def entry(self, index: int) -> bytes | None:
        return self._envelope(self.outcomes[index]) if index < len(self.outcomes) else None

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        found = [each for each in self.outcomes if each.transfer_id == transfer_id]
        return self._envelope(found[-1]) if found else None

    def shed(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def _envelope(self, outcome: Outcome) -> bytes:
        predicate = {
            "transferId": outcome.transfer_id,
            "attemptId": outcome.attempt_id.hex(),
            "kind": outcome.verdict,
            "answer": {"status": outcome.answer_status},
            "sender": {"name": outcome.sender.name},
            "padding": self.padding,
        }
        payload = base64.b64encode(orjson.dumps({"predicate": predicate})).decode()
        return orjson.dumps({"payload": payload})


def _require_honest(outcome: Outcome) -> None:
    """What the receipt would say agrees with itself, however the transfer ended."""
    place, now = Place(1, "sender/route", 1, None), outcome.received_at
    said = statement.build(statement.submission(outcome), place, origin="here", completed=now)
    require_consistent(reading.parse(said))


def _key(claim: Claim) -> Key:
    return claim.sender, claim.route, claim.transfer_id
