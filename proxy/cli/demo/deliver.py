"""Sends one file, with `lockgate send` or with curl, and says the same of both."""

import re
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import trio

from proxy.cli.demo.site import NotAsTold, Ran, Site, credentials
from proxy.cli.receipts_files import read_public_key
from proxy.cli.send_exchange import fetch
from proxy.cli.send_place import Identity, Place, connect
from proxy.errors import LockgateError
from proxy.receipt import dsse, header, reading

_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson"}
_DUPLICATE = re.compile(r"^transfer-duplicate: \?1\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transfer ended, from what its sender was told. None: nothing was told."""

    command: tuple[str, ...]
    transfer_id: str
    status: int | None
    problem: str | None
    verdict: str | None
    """From the receipt, whose signature has been verified with the public key alone."""
    statement: dict[str, Any]
    reason: str
    """What the tool says when there is no answer."""
    evidence: str
    """The file that `lockgate receipts verify` takes."""
    duplicate: bool = False
    """The answer is that of an earlier attempt."""


def with_lockgate(
    site: Site,
    path: str,
    file: str,
    party: str | None = "client",
    *headers: str,
    identity: str | None = None,
) -> Outcome:
    """Send `file` to `path` of the gateway as `party`, with `lockgate send`.

    `identity`: of a transfer that is sent again; else it gets one of its own.
    """
    options = [word for each in headers for word in ("--header", each)]
    options += ["--id", identity] if identity else []
    command = (
        "lockgate", "send", f"https://{site.gateway}{path}", file, *credentials(party),
        "--receipts-key", "certs/receipts.pub", *options,
    )  # fmt: skip
    ran = site.run(*command, "--json")
    try:
        told = orjson.loads(ran.out)
    except orjson.JSONDecodeError:
        raise NotAsTold(f"lockgate send failed: {ran.err.strip()[-300:]}") from None
    receipt, failure = told["receipt"] or {}, told["failure"] or {}
    if told["status"] is not None and receipt.get("verified") is not True:
        raise NotAsTold(f"the receipt of {file} does not hold: {told['doubt']}")
    return Outcome(
        command,
        told["transfer_id"],
        told["status"],
        told["problem"],
        told["verdict"],
        receipt.get("statement") or {},
        str(failure.get("reason", "")),
        f"{file}.receipt.json",
        told["duplicate"] is True,
    )


def with_curl(
    site: Site,
    path: str,
    file: str,
    party: str | None = "client",
    *headers: str,
    identity: str | None = None,
) -> Outcome:
    """The same with curl: nothing of ours on the sender's side."""
    transfer_id = identity or str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    kind = _TYPES[Path(file).suffix]
    fields = (f"Content-Type: {kind}", f"Transfer-Id: {transfer_id}", *headers)
    saved = f"{file}.headers"
    command = (
        "curl", "-q", "-sS", "--noproxy", "*", "--cacert", "certs/ca.pem",
        *(() if party is None else ("--cert", f"certs/{party}.pem", "--key", f"certs/{party}.key")),
        *(word for field in fields for word in ("-H", field)),
        "--data-binary", f"@{file}", "-D", saved, f"https://{site.gateway}{path}",
    )  # fmt: skip
    ran = site.run(*command, "--max-time", "60", "-w", "\n%{http_code}")
    return _outcome(site, command, ran, transfer_id, saved)


def _outcome(site: Site, command: tuple[str, ...], ran: Ran, identity: str, saved: str) -> Outcome:
    body, _, status = ran.out.rpartition("\n")
    if status in ("", "000"):
        return Outcome(command, identity, None, None, None, {}, ran.err.strip(), saved)
    try:
        kind = str(orjson.loads(body).get("type", "")) if body else ""
        text = (site.folder / saved).read_text("latin-1")
        envelope = header.from_saved_headers(text)[0][-1]
        key = read_public_key(site.folder / "certs" / "receipts.pub")
        statement = reading.parse(dsse.verify(envelope, key))
    except (LockgateError, orjson.JSONDecodeError, IndexError, OSError) as error:
        raise NotAsTold(f"the receipt in {saved} does not hold: {error}") from None
    prefix = "urn:lockgate:problem:"
    problem = kind.removeprefix(prefix) if kind.startswith(prefix) else None
    verdict = str(statement["predicate"]["kind"])
    duplicate = _DUPLICATE.search(text) is not None
    return Outcome(
        command, identity, int(status), problem, verdict, statement, "", saved, duplicate
    )


def read_back(site: Site, name: str) -> bytes | None:
    """A file as the receiver hands it out, over mTLS; None where it has none of that name."""
    certs = site.folder / "certs"
    identity = Identity(
        certificate=(certs / "client.pem").read_bytes(),
        key=(certs / "client.key").read_bytes(),
        trust=(certs / "ca.pem").read_bytes(),
        server_name="receiver.lockgate.example",
    )

    async def get() -> bytes | None:
        pool = connect(Place(f"https://{site.receiver}", "/"), identity)
        answer = await fetch(pool, f"/{name}", limit=2**40)
        await pool.retire()
        return answer.body if answer.status == 200 else None

    try:
        return trio.run(get)
    except LockgateError as error:
        raise NotAsTold(f"the receiver could not be asked: {error}") from None


def require(outcome: Outcome, status: int, verdict: str, problem: str | None = None) -> None:
    """The answer and the signed verdict are these. Raises NotAsTold."""
    found = (outcome.status, outcome.verdict, outcome.problem)
    if found != (status, verdict, problem):
        raise NotAsTold(f"expected {(status, verdict, problem)}, found {found} {outcome.reason}")
