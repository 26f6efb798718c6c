"""`lockgate detokenize`: gives encrypted values back, to whoever has the key."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from proxy.app.reveal import prepare_reveal
from proxy.cli.mask_files import failed, named_route, opened, written
from proxy.cli.mask_format import judge_kind
from proxy.cli.wording import count, texts
from proxy.content.inspector import Inspector
from proxy.content.reveal import Lock, Safe
from proxy.content.segments import normal, parse
from proxy.errors import Refusal
from proxy.settings.load import load
from proxy.settings.schema import ContentPolicy

_PIECE = 64 * 1024
_OWNER_ONLY = 0o600


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `detokenize`."""
    command = commands.add_parser(
        "detokenize",
        help="give encrypted values back",
        **texts(
            "Decrypt what the route NAME has encrypted: every token in the fields of FILE that it "
            "encrypts, or with --path single tokens, one a line. Of what the configuration names "
            "only the keys of that route's tokens are read. Exit code 1: a token does not open.",
            "lockgate detokenize config/gateway.yaml --route orders masked.ndjson -o orders.ndjson",
            "lockgate detokenize config/gateway.yaml --route orders --path '$.ssn' -",
            "lockgate detokenize config/gateway.yaml --route orders --path '$.ssn' enc:v1:cXTf6r",
        ),
    )
    command.add_argument("config", type=Path, metavar="CONFIG")
    command.add_argument(
        "file", metavar="FILE", help="`-` is standard input; with --path also a token itself"
    )
    command.add_argument("--route", required=True, metavar="NAME", help="whose tokens")
    command.add_argument("--response", action="store_true", help="those in its answers")
    command.add_argument(
        "--path", metavar="PATH",
        help="of single tokens: that of the rule, or `header NAME`, `query NAME`, `type NAME`",
    )  # fmt: skip
    command.add_argument("--format", metavar="FORMAT", help="of FILE, as for `lockgate mask`")
    command.add_argument("--coding", metavar="CODING", help="gzip or zstd, likewise")
    command.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="for its owner only; standard output"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plain octets to OUT, counts to standard error. Raises ConfigError."""
    loaded = load(arguments.config)
    position, route = named_route(loaded, arguments.route)
    policy = route.response if arguments.response else route.request
    safe, rules = prepare_reveal(loaded, position, response=arguments.response)
    try:
        if arguments.path is not None:
            _single(arguments, _lock(safe, policy, arguments.path), safe)
        else:
            kind = judge_kind(arguments.file, arguments.format, arguments.coding, policy)
            _file(arguments, rules.open(kind.format, kind.codings))
    except (Refusal, OSError, ValueError) as error:
        name = "the token" if arguments.file.startswith("enc:") else arguments.file
        return failed(error, name, partly=arguments.output is None)
    _tell(safe)
    return 0


def _lock(safe: Safe, policy: ContentPolicy, path: str) -> Lock:
    """Raises ValueError that names the places there are."""
    encrypting = sum(rule.action.encrypt is not None for rule in policy.mask)
    ours = safe.locks[:encrypting]
    wanted = {path, path.lower()} | ({_normal(path)} if path.startswith("$") else set())
    for lock in ours:
        if lock.place in wanted:
            return lock
    known = ", ".join(lock.written for lock in ours) or "nothing"
    raise ValueError(f"the route does not encrypt {path}; it encrypts: {known}")


def _normal(path: str) -> str:
    try:
        parse(path)
        return normal(path)
    except ValueError:
        raise ValueError(f"{path}: not a JSONPath") from None


def _file(arguments: argparse.Namespace, inspector: Inspector) -> None:
    """Raises Refusal, OSError."""
    with opened(arguments.file) as file, written(arguments.output, _OWNER_ONLY) as out:
        taken = False
        while piece := file.read(_PIECE):
            taken = True
            out.write(inspector.feed(piece))
        if taken:
            out.write(inspector.finish())


def _single(arguments: argparse.Namespace, lock: Lock, safe: Safe) -> None:
    """One value a line. Raises Refusal, OSError."""
    with written(arguments.output, _OWNER_ONLY) as out:
        for token in _tokens(arguments.file):
            value = safe.open(lock, token)
            if value is None:
                raise Refusal("unparseable", "a line is no token: enc:KEY:…")
            out.write(value.text + b"\n")


def _tokens(name: str) -> Iterator[bytes]:
    if name.startswith("enc:"):
        yield name.encode()
        return
    with opened(name) as file:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        if token := line.strip():
            yield token


def _tell(safe: Safe) -> None:
    for place, number in safe.opened.items():
        sys.stderr.write(f"{place}: {count(number, 'token')} opened\n")
    for place, number in safe.left.items():
        sys.stderr.write(f"{place}: {count(number, 'value')} left, no token\n")
    if not safe.opened:
        sys.stderr.write("no token was found\n")
