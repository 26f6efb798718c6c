"""How `lockgate send` tells what happened, to people and to programs."""

from collections.abc import Iterator
from typing import Any

import orjson
from rich.filesize import decimal
from rich.text import Text

from proxy.cli.send_place import Payload
from proxy.cli.send_result import Result, printable
from proxy.cli.terminal import console
from proxy.client.evidence import Evidence

_RATE_FROM = 2**20
"""Octets from which a rate says something."""


def tell(result: Result) -> None:
    """Say how one transfer ended, on standard output."""
    screen = console()
    colour = "green" if result.delivered else "red"
    screen.print(Text(printable(result.headline), style=f"bold {colour}"))
    for name, text in _facts(result):
        screen.print(Text(f"  {name:<10}{text}"))


def tell_programs(result: Result) -> None:
    """The same as one line of JSON."""
    print(orjson.dumps(_as_json(result)).decode(), flush=True)


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    if result.failure is not None:
        yield "reason", printable(getattr(result.failure, "reason", str(result.failure)))
    if result.problem:
        yield "reason", printable(f"{result.problem.get('title')} ({result.problem_code})")
    if result.next is not None:
        yield "next", printable(result.next)
    if result.transfer_id:
        yield "transfer", result.transfer_id
    if result.content is not None:
        yield "file", printable(_file(result, result.content))
    if result.attempts > 1:
        yield "attempts", str(result.attempts)
    yield from _kept(result)


def _kept(result: Result) -> Iterator[tuple[str, str]]:
    """What there is to say of its receipt."""
    evidence = result.evidence
    if result.kept is not None:
        yield "receipt", printable(f"{result.kept}; --new sends the file again")
    elif evidence is not None:
        yield from _content(evidence.statement["predicate"].get("content") or {})
        yield "receipt", _receipt(result, evidence)
    elif result.doubt is not None:
        yield "receipt", printable(result.doubt)
    if result.saved is not None:
        yield "saved", str(result.saved)
    if result.headers is not None:
        yield "all", f"{result.headers}: for lockgate receipts verify --chain"
    if result.unsaved is not None:
        yield "not saved", printable(result.unsaved)


def _file(result: Result, content: Payload) -> str:
    size, rate = content.size, content.size / max(result.seconds, 1e-3)
    if not result.ended or result.kept is not None:
        return f"{result.item.name}, {decimal(size)}"
    took = f"{result.item.name}, {decimal(size)} in {result.seconds:.2f} s"
    return took + (f", {decimal(int(rate))}/s" if size >= _RATE_FROM else "")


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
        parts.append(f"{result.further} more by gateways further on, not verified")
    return "; ".join(parts)


def _as_json(result: Result) -> dict[str, Any]:
    answer, content, failure = result.answer, result.content, result.failure
    return {
        "file": result.item.name,
        "delivered": result.delivered,
        "outcome": result.headline,
        "next": result.next,
        "transfer_id": result.transfer_id or None,
        "attempts": result.attempts,
        "status": answer.status if answer else None,
        "early": answer.early if answer else None,
        "duplicate": result.before if answer or result.kept else None,
        "verdict": result.evidence.verdict if result.evidence else None,
        "problem": result.problem_code or None,
        "failure": {"code": getattr(failure, "code", "other"), "reason": str(failure)}
        if failure
        else None,
        "bytes": content.size if content else None,
        "sha256": content.sha256.hex() if content else None,
        "seconds": round(result.seconds, 6),
        "receipt": _receipt_as_json(result),
        "doubt": result.doubt or result.unsaved,
        "answer": answer.body.decode("utf-8", "replace") if answer else None,
    }


def _receipt_as_json(result: Result) -> dict[str, Any] | None:
    evidence = result.evidence
    if evidence is None:
        return {"saved": str(result.kept)} if result.kept else None
    return {
        "verified": evidence.signer is not None if result.has_key else None,
        "signer": evidence.signer,
        "content_proven": evidence.proven,
        "saved": str(result.saved) if result.saved else None,
        "headers": str(result.headers) if result.headers else None,
        "statement": evidence.statement,
    }
