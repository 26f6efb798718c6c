"""`lockgate receipts verify --chain`: the receipts of all gateways that a transfer crossed."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from proxy.cli.receipts_files import UnreadableError, pieces, read, read_public_key
from proxy.cli.receipts_held import receipt_key, receipts
from proxy.cli.wording import count
from proxy.errors import CredentialError, EvidenceError
from proxy.receipt import chain, dsse, words
from proxy.receipt.measure import Measured, measure
from proxy.receipt.neighbours import POINTS, Point
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify

ALL = "all"
DEMANDS = (ALL, *POINTS)
"""What --require takes with --chain."""
_Numbered = tuple[int, Point]


class NotShownError(EvidenceError):
    """Points that were demanded are not shown. A line each, which may be printed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(lines[0])
        self.lines = tuple(lines)


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
    verify.add_argument(
        "--target", metavar="PATH", help="with --chain: what was asked for, /orders/7?x=y"
    )
    verify.add_argument("--json", action="store_true", help="with --chain: a line for programs")


def run_chain(arguments: argparse.Namespace) -> list[str]:
    """What there is to say of a chain that holds. Raises EvidenceError when it does not."""
    hops, beyond = _hops(arguments)
    content = None
    if arguments.content is not None:
        content = measure(pieces(arguments.content), [hop.receipt_key for hop in hops])
    links = chain.require_chain(hops, content, arguments.target, beyond)
    places = {} if content is None else _places(links, hops, content)
    points = [(link.number, point) for link in links for point in link.points]
    _require_shown(points, arguments.require)
    if arguments.json:
        return [_told_programs(links, hops, points, places if content is not None else None)]
    lines = [_headline(links, points)]
    for link, hop in zip(links, hops, strict=True):
        lines.append(f"hop {link.number}: signed by {dsse.key_id(hop.key)}")
        lines += [f"  {line}" for line in words.describe(link.statement)]
        lines += [_line(link.number, point) for point in link.points]
    if content is not None:
        named = ", ".join(f"hop {number} {' and '.join(sides)}" for number, sides in places.items())
        lines.append(f"{arguments.content}: this is the content that {named}")
    return lines


# --- what was given ------------------------------------------------------------------------------


def _hops(arguments: argparse.Namespace) -> tuple[list[chain.Hop], list[bytes]]:
    """As many as there are keys, and the envelopes of those behind them."""
    held = [each for path in arguments.file for each in receipts(path, read(path))]
    if arguments.receipt_key is not None:
        held[0] = held[0][0], receipt_key(arguments.receipt_key)
    keys = [read_public_key(path) for path in arguments.key]
    if len(held) == 1:
        chain.require_chain([chain.Hop(held[0][0], keys[0])])  # says what it misses
    if len(keys) > len(held):
        raise EvidenceError(_not_each("receipts are here", held, keys, "--key"))
    spkis: list[str | None] = [_spki(path) for path in arguments.certificate]
    if spkis and len(spkis) != len(keys):
        raise EvidenceError(_not_each("keys are given", keys, spkis, "--certificate"))
    near = zip(held, keys, spkis or [None] * len(keys), strict=False)
    hops = [chain.Hop(envelope, key, spki, opens) for (envelope, opens), key, spki in near]
    return hops, [envelope for envelope, _ in held[len(keys) :]]


def _not_each(what: str, wanted: Sequence[object], given: Sequence[object], option: str) -> str:
    return (
        f"{len(wanted)} {what}, and {option} was given {len(given)} times: "
        "give it once for each gateway, the sender's own first"
    )


def _spki(path: Path) -> str:
    try:
        return identify(parse_chain(read(path))[0]).spki_sha256.hex()
    except CredentialError as error:
        raise UnreadableError(f"{path}: {error}") from None


# --- what it comes to ----------------------------------------------------------------------------


def _places(
    links: Sequence[chain.Link], hops: Sequence[chain.Hop], content: Measured
) -> dict[int, list[str]]:
    """By the number of the hop, which side the content is of. Raises EvidenceError: of none."""
    found = {
        link.number: content.sides(link.statement, hop.receipt_key)
        for link, hop in zip(links, hops, strict=True)
    }
    places = {number: sides for number, sides in found.items() if sides}
    if not places:
        raise EvidenceError("the content is not what the receipts are about")
    return places


def _require_shown(points: Sequence[_Numbered], demands: Sequence[str]) -> None:
    missed = [
        _line(number, point)
        for number, point in points
        if not point.proven and (ALL in demands or point.name in demands)
    ]
    if missed:
        raise NotShownError(["not all that --require names is shown", *missed])


def _headline(links: Sequence[chain.Link], points: Sequence[_Numbered]) -> str:
    receipts_of = count(len(links), "receipt", "receipts")
    known = f"{receipts_of} of one transfer, each by the key of its gateway"
    missed = sum(not point.proven for _, point in points)
    if missed:
        total = count(len(points), "point", "points")
        return f"partly verified: {known}; {missed} of {total} not shown"
    return f"verified: {known}; every point is proven"


def _line(number: int, point: Point) -> str:
    shown = "proven" if point.proven else "not shown"
    return words.printable(f"hop {number} to {number + 1}: {point.name}: {shown}: {point.text}")


def _told_programs(
    links: Sequence[chain.Link],
    hops: Sequence[chain.Hop],
    points: Sequence[_Numbered],
    places: dict[int, list[str]] | None,
) -> str:
    told = {
        "proven": all(point.proven for _, point in points),
        "points": [
            {"hop": number, "point": point.name, "proven": point.proven, "text": point.text}
            for number, point in points
        ],
        "content": None if places is None else {str(hop): sides for hop, sides in places.items()},
        "hops": [
            {"hop": link.number, "signer": dsse.key_id(hop.key), "statement": link.statement}
            for link, hop in zip(links, hops, strict=True)
        ],
    }
    return json.dumps(told)
