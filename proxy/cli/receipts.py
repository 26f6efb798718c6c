"""`lockgate receipts`: what reads a log. Only `vkey` ever reads a private key.

One module a command, `receipts_<command>.py`, with `register(group)`: it adds its parser and sets
`run=telling(...)`. A new command is such a module and its name in `COMMANDS`.
"""

import argparse
from importlib import import_module
from typing import Final

from proxy.cli.wording import texts

COMMANDS: Final = ("list", "show", "export", "verify", "prove", "audit", "keys", "vkey")
"""In the order of the help."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `receipts` and its commands."""
    parser = commands.add_parser(
        "receipts",
        help="read, verify and audit receipts",
        **texts(
            "Read a log of receipts, verify one receipt, audit the whole log; all of it offline.",
            "lockgate receipts list var/receipts",
        ),
    )
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"proxy.cli.receipts_{name}").register(group)
