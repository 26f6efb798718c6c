"""`lockgate certs revoke` and `list`: what a small authority has issued, and takes back."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from proxy.cli.certs_files import answering
from proxy.cli.certs_issue import lifetime
from proxy.cli.certs_store import LIST, Store, opened
from proxy.cli.wording import count, texts, typed
from proxy.errors import CredentialError
from proxy.tls.book import REASONS, Entry, told
from proxy.tls.credentials import parse_chain

_LIFETIME: Final = timedelta(days=30)


def register(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `revoke` and `list` to the commands of `certs`."""
    revoke = actions.add_parser(
        "revoke",
        help="take certificates back: writes the authority's revocation list",
        **texts(
            "Revoke each CERTIFICATE of the authority in DIR and write its list, DIR/ca.crl, with "
            "the next number. A certificate is the NAME of its files or a serial number; older "
            "ones of a name, from before a renewal, go by their numbers, which are told. Without "
            "any, the list is only written anew: do that before its nextUpdate.",
            "lockgate certs revoke ca client --reason keyCompromise",
            "lockgate certs revoke ca",
        ),
    )
    revoke.add_argument("directory", type=Path, metavar="DIR", help="of the authority")
    revoke.add_argument("certificates", nargs="*", metavar="CERTIFICATE", help="NAME or serial")
    revoke.add_argument("--reason", choices=REASONS, default="unspecified", help="RFC 5280, 5.3.1")
    revoke.add_argument(
        "--next-update",
        type=lifetime,
        default=_LIFETIME,
        metavar="TIME",
        help="how long the list holds; 30d if not given",
    )
    revoke.set_defaults(run=run_revoke)
    listed = actions.add_parser(
        "list",
        help="what an authority has issued, and what became of it",
        **texts(
            "List what the authority in DIR has issued: state (valid, expired, revoked, "
            "not-yet-valid), end, serial number, name and names.",
            "lockgate certs list ca",
            "lockgate certs list ca --json",
        ),
    )
    listed.add_argument("directory", type=Path, metavar="DIR", help="of the authority")
    listed.add_argument("--json", action="store_true", help="one line for each, for programs")
    listed.set_defaults(run=run_list)


@answering
def run_revoke(arguments: argparse.Namespace) -> int:
    """All of them, or none; then the list."""
    with opened(arguments.directory) as store:
        book, now = store.book, datetime.now(UTC)
        serials = [_serial(store, text) for text in arguments.certificates]
        for serial in serials:
            book = book.revoked(serial, arguments.reason, now)
        store.save(book)  # also where the list cannot be written, they are revoked in the next
        number = store.publish(arguments.next_update)
        for serial in serials:
            entry = store.book.entry(serial)
            print(f"revoked  {serial:x}  {entry.name}  {', '.join(entry.names)}")
        revoked = sum(entry.revoked is not None for entry in store.book.entries)
        until = now + arguments.next_update
        print(
            f"{store.folder / LIST}: number {number}, {count(revoked, 'certificate')}, "
            f"next update before {until:%Y-%m-%d %H:%M}Z"
        )
        _tell_of_others(store, arguments.certificates, now)
    return 0


def _tell_of_others(store: Store, revoked: list[str], now: datetime) -> None:
    """Who takes back what stands in a file has not taken back what stood there before."""
    left = [
        entry
        for entry in store.book.entries
        if entry.name in revoked and entry.state(now) in ("valid", "not-yet-valid")
    ]
    if left:
        print(
            "\nOthers of these names are valid still, older or yet to come. To revoke them too:\n"
        )
        serials = [f"{entry.serial:x}" for entry in left]
        print("   ", typed(["lockgate", "certs", "revoke", str(store.folder), *serials]))


def _serial(store: Store, text: str) -> int:
    """Of a name's certificate, or the serial number that was given."""
    known = {entry.name for entry in store.book.entries}
    if text in known:
        path = store.path(text, "pem")
        if path.exists():
            return parse_chain(path.read_bytes())[0].serial_number
        entries = [entry for entry in store.book.entries if entry.name == text]
        return entries[-1].serial
    try:
        return store.book.entry(int(text, 16)).serial
    except ValueError:
        raise CredentialError(f"{text!r}: no name and no serial number of this authority") from None


@answering
def run_list(arguments: argparse.Namespace) -> int:
    """In the order in which they were issued."""
    now = datetime.now(UTC)
    with opened(arguments.directory) as store:
        for entry in store.book.entries:
            print(_line(entry, now) if arguments.json else _row(entry, now))
    return 0


def _line(entry: Entry, now: datetime) -> str:
    said = {"state": entry.state(now)} | told(entry)
    if entry.revoked is not None:
        said |= {"revoked": f"{entry.revoked:%Y-%m-%dT%H:%M:%SZ}", "reason": entry.reason}
    return json.dumps(said)


def _row(entry: Entry, now: datetime) -> str:
    state, names = entry.state(now), ", ".join(entry.names)
    return f"{state:<13}  {entry.not_after:%Y-%m-%d}  {entry.serial:<40x}  {entry.name}  {names}"
