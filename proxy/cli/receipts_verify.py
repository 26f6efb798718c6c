"""`lockgate receipts verify`: one receipt, offline. All is checked before anything is said."""

import argparse
import base64
import binascii
import hashlib
import hmac
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.cli.receipts_files import Group, UnreadableError, read, read_public_key, telling
from proxy.cli.receipts_trust import add_arguments, read_demand, signers
from proxy.cli.wording import count, texts
from proxy.errors import CredentialError, EvidenceError
from proxy.receipt import dsse, header, reading, words
from proxy.receipt import proof as tlog_proof
from proxy.receipt.marks import Demand


def register(group: Group) -> None:
    verify = group.add_parser(
        "verify",
        help="verify one receipt offline",
        **texts(
            "Verify the signature of one receipt; with --content, that it is about this very "
            "content; with --proof, that it is in the log of --vkey or --policy. 0 when all of it "
            "holds, 1 when not, 2 when a file cannot be used.",
            "lockgate receipts verify order.json.receipt.json --key certs/receipts.pub \\\n"
            '    --content order.json --receipt-key "$(cat order.json.receipt.key)"',
            "lockgate receipts verify receipt-41.json --key certs/receipts.pub \\\n"
            "    --proof receipt-41.tlog-proof --policy trust.policy --require ml-dsa-44",
        ),
    )
    verify.add_argument("file", type=Path, help="an envelope, or headers saved with curl -D")
    verify.add_argument("--key", type=Path, required=True, help="the receipt key's public PEM")
    verify.add_argument("--content", type=Path, help="what was sent, or what was delivered")
    verify.add_argument("--receipt-key", metavar="BASE64", help="value of Transfer-Receipt-Key")
    verify.add_argument("--proof", type=Path, help="its .tlog-proof, see prove")
    add_arguments(verify, vkey="must have signed the proof's checkpoint; repeat")
    verify.set_defaults(run=telling(run_verify), usage_error=verify.error)


def run_verify(arguments: argparse.Namespace) -> int:
    """0 it holds, 1 it does not. Raises UnreadableError for a file that cannot be used."""
    try:
        key = read_public_key(arguments.key)
    except CredentialError as error:
        raise UnreadableError(str(error)) from None
    demand = read_demand(arguments)
    trusted = bool(demand.vkeys or demand.policy)
    if arguments.proof is None and (trusted or demand.require):
        arguments.usage_error("--vkey, --policy and --require are about a --proof")
    if arguments.proof is not None and not trusted:
        arguments.usage_error("--proof takes --vkey or --policy: they say whose log to believe")
    data = read(arguments.file)
    proof = None if arguments.proof is None else read(arguments.proof)
    content = None if arguments.content is None else read(arguments.content)
    try:
        lines = _require(arguments, data, content, key)
        if proof is not None:
            lines[1:1] = _require_logged(_envelopes(arguments.file, data)[0][-1], proof, demand)
    except EvidenceError as error:
        sys.stderr.write(f"does not verify: {error}\n")
        return 1
    print("\n".join(lines))
    return 0


def _require(
    arguments: argparse.Namespace, data: bytes, content: bytes | None, key: Ed25519PublicKey
) -> list[str]:
    """What there is to say of a receipt that holds. Raises EvidenceError when it does not."""
    envelopes, receipt_keys = _envelopes(arguments.file, data)
    if arguments.receipt_key is not None:
        receipt_keys = [_receipt_key(arguments.receipt_key)]
    statement = reading.parse_entry(dsse.verify(envelopes[-1], key))
    lines = [f"verified: signed by {dsse.key_id(key)}"]
    lines += [f"  {line}" for line in words.describe(statement)]
    for number, envelope in enumerate(envelopes[:-1], 1):
        lines += [f"receipt {number} of {len(envelopes)} is by a gateway further on; not verified:"]
        lines += [f"  {line}" for line in _further(envelope)]
    if content is not None:
        side = _require_content(statement, content, receipt_keys)
        lines += [f"{arguments.content}: this is the content that was {side}"]
    return lines


def _require_logged(envelope: bytes, proof: bytes, demand: Demand) -> list[str]:
    """What there is to say of a receipt that is in its log. Raises EvidenceError when it is not."""
    parsed = tlog_proof.parse(proof)
    checkpoint = tlog_proof.require_proof(
        parsed, envelope, demand.vkeys, policy=demand.policy, require=demand.require
    )
    if reading.summarise(dsse.parse(envelope).payload).origin != checkpoint.origin:
        raise EvidenceError(f"the receipt is of another log than {checkpoint.origin}")
    entries = count(checkpoint.size, "entry", "entries")
    lines = [f"in the log {checkpoint.origin}: entry {parsed.index} of {entries}"]
    return lines + [f"  {line}" for line in signers(demand, parsed.checkpoint)]


def _further(envelope: bytes) -> list[str]:
    """What a receipt by somebody else says, as far as it can be read."""
    try:
        return words.describe(reading.parse_entry(dsse.parse(envelope).payload))
    except EvidenceError as error:
        return [f"not readable here: {error}"]


def _envelopes(path: Path, data: bytes) -> tuple[list[bytes], list[bytes]]:
    """(envelopes, ours last; receipt keys) in an envelope's file or in saved headers."""
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
