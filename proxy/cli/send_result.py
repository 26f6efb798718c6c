"""What is known of one transfer of `lockgate send`: while it is under way, and at its end."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from proxy.cli.send_exchange import Answer
from proxy.cli.send_place import Payload
from proxy.cli.send_plan import Item
from proxy.client.evidence import Evidence
from proxy.model import Verdict

_HINTS = {
    "cut-off": "the file could not be read to its end",
    "overloaded": "no connection is free",
    "upstream-unreachable": "the server cannot be reached",
    "upstream-identity": "the server is not who it should be; nothing was sent",
    "upstream-closed": "the server closed the connection before it had answered",
    "upstream-timeout": "the server did not answer in time; the transfer may have arrived",
    "upstream-malformed": "the server did not answer in well-formed HTTP/1.1",
}


_NEXT = {
    "upstream-timeout": "call again: the same id goes with the same file",
    "upstream-closed": "call again: the same id goes with the same file",
}
_NEW = "; --new sends it under a new id"


@dataclass(slots=True)
class Result:
    """What is known of one transfer. `delivered` is what the exit code says."""

    item: Item
    has_key: bool
    transfer_id: str = ""
    content: Payload | None = None
    attempts: int = 0
    """Begun so far."""
    sent: int = 0
    """Octets of the last one that have gone."""
    answer: Answer | None = None
    evidence: Evidence | None = None
    doubt: str | None = None
    """Why there is no receipt, or why it does not hold."""
    failure: BaseException | None = None
    receipt_expected: bool = True
    further: int = 0
    """Receipts of gateways further on that came along."""
    saved: Path | None = None
    headers: Path | None = None
    """The receipts of all gateways, where there were several and they were kept."""
    unsaved: str | None = None
    """Why a receipt that holds could not be kept."""
    kept: Path | None = None
    """The receipt of an earlier call, which says that this was delivered: nothing was sent."""
    unready: str | None = None
    """Why it was not even tried."""
    ended: bool = False
    """False: it was broken off, or its turn never came."""
    settled: bool = False
    """It was delivered, and nothing more is remembered of it."""
    seconds: float = 0.0

    def settle(self) -> None:
        """Remember of one that was delivered that it was, and no more: there may be a million."""
        self.settled = self.delivered
        if self.settled:
            self.answer = self.evidence = None

    def begin(self) -> None:
        """Forget the attempt before: another one begins."""
        self.attempts += 1
        self.answer = self.evidence = self.doubt = self.failure = None
        self.saved = self.headers = self.unsaved = None
        self.further = self.sent = 0

    @property
    def accepted(self) -> bool:
        """The answer says 2xx or 3xx."""
        return self.answer is not None and self.answer.status < 400

    @property
    def delivered(self) -> bool:
        """Accepted, and the receipt (unless none is wanted) holds and was kept."""
        proven = self.evidence is not None and self.unsaved is None
        return (
            self.settled
            or self.kept is not None
            or (self.ended and self.accepted and (proven or not self.receipt_expected))
        )

    @property
    def before(self) -> bool:
        """It had been delivered before this call."""
        return self.kept is not None or (self.evidence is not None and self.evidence.duplicate)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457) of an answer that refuses; empty when there is none."""
        if self.answer is None or self.answer.status < 400:
            return {}
        try:
            found = orjson.loads(self.answer.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) and "title" in found else {}

    @property
    def problem_code(self) -> str:
        """CODE of `urn:lockgate:problem:CODE`; empty when no problem was told."""
        return str(self.problem.get("type", "")).removeprefix("urn:lockgate:problem:")

    @property
    def headline(self) -> str:
        """How it ended, in a few words."""
        return self.outcome if self.ended else _broken_off(self)

    @property
    def outcome(self) -> str:
        """How its last attempt ended."""
        if self.unready is not None:
            return f"not tried: {self.unready}"
        if self.kept is not None:
            return "delivered before, and not again: its receipt is here"
        if self.failure is not None:
            return f"not delivered: {_hint(self.failure)}"
        return _judged(self, self.answer) if self.answer else "not delivered"

    @property
    def next(self) -> str | None:
        """What its sender can do now, when something is to be done."""
        code = self.problem_code
        if code:
            detail = str(self.problem.get("detail", "")) or None
            return detail + _NEW if detail and code == "undecided" else detail
        if not self.ended and self.attempts:
            return _NEXT["upstream-closed"]
        return _NEXT.get(getattr(self.failure, "code", ""))


def _broken_off(result: Result) -> str:
    if not result.attempts or result.content is None:
        return "not tried"
    whole = result.sent >= result.content.size
    return "broken off; it may have arrived" if whole else "broken off before all of it was sent"


def _judged(result: Result, answer: Answer) -> str:
    status = f"{answer.status} {_phrase(answer.status)}".strip()
    verdict = result.evidence.verdict if result.evidence is not None else None
    if result.delivered:
        return f"{'delivered before, and not again' if result.before else 'delivered'}: {status}"
    if result.accepted and result.unsaved is not None:
        return f"delivered, but the receipt could not be saved: {status}"
    if result.accepted:
        return f"delivered, but without proof: {status}"
    if verdict == Verdict.DELIVERED:
        return f"delivered, but its answer was withheld: {status}"
    return f"{verdict or 'refused'}: {status}"


def _hint(failure: BaseException) -> str:
    if "refused_by_peer" in str(failure):
        return "the server refused us in the handshake"
    return _HINTS.get(getattr(failure, "code", ""), "the connection failed")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def printable(text: str) -> str:
    """Text of the other side without what a terminal would act on."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)[:2000]
