"""How `lockgate send` tells what happened, to people and to programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from proxy.cli.send_exchange import Answer
from proxy.cli.send_place import Payload
from proxy.cli.send_receipt import Evidence
from proxy.model import Verdict

_RATE_FROM = 2**20
"""Octets from which a rate says something."""

_HINTS = {
    "cut-off": "the file could not be read to its end",
    "overloaded": "no connection is free",
    "upstream-unreachable": "the server cannot be reached",
    "upstream-identity": "the server is not who it should be; nothing was sent",
    "upstream-closed": "the server closed the connection before it had answered",
    "upstream-timeout": "the server did not answer in time; the transfer may have arrived",
    "upstream-malformed": "the server did not answer in well-formed HTTP/1.1",
}


@dataclass(slots=True)
class Result:
    """What is known of one transfer. `delivered` is what the exit code says."""

    transfer_id: str
    content: Payload
    has_key: bool
    answer: Answer | None = None
    evidence: Evidence | None = None
    doubt: str | None = None
    """Why there is no receipt, or why it does not hold."""
    failure: BaseException | None = None
    receipt_expected: bool = True
    further: int = 0
    """Receipts of gateways further on that came along."""
    saved: Path | None = None
    unsaved: str | None = None
    """Why a receipt that holds could not be kept."""
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        """The answer says 2xx or 3xx."""
        return self.answer is not None and self.answer.status < 400

    @property
    def delivered(self) -> bool:
        """Accepted, and the receipt (unless none is wanted) holds and was kept."""
        proven = self.evidence is not None and self.unsaved is None
        return self.accepted and (proven or not self.receipt_expected)


def tell(result: Result, *, as_json: bool) -> None:
    """Say how it ended, on standard output."""
    if as_json:
        print(orjson.dumps(_as_json(result)).decode())
        return
    colour = "green" if result.delivered else "red"
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(_headline(result), style=f"bold {colour}"))
    for name, text in _facts(result):
        console.print(Text(f"  {name:<10}{text}"))


def _headline(result: Result) -> str:
    if result.failure is not None:
        return f"not delivered: {_hint(result.failure)}"
    answer = result.answer
    if answer is None:
        return "not delivered"
    status = f"{answer.status} {_phrase(answer.status)}".strip()
    if result.delivered:
        return f"{_when(result)}: {status}"
    if result.accepted and result.unsaved is not None:
        return f"delivered, but the receipt could not be saved: {status}"
    if result.accepted:
        return f"delivered, but without proof: {status}"
    if result.evidence is not None and result.evidence.verdict == Verdict.DELIVERED:
        return f"delivered, but its answer was withheld: {status}"
    if result.evidence is not None:
        return f"{result.evidence.verdict}: {status}"
    return f"refused: {status}"


def _when(result: Result) -> str:
    again = result.evidence is not None and result.evidence.duplicate
    return "delivered before, and not again" if again else "delivered"


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    if result.failure is not None:
        yield "reason", printable(getattr(result.failure, "reason", str(result.failure)))
    problem = _problem(result)
    if problem:
        yield "reason", printable(f"{problem.get('title')} ({_code(problem)})")
    yield "transfer", result.transfer_id
    size, rate = result.content.size, result.content.size / max(result.seconds, 1e-3)
    yield (
        "file",
        f"{result.content.path}, {decimal(size)} in {result.seconds:.2f} s"
        + (f", {decimal(int(rate))}/s" if size >= _RATE_FROM else ""),
    )
    evidence = result.evidence
    if evidence is not None:
        yield from _content(evidence.statement["predicate"].get("content") or {})
        yield "receipt", _receipt(result, evidence)
    elif result.doubt is not None:
        yield "receipt", printable(result.doubt)
    if result.saved is not None:
        yield "saved", str(result.saved)
    if result.unsaved is not None:
        yield "not saved", printable(result.unsaved)


def _content(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, key in (("masked", "masked"), ("found", "findings")):
        counts = content.get(key) or {}
        if counts:
            yield name, printable(", ".join(f"{path} × {n}" for path, n in counts.items()))
    if content.get("opaque"):
        yield "masked", "nothing: the bytes were forwarded unseen"


def _receipt(result: Result, evidence: Evidence) -> str:
    signed = f"verified, signed by {evidence.signer}"
    parts = [signed if evidence.signer else "not verified: no key given (--receipts-key)"]
    if evidence.proven:
        parts.append("it is about exactly this file")
    elif evidence.duplicate:
        parts.append("what was received is known by the key that came with the first answer")
    else:
        parts.append("the file was not read to its end")
    if result.further:
        parts.append(f"{result.further} more by gateways further on")
    return "; ".join(parts)


def _as_json(result: Result) -> dict[str, Any]:
    answer, evidence = result.answer, result.evidence
    problem = _problem(result)
    failure = result.failure
    return {
        "delivered": result.delivered,
        "transfer_id": result.transfer_id,
        "status": answer.status if answer else None,
        "early": answer.early if answer else None,
        "duplicate": evidence.duplicate if evidence else None,
        "verdict": evidence.verdict if evidence else None,
        "problem": _code(problem) if problem else None,
        "failure": {"code": getattr(failure, "code", "other"), "reason": str(failure)}
        if failure
        else None,
        "bytes": result.content.size,
        "sha256": result.content.sha256.hex(),
        "seconds": round(result.seconds, 6),
        "receipt": {
            "verified": evidence.signer is not None if result.has_key else None,
            "signer": evidence.signer,
            "content_proven": evidence.proven,
            "saved": str(result.saved) if result.saved else None,
            "statement": evidence.statement,
        }
        if evidence
        else None,
        "doubt": result.doubt or result.unsaved,
        "answer": answer.body.decode("utf-8", "replace") if answer else None,
    }


def _problem(result: Result) -> dict[str, Any]:
    """The problem document (RFC 9457) of an answer that refuses; empty when there is none."""
    answer = result.answer
    if answer is None or answer.status < 400:
        return {}
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and "title" in found else {}


def _code(problem: dict[str, Any]) -> str:
    return str(problem.get("type", "")).removeprefix("urn:lockgate:problem:")


def _hint(failure: BaseException) -> str:
    if "refused_by_peer" in str(failure):
        return "the server refused us in the handshake"
    return _HINTS.get(getattr(failure, "code", ""), "the connection failed")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def printable(text: str) -> str:
    """Text of the other side without what a terminal would act on."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)[:2000]
