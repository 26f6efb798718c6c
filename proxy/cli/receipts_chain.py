"""`lockgate receipts verify --chain`: the receipts of all gateways that a transfer crossed."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from proxy.cli.receipts_files import UnreadableError, read, read_public_key
from proxy.cli.receipts_held import Held, receipt_key, receipts, sides
from proxy.errors import CredentialError, EvidenceError
from proxy.receipt import chain, dsse, words
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify


def add_arguments(verify: argparse.ArgumentParser) -> None:
    verify.add_argument(
        "--chain",
        action="store_true",
        help="verify the receipts of all gateways, and that each goes on where the one before ends",
    )
    verify.add_argument(
        "--certificate",
        action="append",
        type=Path,
        default=[],
        metavar="PEM",
        help="with --chain: what each gateway shows to its neighbours; repeat, in order",
    )


def run_chain(arguments: argparse.Namespace) -> list[str]:
    """What there is to say of a chain that holds. Raises EvidenceError when it does not."""
    content = None if arguments.content is None else read(arguments.content)
    hops = _hops(arguments)
    links = chain.require_chain(hops, content)
    lines = [f"verified: {len(links)} receipts of one transfer, each by the key of its gateway"]
    for link, hop in zip(links, hops, strict=True):
        lines.append(f"hop {link.number}: signed by {dsse.key_id(hop.key)}")
        lines += [f"  {line}" for line in words.describe(link.statement)]
        lines += [f"hop {link.number} to {link.number + 1}: {line}" for line in link.agreed]
    if content is not None:
        places = list(_places(links, hops, content))
        if not places:
            raise EvidenceError("the content is not what the receipts are about")
        lines.append(f"{arguments.content}: this is the content that {', '.join(places)}")
    return lines


def _hops(arguments: argparse.Namespace) -> list[chain.Hop]:
    held = [each for path in arguments.file for each in receipts(path, read(path))]
    if arguments.receipt_key is not None:
        held[0] = held[0][0], receipt_key(arguments.receipt_key)
    keys = [read_public_key(path) for path in arguments.key]
    _require_one_each(held, keys, "--key")
    spkis: list[str | None] = [_spki(path) for path in arguments.certificate]
    if spkis:
        _require_one_each(held, spkis, "--certificate")
    return [
        chain.Hop(envelope, key, spki, opens)
        for (envelope, opens), key, spki in zip(
            held, keys, spkis or [None] * len(held), strict=True
        )
    ]


def _require_one_each(held: Held, given: Sequence[object], option: str) -> None:
    if len(given) != len(held):
        raise EvidenceError(
            f"{len(held)} receipts are here, and {option} was given {len(given)} times: "
            "give it once for each gateway, the sender's own first"
        )


def _spki(path: Path) -> str:
    try:
        return identify(parse_chain(read(path))[0]).spki_sha256.hex()
    except CredentialError as error:
        raise UnreadableError(f"{path}: {error}") from None


def _places(
    links: Sequence[chain.Link], hops: Sequence[chain.Hop], content: bytes
) -> Iterator[str]:
    for link, hop in zip(links, hops, strict=True):
        keys = [] if hop.receipt_key is None else [hop.receipt_key]
        if found := sides(link.statement, content, keys):
            yield f"hop {link.number} {' and '.join(found)}"
