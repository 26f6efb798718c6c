"""`lockgate witness`: watches the logs of other gateways and cosigns them while they only grow."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from proxy.app.witness import WitnessServer, serve
from proxy.cli.certs import write_private
from proxy.cli.receipts_files import UnreadableError, read, telling
from proxy.cli.wording import texts
from proxy.errors import CredentialError, EvidenceError
from proxy.notary.watched import Key, Watched, load_key, vkey_of
from proxy.observe.log import Log
from proxy.receipt.vkey import NAME, Vkey, parse_vkey
from proxy.tls.keys import make_ed25519, make_mldsa44, private_pem

DEFAULT_BIND = "127.0.0.1:9292"
KEY = "witness.key"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    witness = commands.add_parser(
        "witness",
        help="watch other gateways' logs and cosign them",
        **texts(
            "Watch logs: cosign each checkpoint that continues the last one, and never another. "
            "Gateways that name this witness in receipts.policy offer theirs by themselves. "
            "--init makes the key and prints what goes into that policy.",
            "lockgate witness var/witness --name witness.site-b.example --init",
            "lockgate witness var/witness --name witness.site-b.example \\\n"
            "    --log receipts.site-a.example/gateway+7f190f8d+AQOhB7/zzhC+HXDdGOdLwJln5NYw…",
        ),
    )
    witness.add_argument("store", type=Path, metavar="STORE", help="remembers what was cosigned")
    witness.add_argument("--name", required=True, help="this witness, as its cosignatures say")
    witness.add_argument(
        "--key",
        type=Path,
        action="append",
        help=f"private PEM, Ed25519 or ML-DSA-44; repeat to sign with each (STORE/{KEY})",
    )
    witness.add_argument(
        "--log", action="append", default=[], metavar="VKEY", help="a log to watch; repeat"
    )
    witness.add_argument(
        "--bind", default=DEFAULT_BIND, metavar="ADDRESS", help=f"({DEFAULT_BIND}), or unix:PATH"
    )
    witness.add_argument(
        "--init",
        nargs="?",
        const="ed25519",
        choices=("ed25519", "ml-dsa-44"),
        help="make the key, print its vkey, and end",
    )
    witness.set_defaults(run=telling(_witness), usage_error=witness.error)


def _witness(arguments: argparse.Namespace) -> int:
    paths = arguments.key or [arguments.store / KEY]
    if not NAME.fullmatch(arguments.name):
        arguments.usage_error("a name has no spaces and no +")
    if arguments.init:
        if len(paths) > 1 or arguments.log:
            arguments.usage_error("--init makes one key, and watches nothing")
        return _init(paths[0], arguments.name, arguments.init)
    if not arguments.log:
        arguments.usage_error("name the logs to watch with --log")
    return _run(arguments, [_load(path) for path in paths])


def _init(path: Path, name: str, algorithm: str) -> int:
    key: Key = make_ed25519() if algorithm == "ed25519" else make_mldsa44()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, private_pem(key))
    except FileExistsError:
        raise CredentialError(f"{path}: is there already, and is not replaced") from None
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    print(vkey_of(name, key))
    return 0


def _load(path: Path) -> Key:
    try:
        return load_key(read(path))
    except CredentialError as error:
        raise UnreadableError(f"{path}: {error}") from None


def _run(arguments: argparse.Namespace, keys: Sequence[Key]) -> int:
    try:
        logs: list[Vkey] = [parse_vkey(text) for text in arguments.log]
    except EvidenceError as error:
        raise UnreadableError(f"--log: {error}") from None
    log = Log()
    watched = Watched(arguments.store, arguments.name, keys, logs, clock=time.time)
    try:
        server = WitnessServer(watched, arguments.bind, log)
        for vkey in watched.vkeys:
            print(vkey)
        sys.stdout.flush()

        def ready() -> None:
            sizes = {origin: latest.size for origin, latest in watched.latest.items()}
            log.info("ready", witness=server.address, logs=sizes)

        trio.run(serve, server, ready)
    finally:
        watched.close()
        log.close()
    return 0
