"""The command line: one file a command group.

Each module has `register(commands)`, which adds its parser and sets `run`, a function of the parsed
arguments that returns the exit code: 0 done, 1 the answer is no, 2 usage.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from proxy.cli.wording import texts
from proxy.errors import ConfigError

MODULES = (
    "run",
    "check",
    "health",
    "certs",
    "receipts",
    "witness",
    "send",
    "receive",
    "demo",
    "completion",
)
"""One for each command, and of its name; only the one that is asked for is imported."""
GROUPS = ("receipts",)
"""Those whose commands have modules of their own: `register` is told the words that follow."""


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """What reads these words; without any, those of all commands."""
    top = argparse.ArgumentParser(
        prog="lockgate",
        **texts(
            "A secure transfer proxy: what crosses is authenticated, masked, checked and "
            "receipted. `lockgate COMMAND --help` explains a command.",
            "lockgate demo",
            "lockgate check config/gateway.yaml",
        ),
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    known = words[:1] if words[:1] and words[0] in MODULES else MODULES
    for name in known:
        module = import_module(f"proxy.cli.{name}")
        if name in GROUPS:
            module.register(commands, words[1:])
        else:
            module.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    gc.disable()  # importing makes much and drops nothing: a fifth of a start was looking for it
    try:
        arguments = parser(words).parse_args(words)
    finally:
        gc.enable()
    try:
        code: int = arguments.run(arguments)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return code
