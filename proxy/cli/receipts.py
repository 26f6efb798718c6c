"""`lockgate receipts`: list, show, verify, audit and vkey. Only `vkey` ever reads a private key."""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proxy.cli.receipts_audit import run_audit
from proxy.cli.receipts_files import read, read_public_key
from proxy.errors import ConfigError, EvidenceError, LockgateError
from proxy.notary import keys
from proxy.notary.folder import Folder
from proxy.receipt import dsse, header, reading, words
from proxy.settings.load import load
from proxy.settings.secrets import read_secret


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `receipts` and its commands."""
    parser = commands.add_parser("receipts", help="read, verify and audit receipts")
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    listing = group.add_parser("list", help="one line an entry")
    listing.add_argument("store", type=Path, help="the log's folder")
    listing.add_argument("--verdict", choices=("delivered", "rejected", "failed", "indeterminate"))
    listing.add_argument("--id", help="transfer id")
    listing.add_argument("--route")
    listing.add_argument("--json", action="store_true", help="one statement a line")
    listing.set_defaults(run=_telling(_list))

    show = group.add_parser("show", help="what one receipt says")
    show.add_argument("store", type=Path, help="the log's folder")
    show.add_argument("which", metavar="INDEX|TRANSFER_ID")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the statement")
    form.add_argument("--envelope", action="store_true", help="the exact octets of the leaf")
    show.set_defaults(run=_telling(_show))

    _register_checks(group)


def _register_checks(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = group.add_parser("verify", help="verify one receipt offline")
    verify.add_argument("file", type=Path, help="an envelope, or headers saved with curl -D")
    verify.add_argument("--key", type=Path, required=True, help="the receipt key's public PEM")
    verify.add_argument("--content", type=Path, help="what was sent, or what was delivered")
    verify.add_argument("--receipt-key", metavar="BASE64", help="value of Transfer-Receipt-Key")
    verify.set_defaults(run=_telling(_verify))

    audit = group.add_parser("audit", help="recompute and check the whole log")
    audit.add_argument("store", type=Path, help="the log's folder")
    audit.add_argument("--vkey", action="append", required=True, help="must have signed; repeat")
    audit.add_argument("--key", action="append", type=Path, required=True, help="PEM; repeat")
    audit.add_argument("--checkpoint", type=Path, help="one kept earlier, to be consistent with")
    audit.set_defaults(run=_telling(run_audit))

    vkey = group.add_parser("vkey", help="print the log's verifier keys")
    vkey.add_argument("config", type=Path, nargs="?", help="a configuration")
    vkey.add_argument("--origin", help="the log's name, with --log-key")
    vkey.add_argument("--log-key", type=Path)
    vkey.add_argument("--log-pq-key", type=Path)
    vkey.set_defaults(run=_telling(_vkey), usage_error=vkey.error)


def _telling(command: Any) -> Any:
    """The command, with what is wrong on standard error and exit code 1."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            code: int = command(arguments)
        except ConfigError:
            raise
        except LockgateError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except BrokenPipeError:
            return 1
        return code

    return run


# --- list and show -------------------------------------------------------------------------------


def _statements(store: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    for index, envelope in Folder(store).entries():
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
            (arguments.id, predicate.get("transferId")),
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
        if arguments.which not in (str(index), statement["predicate"].get("transferId")):
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


# --- verify --------------------------------------------------------------------------------------


def _verify(arguments: argparse.Namespace) -> int:
    envelopes, receipt_keys = _envelopes(arguments.file)
    if arguments.receipt_key is not None:
        receipt_keys = [_receipt_key(arguments.receipt_key)]
    key = read_public_key(arguments.key)
    statement = reading.parse(dsse.verify(envelopes[-1], key))
    print(f"verified: signed by {dsse.key_id(key)}")
    print("\n".join(f"  {line}" for line in words.describe(statement)))
    for number, envelope in enumerate(envelopes[:-1], 1):
        print(f"receipt {number} of {len(envelopes)} is by a gateway further on; not verified:")
        print("\n".join(f"  {line}" for line in _further(envelope)))
    if arguments.content is not None:
        side = _require_content(statement, read(arguments.content), receipt_keys)
        print(f"{arguments.content}: this is the content that was {side}")
    return 0


def _further(envelope: bytes) -> list[str]:
    """What a receipt by somebody else says, as far as it can be read."""
    try:
        return words.describe(reading.parse(dsse.parse(envelope).payload))
    except EvidenceError as error:
        return [f"not readable here: {error}"]


def _envelopes(path: Path) -> tuple[list[bytes], list[bytes]]:
    """(envelopes, ours last; receipt keys) in an envelope's file or in saved headers."""
    data = read(path)
    if data.lstrip().startswith(b"{"):
        return [data], []
    envelopes, receipt_keys = header.from_saved_headers(data.decode("latin-1"))
    if not envelopes:
        raise EvidenceError(f"{path}: neither an envelope nor headers with a Transfer-Receipt")
    return envelopes, receipt_keys


def _receipt_key(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip().strip(":"), validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError("the receipt key is not base64") from None


def _require_content(
    statement: Mapping[str, Any], content: bytes, receipt_keys: list[bytes]
) -> str:
    """Which content this is, by its digest. Raises where it is none of the receipt's."""
    plain = hashlib.sha256(content).hexdigest()
    keyed = [hmac.new(key, content, "sha256").hexdigest() for key in receipt_keys]
    sides = [
        side
        for side, kind, value in reading.digests(statement)
        if (value == plain if kind == "sha256" else value in keyed)
    ]
    if not sides:
        hint = "" if receipt_keys else "; what was received may need --receipt-key"
        raise EvidenceError(f"the content is not what the receipt is about{hint}")
    return " and ".join(sides)


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
