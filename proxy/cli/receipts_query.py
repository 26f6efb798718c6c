"""What `list` and `export` are asked: which log, which of its entries, in which order."""

import argparse
import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from proxy.cli.receipts_files import UnreadableError
from proxy.errors import PROBLEMS, EvidenceError
from proxy.model import Verdict
from proxy.notary.folder import Folder
from proxy.notary.query import Query
from proxy.notary.search import Found, Search
from proxy.notary.website import Website
from proxy.receipt.statement import EVENTS

_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII
)
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_AGO: Final = re.compile(r"(\d{1,6})(s|min|m|h|d)(?: ago)?", re.ASCII)
_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_TIMES: Final = "RFC 3339, a date, today, yesterday, or 2h ago (s, min, h, d); UTC"


def add_log(parser: argparse.ArgumentParser) -> None:
    """The log itself."""
    parser.add_argument("log", metavar="STORE|URL", help="the log's folder, or where it is served")


def add_query(parser: argparse.ArgumentParser) -> None:
    """Which entries, and in which order."""
    which = parser.add_argument_group("which entries (all that is given must hold)")
    which.add_argument(
        "--since", type=moment, metavar="TIME", help=f"completed then or later: {_TIMES}"
    )
    which.add_argument("--until", type=moment, metavar="TIME", help="completed then or earlier")
    which.add_argument("--peer", metavar="NAME", help="the sender; * stands for anything in it")
    which.add_argument("--route", metavar="NAME")
    kind = which.add_mutually_exclusive_group()
    kind.add_argument("--verdict", choices=[verdict.value for verdict in Verdict])
    kind.add_argument("--event", choices=[*EVENTS, "any"], help="of the gateway itself")
    which.add_argument(
        "--problem", choices=sorted(PROBLEMS), metavar="CODE", help="as answers say it"
    )
    which.add_argument("--id", type=transfer_id, metavar="UUID", help="transfer id")
    which.add_argument("--digest", type=_digest, help="SHA-256 of what was delivered: hexadecimal")
    order = parser.add_argument_group("how many, in which order")
    order.add_argument("-n", "--lines", type=_lines, metavar="N", help="the newest N of them")
    order.add_argument("-r", "--reverse", action="store_true", help="newest first")
    order.add_argument("--no-index", action="store_true", help="read the log, not its index")


@contextmanager
def open_search(arguments: argparse.Namespace) -> Iterator[Search]:
    """The log that was named. Raises `UnreadableError` and `EvidenceError`, which says where."""
    place: str = arguments.log
    try:
        log = Website(place) if "://" in place else Folder(Path(place))
    except EvidenceError as error:
        raise UnreadableError(f"{place}: {error}") from None
    with closing(log) if isinstance(log, Website) else nullcontext():
        try:
            yield Search(log, by_index=not getattr(arguments, "no_index", False))
        except UnreadableError:
            raise
        except EvidenceError as error:
            raise EvidenceError(f"{place}: {error}") from None


def asked(arguments: argparse.Namespace, search: Search) -> Iterator[Found]:
    """The entries that are asked for, as they are asked for."""
    query = _query(arguments)
    if arguments.lines is None:
        return search.newest(query) if arguments.reverse else search.oldest(query)
    return search.latest(query, arguments.lines, newest_first=arguments.reverse)


def _query(arguments: argparse.Namespace) -> Query:
    kind: str | None = arguments.verdict
    if arguments.event is not None:
        kind = f"event:{'*' if arguments.event == 'any' else arguments.event}"
    return Query(
        since=arguments.since,
        until=arguments.until,
        peer=arguments.peer,
        route=arguments.route,
        kind=kind,
        problem=arguments.problem,
        transfer_id=arguments.id,
        digest=arguments.digest,
    )


def moment(text: str, now: datetime | None = None) -> datetime:
    """A time as people say it; a date is its midnight, and what has no offset is UTC."""
    now = now or datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("now", "today", "yesterday"):
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[text]
    try:
        found = _past(text, now) or _instant(text)
        if not 1970 <= found.year <= 9998:
            raise ValueError
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: {_TIMES}") from None
    return found


def _past(text: str, now: datetime) -> datetime | None:
    ago = _AGO.fullmatch(text)
    return None if ago is None else now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])


def _instant(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError
    found = datetime.fromisoformat(text.upper())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _digest(text: str) -> bytes:
    """Hexadecimal, as `sha256sum` prints it, or as `Content-Digest` has it (RFC 9530)."""
    try:
        if text.startswith("sha-256=:") and text.endswith(":"):
            octets = base64.b64decode(text[9:-1], validate=True)
        else:
            octets = bytes.fromhex(text.removeprefix("sha256:"))
    except (ValueError, binascii.Error):
        octets = b""
    if len(octets) != 32:
        raise argparse.ArgumentTypeError("not a SHA-256 digest: 64 hexadecimal digits")
    return octets


def transfer_id(text: str) -> str:
    """An id as receipts have it."""
    if _UUID.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("not a transfer id, which is a UUID")
    return text.lower()


def _lines(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 12):
        raise argparse.ArgumentTypeError("not a number of entries")
    return int(text)
