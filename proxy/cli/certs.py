"""`lockgate certs`: makes a throwaway PKI, and shows what certificates and keys say.

Files with a private key are created with mode 0600 and O_EXCL: there is no moment in which another
user can read one, and nothing is overwritten without `--force` (then by rename, never in place).
"""

import argparse
import os
import stat
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.cli import certs_issue, certs_jwk, certs_revoke, certs_show, certs_verify
from proxy.cli.certs_files import answering, write_private, write_public
from proxy.cli.certs_store import INDEX, LIST, Store
from proxy.cli.wording import texts, typed
from proxy.errors import CredentialError
from proxy.tls.book import Book
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.keys import make_ed25519, make_mldsa44, make_pseudonym, private_pem, public_pem
from proxy.tls.pki import BOTH, CLIENT, SERVER, Authority, issue, make_authority

__all__ = ["contents", "make_folder", "register", "run_init", "write_private", "write_public"]

PARTIES = {"gateway": BOTH, "client": CLIENT, "receiver": SERVER}
"""Name -> extended key usages. The gateway is a server to senders and a client to upstreams."""


_AUTHORITY = {
    "ca.pem": "the authority that all of them trust",
    "ca.key": "its key: keep it away",
    INDEX: "what it has issued and revoked",
    LIST: "its revocation list",
}
_AUTHORITY_LIFETIME = timedelta(days=3650)
_LIST_LIFETIME = timedelta(days=30)


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `certs` and its commands."""
    certs = commands.add_parser(
        "certs",
        help="make and inspect certificates and keys",
        **texts(
            "Make a throwaway PKI to try things with, and show what certificates and keys say.",
            "lockgate certs init certs",
        ),
    )
    actions = certs.add_subparsers(title="commands", required=True, metavar="COMMAND")
    init = actions.add_parser(
        "init",
        help="make a throwaway CA, certificates and keys",
        **texts(
            "Make an authority, certificates for a gateway, a client and a receiver, and all keys "
            "that config/gateway.yaml names, in DIR: to try things with, not for production. With "
            "--authority make an authority alone, for a small site. Nothing is replaced without "
            "--force.",
            "lockgate certs init certs",
            "lockgate certs init ca --authority 'Acme Transfer CA'",
        ),
    )
    init.add_argument("directory", type=Path, metavar="DIR")
    init.add_argument("--force", action="store_true", help="replace what is there")
    init.add_argument(
        "--authority",
        metavar="NAME",
        help="make an authority of this name and nothing else, for `certs issue`",
    )
    init.add_argument(
        "--lifetime",
        type=certs_issue.lifetime,
        metavar="TIME",
        help="of that authority; 3650d if not given",
    )
    init.set_defaults(run=run_init)
    certs_issue.register(actions)
    certs_jwk.register(actions)
    certs_revoke.register(actions)
    certs_show.register(actions)
    certs_verify.register(actions)


@answering
def run_init(arguments: argparse.Namespace) -> int:
    """Make the folder, list it, and name the next command."""
    directory: Path = arguments.directory
    if arguments.authority is not None:
        life = arguments.lifetime or _AUTHORITY_LIFETIME
        authority = make_authority(arguments.authority, lifetime=life, organization=None)
        _prepare(directory, _AUTHORITY, force=arguments.force)
        _write_authority(directory, authority, {}, force=arguments.force)
        listed, closing = _AUTHORITY, "Keep ca.key off every gateway."
        following = [
            ["lockgate", "certs", "issue", str(directory), "NAME", "--dns", "NAME.example"]
        ]
    else:
        make_folder(directory, force=arguments.force)
        listed, following = contents(), _next(directory)
        closing = "A throwaway PKI, good for 398 days on this machine. Not for production."
    for name, what in listed.items():
        print(f"  {directory / name!s:<32} {what}")
    print(f"\n{closing}")
    for prompt, command in zip(("Next:", "     "), following, strict=False):
        print(prompt, typed(command))
    return 0


def _next(directory: Path) -> list[list[str]]:
    """The commands that somebody new wants now: the example's keys are in ./certs."""
    example = Path("config/gateway.yaml")
    if example.is_file() and directory.resolve() == Path("certs").resolve():
        return [["lockgate", "check", str(example)], ["lockgate", "run", str(example)]]
    return [["lockgate", "certs", "inspect", str(directory / "gateway.pem")]]


def contents() -> dict[str, str]:
    """File name -> what it is, in the order in which they are listed."""
    listing = dict(_AUTHORITY)
    for name in PARTIES:
        listing[f"{name}.pem"] = f"certificate of the {name}"
        listing[f"{name}.key"] = "its key"
    return listing | {
        "receipts.key": "signs receipts (Ed25519)",
        "receipts.pub": "verifies them: give it to senders and auditors",
        "log.key": "signs checkpoints of the log (Ed25519)",
        "log-pq.key": "signs them a second time (ML-DSA-44)",
        "pseudonym.key": "keys the pseudonyms that masking writes",
    }


def make_folder(directory: Path, *, force: bool = False) -> Authority:
    """Make the PKI of `contents()` in `directory`, which is created with mode 0700 if need be.

    Returns the authority, so that a caller can issue more. Raises `CredentialError` when anything
    would be overwritten or the directory is writable by others, and OSError; then nothing, or only
    new files, were written.
    """
    _prepare(directory, contents(), force=force)
    authority = make_authority()
    private, public, issued = {}, {}, {}
    for name, usages in PARTIES.items():
        issued[name] = credentials = issue(authority, name, usages=usages)
        private[f"{name}.key"], public[f"{name}.pem"] = credentials.key, credentials.certificate
    receipts = make_ed25519()
    private["receipts.key"], public["receipts.pub"] = private_pem(receipts), public_pem(receipts)
    private["log.key"] = private_pem(make_ed25519())
    private["log-pq.key"] = private_pem(make_mldsa44())
    private["pseudonym.key"] = make_pseudonym()
    _write_authority(directory, authority, issued, force=force)
    for name, content in private.items():
        write_private(directory / name, content, force=force)
    for name, content in public.items():
        write_public(directory / name, content, force=force)
    return authority


def _prepare(directory: Path, names: Iterable[str], *, force: bool) -> None:
    """Raises `CredentialError` where keys would not be safe, or anything would be overwritten."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CredentialError(f"{directory}: others may write here; keys would not be safe")
    there = [name for name in names if os.path.lexists(directory / name)]
    if there and not force:
        listed = ", ".join(there)
        raise CredentialError(f"{directory}: would overwrite {listed}; --force replaces them")


def _write_authority(
    directory: Path, authority: Authority, issued: Mapping[str, Credentials], *, force: bool
) -> None:
    """The authority, the book of what it has issued, and its first list."""
    write_private(directory / "ca.key", authority.key, force=force)
    write_public(directory / "ca.pem", authority.pem, force=force)
    book = Book()
    for name, pair in issued.items():
        book = book.issued(name, parse_chain(pair.certificate)[0], datetime.now(UTC))
    Store(directory, authority, book).publish(_LIST_LIFETIME)
