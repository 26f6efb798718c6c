"""`lockgate receipts verify`: one receipt, offline. All is checked before anything is said."""

import argparse
import sys
from pathlib import Path

from proxy.cli import receipts_chain
from proxy.cli.receipts_files import Group, UnreadableError, pieces, read, read_public_key, telling
from proxy.cli.receipts_held import Held, receipt_key, receipts
from proxy.cli.receipts_trust import add_arguments, read_demand, signers
from proxy.cli.wording import count, texts
from proxy.errors import CredentialError, EvidenceError
from proxy.receipt import dsse, reading, words
from proxy.receipt import proof as tlog_proof
from proxy.receipt.agreement import require_consistent
from proxy.receipt.marks import Demand
from proxy.receipt.measure import measure


def register(group: Group) -> None:
    verify = group.add_parser(
        "verify",
        help="verify one receipt offline",
        **texts(
            "Verify the signature of one receipt; with --content, that it is about this very "
            "content; with --proof, that it is in the log of --vkey or --policy; with --chain, "
            "that the receipts of all gateways on the way belong together. 0 when all of it "
            "holds, 1 when not, 2 when a file cannot be used.",
            "lockgate receipts verify order.json.receipt.json --key certs/receipts.pub \\\n"
            '    --content order.json --receipt-key "$(cat order.json.receipt.key)"',
            "lockgate receipts verify receipt-41.json --key certs/receipts.pub \\\n"
            "    --proof receipt-41.tlog-proof --policy trust.policy --require ml-dsa-44",
            "lockgate receipts verify order.json.receipt.headers --chain --content order.json \\\n"
            "    --key sidecar.pub --key gateway.pub --require request",
        ),
    )
    verify.add_argument(
        "file",
        type=Path,
        nargs="+",
        help="an envelope, or headers saved by send or curl -D; with --chain several, the sender's "
        "own gateway first",
    )
    verify.add_argument(
        "--key",
        type=Path,
        required=True,
        action="append",
        metavar="PEM",
        help="the receipt key's public half; with --chain one for each gateway, in order; "
        "behind the last one nothing is verified",
    )
    verify.add_argument("--content", type=Path, help="what was sent, or what was delivered")
    verify.add_argument("--receipt-key", metavar="BASE64", help="value of Transfer-Receipt-Key")
    verify.add_argument("--proof", type=Path, help="its .tlog-proof, see prove")
    receipts_chain.add_arguments(verify)
    add_arguments(
        verify,
        vkey="must have signed the proof's checkpoint; repeat",
        also=receipts_chain.DEMANDS,
        require="; with --chain, what must be shown",
    )
    verify.set_defaults(run=telling(run_verify), usage_error=verify.error)


def run_verify(arguments: argparse.Namespace) -> int:
    """0 it holds, 1 it does not. Raises UnreadableError for a file that cannot be used."""
    demand = _demand(arguments)
    try:
        if arguments.chain:
            lines = receipts_chain.run_chain(arguments)
        else:
            lines = _require(arguments, demand)
    except CredentialError as error:
        raise UnreadableError(str(error)) from None
    except UnreadableError:
        raise
    except EvidenceError as error:
        said = error.lines if isinstance(error, receipts_chain.NotShownError) else [str(error)]
        sys.stderr.write("does not verify: " + "\n".join(map(words.printable, said)) + "\n")
        return 1
    print("\n".join(map(words.printable, lines)))
    return 0


def _demand(arguments: argparse.Namespace) -> Demand:
    """What a proof must meet; ends the process with 2 where options do not go together."""
    demand = read_demand(arguments)
    _require_of_its_kind(arguments)
    trusted = bool(demand.vkeys or demand.policy)
    if arguments.proof is None and (trusted or (demand.require and not arguments.chain)):
        arguments.usage_error("--vkey, --policy and --require are about a --proof")
    if arguments.proof is not None and not trusted:
        arguments.usage_error("--proof takes --vkey or --policy: they say whose log to believe")
    if arguments.chain and arguments.proof is not None:
        arguments.usage_error("--proof is about one receipt: verify each alone, then --chain")
    if not arguments.chain and (len(arguments.file), len(arguments.key)) != (1, 1):
        arguments.usage_error("several files or keys are for --chain")
    return demand


def _require_of_its_kind(arguments: argparse.Namespace) -> None:
    """End the process with 2 where an option is of the other kind of verification."""
    ours = receipts_chain.DEMANDS
    if arguments.chain and not set(arguments.require) <= set(ours):
        arguments.usage_error(f"with --chain, --require takes {', '.join(ours)}")
    if not arguments.chain:
        for option in ("certificate", "target", "json"):
            if getattr(arguments, option):
                arguments.usage_error(f"--{option} is for --chain")
        if set(arguments.require) & set(ours):
            arguments.usage_error("--require takes algorithms here; the points are for --chain")


def _require(arguments: argparse.Namespace, demand: Demand) -> list[str]:
    """What there is to say of a receipt that holds. Raises EvidenceError when it does not."""
    key, [path] = read_public_key(arguments.key[0]), arguments.file
    data = read(path)
    proof = None if arguments.proof is None else read(arguments.proof)
    [(envelope, opens), *others] = receipts(path, data)
    if arguments.receipt_key is not None:
        opens = receipt_key(arguments.receipt_key)
    about = arguments.content
    content = None if about is None else measure(pieces(about), [opens])
    statement = reading.parse_entry(dsse.verify(envelope, key))
    require_consistent(statement)
    lines = [f"verified: signed by {dsse.key_id(key)}"]
    if proof is not None:
        lines += _require_logged(envelope, proof, demand)
    lines += [f"  {line}" for line in words.describe(statement)]
    lines += _further(others)
    if content is not None:
        found = content.sides(statement, opens)
        if not found:
            hint = "" if opens else "; what was received may need --receipt-key"
            raise EvidenceError(f"the content is not what the receipt is about{hint}")
        lines += [f"{about}: this is the content that was {' and '.join(found)}"]
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


def _further(others: Held) -> list[str]:
    """What receipts by somebody else say, as far as they can be read."""
    lines = []
    of = len(others) + 1
    for number, (envelope, _) in enumerate(reversed(others), 1):
        lines += [f"receipt {number} of {of} is by a gateway further on; not verified:"]
        try:
            told = words.describe(reading.parse_entry(dsse.parse(envelope).payload))
        except EvidenceError as error:
            told = [f"not readable here: {error}"]
        lines += [f"  {line}" for line in told]
    return lines
