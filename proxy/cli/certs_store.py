"""The folder of a small authority: its book, its list, and pairs that are replaced as one.

    ca.pem ca.key     the authority
    ca.index          what it has issued and revoked, see proxy/tls/book.py
    ca.crl            its revocation list
    NAME.pem NAME.key             a pair
    NAME.next.pem NAME.next.key   the one that is to replace it

Rules
- One command at a time has the folder (flock).
- What is issued stands in the book before it stands in a file: nothing is unknown to the book.
- A pair is replaced through NAME.next.*: both are written and synced, then the key is renamed, then
  the certificate. Between the two the certificate on the disk does not fit its key, so that nobody
  takes them for a pair; who dies there leaves NAME.next.pem, and `rotate --finish` goes on.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from proxy.cli.certs_files import sync_folder, write_private, write_public
from proxy.errors import CredentialError
from proxy.tls.book import Book, make_crl, read_book
from proxy.tls.credentials import Credentials, load_credentials, parse_chain, parse_key
from proxy.tls.pki import Authority
from proxy.tls.revocation import read_crls

INDEX, LIST = "ca.index", "ca.crl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TAKEN = ("ca", "receipts", "log", "log-pq", "pseudonym")


@dataclass(slots=True)
class Store:
    """An authority's folder, held by this command alone."""

    folder: Path
    authority: Authority
    book: Book

    def save(self, book: Book) -> None:
        """Have the book on the disk before anything follows from it."""
        write_private(self.folder / INDEX, book.octets, force=True)
        sync_folder(self.folder)
        self.book = book

    def publish(self, lifetime: timedelta) -> int:
        """Write a new list; its number, which only grows. Valid for so long."""
        now, path = datetime.now(UTC), self.folder / LIST
        number = max(self.book.number, _number(path)) + 1
        crl = make_crl(self.authority, self.book, number, now, lifetime)
        self.save(self.book.listed(number, now + lifetime, now))
        write_public(path, crl, force=True)
        sync_folder(self.folder)
        return number

    # --- pairs -----------------------------------------------------------------------------------

    def path(self, name: str, kind: str) -> Path:
        """The file of a party: `pem`, `key`, `next.pem` or `next.key`."""
        return self.folder / f"{require_name(name)}.{kind}"

    def pair(self, name: str) -> Credentials:
        """Raises `CredentialError` and OSError."""
        return load_credentials(
            self.path(name, "pem").read_bytes(), self.path(name, "key").read_bytes()
        )

    def require_idle(self, name: str) -> None:
        """Raises `CredentialError` where a pair of this name waits to be put into place."""
        if os.path.lexists(self.path(name, "next.pem")):
            raise CredentialError(
                f"{self.path(name, 'next.pem')}: a rotation of {name} is under way; "
                "`certs rotate --finish` ends it"
            )

    def prepare(self, name: str, pair: Credentials) -> None:
        """Write what is to replace the pair of this name. Raises `CredentialError`."""
        self.require_idle(name)
        leaf = parse_chain(pair.certificate)[0]
        self.save(self.book.issued(name, leaf, datetime.now(UTC)))
        write_private(self.path(name, "next.key"), pair.key, force=True)
        write_public(self.path(name, "next.pem"), pair.certificate, force=True)
        sync_folder(self.folder)

    def finish(self, name: str) -> None:
        """Put what was prepared into place; goes on where a finish before was cut short."""
        prepared = self.path(name, "next.pem")
        if not prepared.exists():
            raise CredentialError(f"{prepared}: no rotation of {name} is under way")
        key = self.path(name, "next.key")
        key = key if key.exists() else self.path(name, "key")
        load_credentials(prepared.read_bytes(), key.read_bytes())
        key.replace(self.path(name, "key"))
        prepared.replace(self.path(name, "pem"))
        sync_folder(self.folder)


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The store in a folder, until the command ends. Raises `CredentialError` and OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _read(folder)
    finally:
        os.close(descriptor)


def _read(folder: Path) -> Store:
    pem, key = (folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()
    try:
        load_credentials(pem, key)
    except CredentialError as error:
        raise CredentialError(f"{folder / 'ca.pem'} and ca.key: {error}") from None
    chain = parse_chain(pem)
    below = tuple(each for each in chain if each.issuer != each.subject)
    authority = Authority(chain[0], parse_key(key), below)
    try:
        book = read_book((folder / INDEX).read_bytes())
    except FileNotFoundError:
        book = Book()  # one that was made before there were books
    return Store(folder, authority, book)


def _number(path: Path) -> int:
    """Of the list that is there, which may have been written by somebody else."""
    try:
        (crl, *_) = read_crls(path.read_bytes())
    except (FileNotFoundError, CredentialError):
        return 0
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def require_name(name: str) -> str:
    """Raises `CredentialError` for what is no name of a file, or of one that has another use."""
    if _NAME.fullmatch(name) is None or name in _TAKEN:
        raise CredentialError(
            f"{name!r} cannot be the name of a certificate: letters, digits, _ and -, "
            f"and none of {', '.join(_TAKEN)}"
        )
    return name
