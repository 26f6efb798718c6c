"""`lockgate receipts keys`: how the receipt key changed, each new one signed by the one before."""

import argparse
from contextlib import closing, nullcontext
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli.receipts_files import Group, read_public_key, telling
from proxy.cli.receipts_prove import open_log
from proxy.cli.wording import texts
from proxy.errors import EvidenceError
from proxy.notary.query import Query
from proxy.notary.search import Found, Search
from proxy.notary.website import Website
from proxy.receipt import dsse, keychain
from proxy.receipt.keychain import KeyChain


def register(group: Group) -> None:
    keys = group.add_parser(
        "keys",
        help="show the chain of receipt keys",
        **texts(
            "Follow the receipt keys of a log from one that you trust: each later one is named by "
            "an entry that the one before it signed. Prints them as PEM, the last one is in "
            "force. Only those entries are verified here: see audit.",
            "lockgate receipts keys var/receipts --key certs/receipts.pub",
        ),
    )
    keys.add_argument("log", metavar="STORE|URL", help="the log's folder, or where it is served")
    keys.add_argument("--key", type=Path, required=True, help="a receipt key that you trust, PEM")
    keys.set_defaults(run=telling(_keys))


def _keys(arguments: argparse.Namespace) -> int:
    first = read_public_key(arguments.key)
    chain, events = KeyChain([first]), []
    log = open_log(arguments.log)
    with closing(log) if isinstance(log, Website) else nullcontext():
        for entry in Search(log).oldest(Query(kind=f"event:{keychain.EVENT}")):
            try:
                events.append(_follow(chain, entry))
            except EvidenceError as error:
                raise EvidenceError(f"entry {entry.index}: {error}") from None
    print(f"# {dsse.key_id(first)}  the key that was given\n{_pem(chain, dsse.key_id(first))}")
    for keyid, since in events:
        print(f"# {keyid}  {since}\n{_pem(chain, keyid)}")
    return 0


def _follow(chain: KeyChain, entry: Found) -> tuple[str, str]:
    """The key that an event names, and since when. Raises `EvidenceError` where it may not."""
    details = entry.summary.details or {}
    signer, _ = dsse.verify_by(entry.envelope, chain.known)
    chain.require(signer)
    chain.follow(details, signer, entry.index)
    since = f"{entry.summary.completed:%Y-%m-%dT%H:%M:%SZ}"
    _, key = keychain.successor(details)
    return dsse.key_id(key), f"since entry {entry.index}, {since}, signed by {signer}"


def _pem(chain: KeyChain, keyid: str) -> str:
    key = chain.known[keyid]
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()
