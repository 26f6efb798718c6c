"""`lockgate receipts`: list, show, verify, audit and vkey. Only `vkey` ever reads a private key."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.cli.receipts_audit import run_audit
from proxy.cli.receipts_files import UnreadableError, read
from proxy.cli.receipts_verify import run_verify
from proxy.cli.wording import texts
from proxy.errors import ConfigError, EvidenceError, LockgateError
from proxy.notary import keys
from proxy.notary.folder import Folder
from proxy.notary.publisher import CHECKPOINT
from proxy.receipt import dsse, reading, words
from proxy.settings.load import load
from proxy.settings.secrets import read_secret


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `receipts` and its commands."""
    parser = commands.add_parser(
        "receipts",
        help="read, verify and audit receipts",
        **texts(
            "Read a log of receipts, verify one receipt, audit the whole log; all of it offline.",
            "lockgate receipts list var/receipts",
        ),
    )
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    listing = group.add_parser(
        "list",
        help="one line an entry",
        **texts(
            "Print one line for each entry of a log: index, time, verdict, why, route, transfer, "
            "sender. Nothing is verified here: see audit.",
            "lockgate receipts list var/receipts --verdict rejected",
        ),
    )
    listing.add_argument("store", type=Path, help="the log's folder")
    listing.add_argument("--verdict", choices=("delivered", "rejected", "failed", "indeterminate"))
    listing.add_argument("--id", help="transfer id")
    listing.add_argument("--route")
    listing.add_argument("--json", action="store_true", help="one statement a line")
    listing.set_defaults(run=_telling(_list))

    show = group.add_parser(
        "show",
        help="what one receipt says",
        **texts(
            "Print what the receipts of one index or one transfer say. Nothing is verified here: "
            "see verify and audit.",
            "lockgate receipts show var/receipts 0",
        ),
    )
    show.add_argument("store", type=Path, help="the log's folder")
    show.add_argument("which", metavar="INDEX|TRANSFER_ID")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the statement")
    form.add_argument("--envelope", action="store_true", help="the exact octets of the leaf")
    show.set_defaults(run=_telling(_show))

    _register_checks(group)


def _register_checks(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = group.add_parser(
        "verify",
        help="verify one receipt offline",
        **texts(
            "Verify the signature of one receipt and, with --content, that it is about this very "
            "content. 0 when all of it holds, 1 when not, 2 when a file cannot be used.",
            "lockgate receipts verify order.json.receipt.json --key certs/receipts.pub \\\n"
            '    --content order.json --receipt-key "$(cat order.json.receipt.key)"',
        ),
    )
    verify.add_argument("file", type=Path, help="an envelope, or headers saved with curl -D")
    verify.add_argument("--key", type=Path, required=True, help="the receipt key's public PEM")
    verify.add_argument("--content", type=Path, help="what was sent, or what was delivered")
    verify.add_argument("--receipt-key", metavar="BASE64", help="value of Transfer-Receipt-Key")
    verify.set_defaults(run=_telling(run_verify))

    audit = group.add_parser(
        "audit",
        help="recompute and check the whole log",
        **texts(
            "Recompute a log from its files: every signature, every sequence, the tree and its "
            "signed checkpoint. 0 when all of it holds, 1 with the first thing that is wrong. "
            "lockgate receipts vkey prints what --vkey takes.",
            "lockgate receipts audit var/receipts --key certs/receipts.pub \\\n"
            '    --vkey "$(lockgate receipts vkey config/gateway.yaml | head -n 1)"',
        ),
    )
    audit.add_argument("store", type=Path, help="the log's folder")
    audit.add_argument("--vkey", action="append", required=True, help="must have signed; repeat")
    audit.add_argument("--key", action="append", type=Path, required=True, help="PEM; repeat")
    audit.add_argument("--checkpoint", type=Path, help="one kept earlier, to be consistent with")
    audit.set_defaults(run=_telling(run_audit))

    vkey = group.add_parser(
        "vkey",
        help="print the log's verifier keys",
        **texts(
            "Print the public keys of a log, one a line, for auditors: from a configuration, or "
            "from the log's name and its keys.",
            "lockgate receipts vkey config/gateway.yaml",
            "lockgate receipts vkey --origin receipts.lockgate.example/gateway \\\n"
            "    --log-key certs/log.key --log-pq-key certs/log-pq.key",
        ),
    )
    vkey.add_argument("config", type=Path, nargs="?", help="a configuration")
    vkey.add_argument("--origin", help="the log's name, with --log-key")
    vkey.add_argument("--log-key", type=Path)
    vkey.add_argument("--log-pq-key", type=Path)
    vkey.set_defaults(run=_telling(_vkey), usage_error=vkey.error)


def _telling(command: Any) -> Any:
    """The command, with what is wrong on standard error: 1, or 2 for a file that cannot be used."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            code: int = command(arguments)
        except ConfigError:
            raise
        except LockgateError as error:
            sys.stderr.write(f"{error}\n")
            return 2 if isinstance(error, UnreadableError) else 1
        except BrokenPipeError:
            return 1
        return code

    return run


# --- list and show -------------------------------------------------------------------------------


def _statements(store: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    folder = Folder(store)
    if folder.load(CHECKPOINT) is None and folder.tail() is None:
        raise EvidenceError(f"{store}: no log is here: neither a checkpoint nor a journal to read")
    for index, envelope in folder.entries():
        try:
            yield index, envelope, reading.parse(dsse.parse(envelope).payload)
        except EvidenceError as error:
            raise EvidenceError(f"entry {index}: {error}") from None


def _list(arguments: argparse.Namespace) -> int:
    for index, _, statement in _statements(arguments.store):
        predicate = statement["predicate"]
        request, disposition = predicate.get("request") or {}, predicate.get("disposition") or {}
        wanted = (
            (arguments.verdict, predicate.get("kind")),
            (arguments.id and arguments.id.lower(), predicate.get("transferId")),
            (arguments.route, request.get("route")),
        )
        if any(asked is not None and asked != found for asked, found in wanted):
            continue
        if arguments.json:
            print(json.dumps({"index": index, "statement": statement}))
            continue
        completed = str((predicate.get("time") or {}).get("completed"))[:19]
        why = disposition.get("problem") or disposition.get("status") or "-"
        print(
            words.printable(
                f"{index:>8}  {completed}Z  {predicate.get('kind')!s:<13}  {why!s:<20}  "
                f"{request.get('route') or '-'!s:<16}  {predicate.get('transferId')}  "
                f"{(predicate.get('sender') or {}).get('name')}"
            )
        )
    return 0


def _show(arguments: argparse.Namespace) -> int:
    found = 0
    for index, envelope, statement in _statements(arguments.store):
        if arguments.which.lower() not in (str(index), statement["predicate"].get("transferId")):
            continue
        found += 1
        if arguments.envelope:
            sys.stdout.buffer.write(envelope + b"\n")
            sys.stdout.flush()
        elif arguments.json:
            print(json.dumps(statement, indent=2))
        else:
            print(f"entry {index}")
            print("\n".join(f"  {line}" for line in words.describe(statement)))
    if not found:
        raise EvidenceError(f"{arguments.store}: no entry or transfer {arguments.which}")
    return 0


# --- vkey ----------------------------------------------------------------------------------------


def _vkey(arguments: argparse.Namespace) -> int:
    named = arguments.origin is not None and arguments.log_key is not None
    if named == (arguments.config is not None):
        arguments.usage_error("give a configuration, or --origin and --log-key")
    if arguments.config is not None:
        loaded = load(arguments.config)
        receipts = loaded.settings.receipts
        origin, log = receipts.origin, read_secret(receipts.log_key, loaded.directory)
        reference = receipts.log_pq_key
        pq = None if reference is None else read_secret(reference, loaded.directory)
    else:
        origin, log = arguments.origin, read(arguments.log_key)
        pq = None if arguments.log_pq_key is None else read(arguments.log_pq_key)
    for vkey in keys.vkeys(origin, log, pq):
        print(vkey)
    return 0
