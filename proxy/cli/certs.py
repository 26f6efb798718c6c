"""`lockgate certs`: makes a throwaway PKI, and shows what certificates and keys say.

Files with a private key are created with mode 0600 and O_EXCL: there is no moment in which another
user can read one, and nothing is overwritten without `--force` (then by rename, never in place).
"""

import argparse
import os
import secrets
import stat
import sys
from pathlib import Path

from proxy.cli import certs_show, certs_verify
from proxy.cli.wording import texts, typed
from proxy.errors import CredentialError
from proxy.tls.keys import make_ed25519, make_mldsa44, make_pseudonym, private_pem, public_pem
from proxy.tls.pki import BOTH, CLIENT, SERVER, Authority, issue, make_authority

PARTIES = {"gateway": BOTH, "client": CLIENT, "receiver": SERVER}
"""Name -> extended key usages. The gateway is a server to senders and a client to upstreams."""


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
            "that config/gateway.yaml names, in DIR. Nothing is replaced without --force. Not for "
            "production.",
            "lockgate certs init certs",
        ),
    )
    init.add_argument("directory", type=Path, metavar="DIR")
    init.add_argument("--force", action="store_true", help="replace what is there")
    init.set_defaults(run=run_init)
    inspect = actions.add_parser(
        "inspect",
        help="show certificates; key material is never shown",
        **texts(
            "Show who the certificates in each FILE are for, how long, and their pins; of CRLs "
            "and public keys what there is to say. Key material is never shown.",
            "lockgate certs inspect certs/gateway.pem certs/ca.pem",
        ),
    )
    inspect.add_argument("files", type=Path, nargs="+", metavar="FILE")
    inspect.set_defaults(run=certs_show.run_inspect)
    pin = actions.add_parser(
        "pin",
        help="print the pin of each certificate or public key",
        **texts(
            "Print the pin (sha256:…) of each certificate or public key in FILE, as a "
            "configuration and `lockgate send --pin` take it.",
            "lockgate certs pin certs/gateway.pem",
        ),
    )
    pin.add_argument("file", type=Path, metavar="FILE")
    pin.set_defaults(run=certs_show.run_pin)
    certs_verify.register(actions)


def run_init(arguments: argparse.Namespace) -> int:
    """Make the folder, list it, and name the next command."""
    directory: Path = arguments.directory
    try:
        make_folder(directory, force=arguments.force)
    except CredentialError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or directory}: {error.strerror}\n")
        return 1
    for name, what in contents().items():
        print(f"  {directory / name!s:<32} {what}")
    print("\nA throwaway PKI, good for 398 days on this machine. Not for production.")
    for prompt, command in zip(("Next:", "     "), _next(directory), strict=False):
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
    listing = {"ca.pem": "the authority that all of them trust", "ca.key": "its key: keep it away"}
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
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CredentialError(f"{directory}: others may write here; keys would not be safe")
    if not force:
        _require_absent(directory)
    authority = make_authority()
    private, public = {"ca.key": authority.key}, {"ca.pem": authority.pem}
    for name, usages in PARTIES.items():
        credentials = issue(authority, name, usages=usages)
        private[f"{name}.key"], public[f"{name}.pem"] = credentials.key, credentials.certificate
    receipts = make_ed25519()
    private["receipts.key"], public["receipts.pub"] = private_pem(receipts), public_pem(receipts)
    private["log.key"] = private_pem(make_ed25519())
    private["log-pq.key"] = private_pem(make_mldsa44())
    private["pseudonym.key"] = make_pseudonym()
    for name, content in private.items():
        write_private(directory / name, content, force=force)
    for name, content in public.items():
        write_public(directory / name, content, force=force)
    return authority


def write_private(path: Path, content: bytes, *, force: bool = False) -> None:
    """Create `path` with mode 0600. Raises FileExistsError unless `force`."""
    _write(path, content, 0o600, force)


def write_public(path: Path, content: bytes, *, force: bool = False) -> None:
    """Create `path` with mode 0644 (less the umask). Raises FileExistsError unless `force`."""
    _write(path, content, 0o644, force)


def _require_absent(directory: Path) -> None:
    there = [name for name in contents() if os.path.lexists(directory / name)]
    if there:
        names = ", ".join(there)
        raise CredentialError(f"{directory}: would overwrite {names}; --force replaces them")


def _write(path: Path, content: bytes, mode: int, force: bool) -> None:
    target = path.with_name(f".{path.name}.{secrets.token_hex(8)}") if force else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if force:
        target.replace(path)
