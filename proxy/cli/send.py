"""`lockgate send URL FILE …`: each file as one transfer, with its digest, id and receipt."""

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import trio

from proxy.cli import send_report as report
from proxy.cli import send_summary as summary
from proxy.cli.receipts_files import read_public_key
from proxy.cli.send_crew import Crew
from proxy.cli.send_ids import secret
from proxy.cli.send_one import Ways
from proxy.cli.send_place import Identity, UsageError, connect, parse_url
from proxy.cli.send_plan import plan
from proxy.cli.send_progress import metering
from proxy.cli.send_result import Result, printable
from proxy.cli.send_sign import FIELDS, register_signing, signer
from proxy.cli.wording import texts
from proxy.edge.outbound import Pool
from proxy.errors import CredentialError, EvidenceError
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([\x20-\x7e]*)")
_OURS = {"host", "content-length", "content-type", "content-digest", "transfer-id", "connection"}
_OURS |= FIELDS
_MOST = 64
"""Files at once."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "send",
        help="send files as transfers and verify their receipts",
        **texts(
            "Send each FILE as one transfer: a file to URL; of several, and of a folder, each to "
            "URL/NAME; - is standard input. 0 when all were delivered and their receipts hold, 1 "
            "when not, with a list of what did not arrive; 2 when nothing was tried. The same "
            "call, made again, sends nothing twice.",
            "lockgate send https://localhost:8443/orders/1 order.json \\\n"
            "    --cert certs/client.pem --key certs/client.key --trust certs/ca.pem \\\n"
            "    --receipts-key certs/receipts.pub",
            "lockgate send http://gateway/orders outbox --unix-socket var/egress.sock \\\n"
            "    --parallel 8 --receipts receipts",
        ),
    )
    parser.add_argument(
        "url", metavar="URL", help="https://, or http:// on loopback and to a unix socket"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, a folder, or -")
    who = parser.add_argument_group("who")
    who.add_argument("--cert", type=Path, metavar="PEM", help="chain, leaf first")
    who.add_argument("--key", type=Path, metavar="PEM")
    who.add_argument("--trust", type=Path, metavar="PEM", help="authorities of the server")
    who.add_argument(
        "--unix-socket", type=Path, metavar="PATH", help="of a sidecar: goes there, whatever host"
    )
    who.add_argument("--server-name", metavar="NAME", help="what its certificate must bear")
    who.add_argument("--pin", action="append", metavar="sha256:…", help="its key; repeat")
    _register_what(parser)
    evidence = parser.add_argument_group("evidence")
    evidence.add_argument("--receipts-key", type=Path, metavar="PEM", help="verifies the receipts")
    where = evidence.add_mutually_exclusive_group()
    where.add_argument("--receipts", type=Path, metavar="DIR", help="default: beside the files")
    where.add_argument("--receipt-out", type=Path, metavar="PATH", help="for a single file")
    where.add_argument("--no-receipt", action="store_true", help="expect none")
    evidence.add_argument("--json", action="store_true", help="a line for programs, each file")
    parser.set_defaults(run=run)


def _register_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("--method", default="POST", choices=("POST", "PUT", "PATCH"))
    what.add_argument("--content-type", metavar="T", help="default: by the suffix of FILE")
    what.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    what.add_argument("--no-digest", action="store_true", help="leave Content-Digest out")
    register_signing(what)
    which = what.add_mutually_exclusive_group()
    which.add_argument("--id", metavar="UUID", help="for a single file; default: made from it")
    which.add_argument("--new", action="store_true", help="new ids: send again what was delivered")
    which.add_argument(
        "--id-key", type=Path, metavar="FILE", help="secret to make ids with; default: --key"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--parallel", type=_count(1, _MOST), default=4, metavar="N", help="default: 4")
    how.add_argument(
        "--retries", type=_count(0, 1000), default=5, metavar="N", help="for each file; default: 5"
    )


def _count(least: int, most: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least} to {most}")
        return int(text)

    return count


def run(arguments: argparse.Namespace) -> int:
    """Send, judge, tell. 0 all delivered with receipts that hold; 1 not; 2 nothing was tried."""
    try:
        ways, pool = _ways(arguments)
        todo = plan(ways.place, arguments.files, arguments.receipts)
        if not todo.single and (arguments.id or arguments.receipt_out):
            raise UsageError("--id and --receipt-out are for a single file")
    except (UsageError, CredentialError, EvidenceError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in () if arguments.json else todo.left_out:
        sys.stderr.write(f"not sent: {printable(line)}\n")
    began = time.monotonic()
    tally = summary.Tally()

    def on_end(result: Result) -> None:
        tally.add(result)
        if todo.single:
            return
        if arguments.json:
            report.tell_programs(result)
        result.settle()

    with metering(todo, quiet=arguments.json) as meter:
        crew = Crew(todo, ways, pool, meter, on_end)
        trio.run(crew.run, arguments.parallel)
    if todo.single:
        return _tell_one(crew, as_json=arguments.json)
    if not arguments.json:
        summary.tell(todo, crew, tally, time.monotonic() - began)
    else:
        for result in summary.untold(todo, crew):
            report.tell_programs(result)
    return _code(crew, complete=tally.delivered == len(todo.items) and not todo.unread)


def _tell_one(crew: Crew, *, as_json: bool) -> int:
    (result,) = crew.results
    if result.unready is not None:
        sys.stderr.write(f"{result.unready}\n")
        return 2
    (report.tell_programs if as_json else report.tell)(result)
    return _code(crew, complete=result.delivered)


def _code(crew: Crew, *, complete: bool) -> int:
    return 128 + crew.signal if crew.signal else 0 if complete else 1


def _ways(arguments: argparse.Namespace) -> tuple[Ways, Pool]:
    """The arguments, read and checked. Raises UsageError, CredentialError, EvidenceError."""
    place = parse_url(arguments.url, arguments.unix_socket)
    identity = Identity(
        certificate=_read(arguments.cert),
        key=_read(arguments.key),
        trust=_read(arguments.trust),
        server_name=arguments.server_name,
        pins=arguments.pin,
    )
    certificate, key = identity.certificate, arguments.receipts_key
    pool = connect(place, identity)
    fixed = arguments.new or arguments.id is not None
    return Ways(
        place=place,
        method=arguments.method,
        fields=tuple(_field(text) for text in arguments.header),
        content_type=_content_type(arguments.content_type),
        digest=not arguments.no_digest,
        signer=signer(arguments, identity.key),
        id=_transfer_id(arguments.id),
        secret=None if fixed else secret(identity.key, arguments.id_key),
        receipts=not arguments.no_receipt,
        receipt_out=arguments.receipt_out,
        public_key=read_public_key(key) if key is not None else None,
        spki_sha256=identify(parse_chain(certificate)[0]).spki_sha256.hex()
        if certificate
        else None,
        retries=arguments.retries,
    ), pool


def _transfer_id(text: str | None) -> str | None:
    if text is not None and not _UUID.fullmatch(text):
        raise UsageError("--id: expected a UUID")
    return text.lower() if text is not None else None


def _content_type(text: str | None) -> str | None:
    if text is not None and not _FIELD.fullmatch(f"content-type: {text}"):
        raise UsageError("--content-type: expected a media type in printable ASCII")
    return text


def _field(text: str) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise UsageError("expected a header field, 'Name: value', in printable ASCII")
    name = match[1].lower()
    if name in _OURS:
        raise UsageError(f"--header: {name} is written by lockgate send itself")
    return name.encode(), match[2].strip().encode()


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
