"""The command line: one file a command group.

Each module has `register(commands)`, which adds its parser and sets `run`, a function of the parsed
arguments that returns the exit code: 0 done, 1 the answer is no, 2 usage.
"""

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType

from proxy.cli import certs, check, demo, health, receipts, receive, run, send
from proxy.errors import ConfigError

MODULES: tuple[ModuleType, ...] = (run, check, health, certs, receipts, send, receive, demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="lockgate",
        description="A secure transfer proxy: authenticated, masked, checked and receipted.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in MODULES:
        module.register(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return code
