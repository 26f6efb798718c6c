"""`lockgate receipts keys`: how the receipt key changed, each new one signed by the one before."""

import argparse
from contextlib import closing, nullcontext
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli.receipts_files import Group, read_public_key, telling
from proxy.cli.receipts_prove import open_log
from proxy.cli.wording import texts
from proxy.errors import EvidenceError
from proxy.notary.website import Website
from proxy.receipt import dsse, keychain, reading
from proxy.receipt.keychain import KeyChain
from proxy.receipt.statement import EVENT_TYPE


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
        for index, envelope in log.entries():
            try:
                found = _follow(chain, index, envelope)
            except EvidenceError as error:
                raise EvidenceError(f"entry {index}: {error}") from None
            if found is not None:
                events.append((index, *found))
    print(f"# {dsse.key_id(first)}  the key that was given\n{_pem(chain, dsse.key_id(first))}")
    for index, completed, signer, keyid in events:
        print(f"# {keyid}  since entry {index}, {completed}, signed by {signer}")
        print(_pem(chain, keyid))
    return 0


def _follow(chain: KeyChain, index: int, envelope: bytes) -> tuple[str, str, str] | None:
    """(time, key that signed, key that it names) where this entry hands the key on.

    Raises `EvidenceError` where one that is not trusted at this place does so.
    """
    payload = dsse.parse(envelope).payload
    if EVENT_TYPE.encode() not in payload:
        return None
    summary = reading.summarise(payload)
    if summary.event != keychain.EVENT or summary.details is None:
        return None
    signer, _ = dsse.verify_by(envelope, chain.known)
    chain.require(signer)
    chain.follow(summary.details, signer, index)
    keyid = dsse.key_id(keychain.successor(summary.details)[1])
    return f"{summary.completed:%Y-%m-%dT%H:%M:%SZ}", signer, keyid


def _pem(chain: KeyChain, keyid: str) -> str:
    key = chain.known[keyid]
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()
