"""What a transfer must leave behind, checked with somebody else's verifier."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from prometheus_client.parser import text_string_to_metric_families
from securesystemslib.dsse import Envelope
from securesystemslib.signer._key import SSlibKey

from proxy.errors import ADVICE, PROBLEMS
from proxy.receipt.agreement import require_consistent
from proxy.receipt.statement import PREDICATE_TYPE
from tests.scenarios.gateway import Gateway, Line, lockgate, wait_until
from tests.scenarios.message import Message
from tests.scenarios.receiver import Receiver

Predicate = dict[str, Any]


def statement(envelope: bytes, pki: Path) -> dict[str, Any]:
    """What a receipt says, after securesystemslib has verified it by the public key alone."""
    parsed = json.loads(envelope)
    public = load_pem_public_key((pki / "receipts.pub").read_bytes())
    key = SSlibKey.from_crypto(public, keyid=parsed["signatures"][0]["keyid"])
    dsse = Envelope.from_dict(parsed)
    dsse.verify([key], 1)
    said: dict[str, Any] = json.loads(dsse.payload)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    require_consistent(said)
    return said


def keyed(key: bytes, data: bytes) -> str:
    return hmac.digest(key, data, "sha256").hex()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def receipt_of(gateway: Gateway, answer: Message) -> Predicate:
    """The predicate of the receipt that came with an answer, verified."""
    predicate: Predicate = statement(answer.receipt()[0], gateway.pki)["predicate"]
    assert predicate["transferId"] == answer.value("transfer-id")
    return predicate


def receipts(gateway: Gateway) -> list[Predicate]:
    """Every receipt in the log, oldest first; events of the gateway itself are not among them."""
    return [
        each["predicate"] for each in _listed(gateway) if each["predicateType"] == PREDICATE_TYPE
    ]


def events(gateway: Gateway, kind: str) -> list[Predicate]:
    """Every event of this kind in the log, oldest first."""
    return [each["predicate"] for each in _listed(gateway, "--event", kind)]


def _listed(gateway: Gateway, *which: str) -> list[dict[str, Any]]:
    done = lockgate("receipts", "list", store_of(gateway), *which, "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line)["statement"] for line in done.stdout.splitlines()]
    for said in found:
        require_consistent(said)
    return found


def store_of(gateway: Gateway) -> Path:
    """Folder of the gateway's log."""
    return gateway.folder / str(gateway.config["receipts"]["store"])


def audit(gateway: Gateway) -> str:
    """`lockgate receipts audit` of the gateway's log, which must hold."""
    vkeys = lockgate("receipts", "vkey", gateway.path).stdout.split("\n")
    trusted = [word for vkey in vkeys if vkey.strip() for word in ("--vkey", vkey)]
    store, key = store_of(gateway), gateway.pki / "receipts.pub"
    done = lockgate("receipts", "audit", store, *trusted, "--key", key, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Watch:
    """Looks before and after one transfer that must not cross."""

    def __init__(self, gateway: Gateway, receiver: Receiver) -> None:
        self.gateway = gateway
        self.receiver = receiver
        self.again()

    def again(self) -> None:
        """Look now: what follows is new."""
        self.octets = self.receiver.octets
        self.counted = self._counts()
        lines = round(sum(self.counted.values()))
        self.gateway.wait_for_count("transfer", lines, self.gateway.first)
        self.since = self.gateway.mark()

    def _counts(self) -> dict[tuple[str, str], float]:
        """(verdict, problem) -> how many transfers, over all routes."""
        counts: dict[tuple[str, str], float] = {}
        for family in text_string_to_metric_families(self.gateway.scrape()):
            for sample in family.samples:
                if sample.name == "lockgate_transfers_total":
                    key = (sample.labels["verdict"], sample.labels["problem"])
                    counts[key] = counts.get(key, 0) + sample.value
        return counts

    def counted_one(self, verdict: str, problem: str) -> None:
        """The metric went up by one, for this verdict and problem and for no other."""
        grown: dict[tuple[str, str], float] = {}

        def counted() -> bool:
            counts = self._counts()
            more = {key: counts[key] - self.counted.get(key, 0) for key in counts}
            grown.update({key: n for key, n in more.items() if n})
            return bool(grown)

        wait_until(counted)  # a process that is slow to answer is shown as it was
        assert grown == {(verdict, problem): 1}

    def logged_one(self, transfer_id: str | None = None) -> Line:
        """The one line of the one transfer since."""
        self.gateway.wait_for("transfer", self.since)
        (line,) = self.gateway.logged("transfer", self.since)
        assert transfer_id in (None, line["transfer_id"])
        return line

    def refused(
        self, answer: Message, code: str, verdict: str = "rejected", *, reached: bool = False
    ) -> Predicate:
        """Every trace of a refusal: answer, receipt, log line, metric; nothing at the upstream."""
        status, title = PROBLEMS[code]
        transfer_id = answer.value("transfer-id")
        assert answer.status == status
        assert answer.value("content-type") == "application/problem+json"
        assert json.loads(answer.body) == {
            "type": f"urn:lockgate:problem:{code}",
            "title": title,
            "status": status,
            "detail": ADVICE[code],
            "instance": f"urn:uuid:{transfer_id}",
        }
        predicate = receipt_of(self.gateway, answer)
        assert (predicate["kind"], predicate["disposition"]["problem"]) == (verdict, code)
        assert predicate["disposition"]["status"] == status
        line = self.logged_one(transfer_id)
        assert (line["verdict"], line["problem"], line["status"]) == (verdict, code, status)
        assert line["reason"]
        self.counted_one(verdict, code)
        if not reached:
            assert self.receiver.octets == self.octets
            assert predicate["content"]["delivered"] is None
            assert predicate["answer"] is None
        return predicate

    def cut_short(self, verdict: str, problem: str | None) -> Line:
        """A transfer whose sender could not be told: one line, one count."""
        line = self.logged_one()
        assert (line["verdict"], line.get("problem")) == (verdict, problem)
        self.counted_one(verdict, problem or "")
        return line
