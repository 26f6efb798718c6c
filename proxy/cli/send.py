"""`lockgate send URL FILE`: one file as one transfer, with its digest, its id and its receipt."""

import argparse
import re
import sys
import time
import uuid
from pathlib import Path

import trio

from proxy.cli import send_report as report
from proxy.cli.receipts_files import read_public_key
from proxy.cli.send_exchange import Answer, fetch, upload
from proxy.cli.send_keep import Keeping
from proxy.cli.send_place import Identity, Payload, Place, UsageError, connect, parse_url, payload
from proxy.cli.send_progress import progress
from proxy.cli.send_receipt import Sent, link, receipts, require_evidence
from proxy.cli.wording import texts
from proxy.edge.outbound import Pool
from proxy.errors import CredentialError, EvidenceError, Refusal, UpstreamFailure
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify
from proxy.wire.digests import format_sha256

_TYPES = {
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([\x20-\x7e]*)")
_OURS = {"host", "content-length", "content-type", "content-digest", "transfer-id", "connection"}


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "send",
        help="send a file as a transfer and verify its receipt",
        **texts(
            "Send FILE as one transfer. 0 when it was delivered and its receipt holds, 1 "
            "when not, 2 when it was not even tried.",
            "lockgate send https://localhost:8443/orders/1 order.json \\\n"
            "    --cert certs/client.pem --key certs/client.key --trust certs/ca.pem \\\n"
            "    --receipts-key certs/receipts.pub",
        ),
    )
    parser.add_argument("url", metavar="URL", help="https://, or http:// on loopback")
    parser.add_argument("file", type=Path, metavar="FILE")
    who = parser.add_argument_group("who")
    who.add_argument("--cert", type=Path, metavar="PEM", help="chain, leaf first")
    who.add_argument("--key", type=Path, metavar="PEM")
    who.add_argument("--trust", type=Path, metavar="PEM", help="authorities of the server")
    who.add_argument("--server-name", metavar="NAME", help="what its certificate must bear")
    who.add_argument("--pin", action="append", metavar="sha256:…", help="its key; repeat")
    what = parser.add_argument_group("what")
    what.add_argument("--method", default="POST", choices=("POST", "PUT", "PATCH"))
    what.add_argument("--content-type", metavar="T", help="default: by the suffix of FILE")
    what.add_argument("--id", metavar="UUID", help="to try a transfer again; made when absent")
    what.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    what.add_argument("--no-digest", action="store_true", help="leave Content-Digest out")
    evidence = parser.add_argument_group("evidence")
    evidence.add_argument("--receipts-key", type=Path, metavar="PEM", help="verifies the receipt")
    evidence.add_argument("--receipt-out", type=Path, metavar="PATH", help="default: by FILE")
    evidence.add_argument("--no-receipt", action="store_true", help="expect none")
    evidence.add_argument("--json", action="store_true", help="the result for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Send, judge, tell. 0 delivered with a receipt that holds; 1 not; 2 it was not tried."""
    try:
        sending = _Sending(arguments)
    except (UsageError, CredentialError, EvidenceError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    began = time.monotonic()
    result = report.Result(sending.id, sending.content, sending.has_key)
    try:
        trio.run(sending.deliver, result)
    except (UpstreamFailure, Refusal) as failure:
        result.failure = failure
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        raise KeyboardInterrupt from None
    result.seconds = time.monotonic() - began
    report.tell(result, as_json=arguments.json)
    return 0 if result.delivered else 1


class _Sending:
    """The arguments, checked and opened. Raises UsageError, CredentialError, EvidenceError."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._place: Place = parse_url(arguments.url)
        self._method: str = arguments.method
        self._quiet: bool = arguments.json
        self.id = _transfer_id(arguments.id)
        self._fields = [_field(text) for text in arguments.header]
        self.content: Payload = payload(arguments.file)
        self._keeping: Keeping | None = None
        if not arguments.no_receipt:
            self._keeping = Keeping(arguments.file, arguments.receipt_out, self.id)
        key = arguments.receipts_key
        self._public_key = read_public_key(key) if key is not None else None
        self.has_key = key is not None
        self._identity = Identity(
            certificate=_read(arguments.cert),
            key=_read(arguments.key),
            trust=_read(arguments.trust),
            server_name=arguments.server_name,
            pins=arguments.pin,
        )
        self._pool: Pool = connect(self._place, self._identity)
        kind = arguments.content_type or _TYPES.get(
            arguments.file.suffix.lower(), "application/octet-stream"
        )
        self._fields += [_field(f"content-type: {kind}"), (b"transfer-id", self.id.encode())]
        if not arguments.no_digest:
            self._fields.append((b"content-digest", format_sha256(self.content.sha256)))

    async def deliver(self, result: report.Result) -> None:
        """Send the file and judge what came back, into `result`. Raises UpstreamFailure."""
        with progress(self.content, quiet=self._quiet) as (tick, early):
            answer = await upload(
                self._pool,
                self._method,
                self._place.target,
                self._fields,
                self.content,
                tick,
                early,
            )
        result.answer = answer
        if self._keeping is not None:
            try:
                await self._judge(answer, result)
            except (EvidenceError, Refusal) as error:
                result.doubt = str(error)
            else:
                _keep(self._keeping, result)
        else:
            result.receipt_expected = False
        await self._pool.retire()

    async def _judge(self, answer: Answer, result: report.Result) -> None:
        found = receipts(answer)
        if not found:
            where = link(answer)
            fetched = await fetch(self._pool, where) if where is not None else None
            if fetched is None or fetched.status != 200:
                raise EvidenceError("no receipt came with the answer")
            found = (fetched.body,)
        certificate = self._identity.certificate
        spki = identify(parse_chain(certificate)[0]).spki_sha256.hex() if certificate else None
        sent = Sent(self.id, self._method, self._place.target, self.content, spki)
        result.further = len(found) - 1
        result.evidence = require_evidence(found[-1], answer, sent, self._public_key)


def _keep(keeping: Keeping, result: report.Result) -> None:
    if result.evidence is not None:
        try:
            result.saved = keeping.save(result.evidence)
        except EvidenceError as error:
            result.unsaved = str(error)


def _transfer_id(text: str | None) -> str:
    if text is None:
        return str(uuid.uuid4())
    if not _UUID.fullmatch(text):
        raise UsageError("--id: expected a UUID")
    return text.lower()


def _field(text: str) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise UsageError("expected a header field, 'Name: value', in printable ASCII")
    name = match[1].lower()
    if name in _OURS and not text.startswith("content-type: "):
        raise UsageError(f"--header: {name} is written by lockgate send itself")
    return name.encode(), match[2].strip().encode()


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
