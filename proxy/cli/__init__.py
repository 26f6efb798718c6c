"""The command line: one file a command group.

Each module has `register(commands)`, which adds its parser and sets `run`, a function of the parsed
arguments that returns the exit code: 0 done, 1 the answer is no, 2 usage.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from proxy.errors import ConfigError

MODULES = ("run", "check", "health", "certs", "receipts", "send", "receive", "demo")
"""One for each command, and of its name; only the one that is asked for is imported."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="lockgate",
        description="A secure transfer proxy: authenticated, masked, checked and receipted.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in words[:1] if words[:1] and words[0] in MODULES else MODULES:
        import_module(f"proxy.cli.{name}").register(commands)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.run(arguments)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return code
