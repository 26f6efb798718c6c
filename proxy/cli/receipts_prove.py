"""`lockgate receipts prove`: a receipt and the proof that it is in the log, as files to keep."""

import argparse
import re
from contextlib import closing, nullcontext
from pathlib import Path

from proxy.cli.receipts_files import Group, UnreadableError, telling
from proxy.cli.receipts_trust import add_arguments, read_demand, signers
from proxy.cli.wording import count, texts
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder
from proxy.notary.query import Query
from proxy.notary.search import Search
from proxy.notary.website import Website
from proxy.receipt import note
from proxy.receipt.proof import prove, render
from proxy.receipt.quorum import find_checkpoint

_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def register(group: Group) -> None:
    prover = group.add_parser(
        "prove",
        help="write a receipt with the proof that it is in the log",
        **texts(
            "Write receipt-INDEX.json, the receipt's exact octets, and receipt-INDEX.tlog-proof "
            "beside it: the path to a checkpoint of the log, and that checkpoint. With --policy "
            "one that its witnesses have cosigned. Whoever has both files and public keys can "
            "verify them for ever, without the log.",
            "lockgate receipts prove var/receipts 41 --output kept",
            "lockgate receipts prove https://gateway.example/log 41 --policy trust.policy",
        ),
    )
    prover.add_argument("log", metavar="STORE|URL", help="the log's folder, or where it is served")
    prover.add_argument("entry", metavar="ID|INDEX", help="a transfer id (all its attempts)")
    prover.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where to write (here)"
    )
    add_arguments(prover, vkey="must have signed the checkpoint; repeat")
    prover.set_defaults(run=telling(_prove))


def open_log(place: str) -> Folder | Website:
    """The log in a folder, or at an http:// or https:// URL. Raises `UnreadableError`."""
    try:
        return Website(place) if "://" in place else Folder(Path(place))
    except EvidenceError as error:
        raise UnreadableError(f"{place}: {error}") from None


def _prove(arguments: argparse.Namespace) -> int:
    demand = read_demand(arguments)
    log = open_log(arguments.log)
    with closing(log) if isinstance(log, Website) else nullcontext():
        indexes = _indexes(log, arguments.entry)
        checkpoint = find_checkpoint(
            log.load,
            demand.policy,
            vkeys=demand.vkeys,
            require=demand.require,
            holding=max(indexes) + 1,
        )
        for index in indexes:
            entry, proof = prove(log.load, index, checkpoint)
            name = f"receipt-{index}"
            _write(arguments.output / f"{name}.json", entry)
            _write(arguments.output / f"{name}.tlog-proof", render(proof))
            size = note.parse_checkpoint(note.parse(checkpoint).text).size
            entries = count(size, "entry", "entries")
            print(f"{arguments.output / name}.json and .tlog-proof: entry {index} of {entries}")
    for line in signers(demand, checkpoint):
        print(f"  {line}")
    return 0


def _indexes(log: Folder | Website, entry: str) -> list[int]:
    """The entries that are asked for. Raises `EvidenceError` where there are none."""
    if _INDEX.fullmatch(entry):
        return [int(entry)]
    query = Query(transfer_id=entry.lower())
    indexes = [found.index for found in Search(log).oldest(query)]
    if not indexes:
        raise EvidenceError(f"no entry is about the transfer {entry}")
    return indexes


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
