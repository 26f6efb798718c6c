"""`lockgate receipts`: what reads a log. Only `vkey` ever reads a private key.

One module a command, `receipts_<command>.py`, with `register(group)`: it adds its parser and sets
`run=telling(...)`. A new command is such a module and its name in `COMMANDS`.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from proxy.cli.wording import texts

COMMANDS: Final = ("list", "show", "export", "verify", "prove", "audit", "keys", "vkey")
"""In the order of the help; only the one that is asked for is imported."""


def register(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", words: Sequence[str] = ()
) -> None:
    """Add `receipts` and the command with which `words` begin, or else all of its commands."""
    parser = commands.add_parser(
        "receipts",
        help="read, verify and audit receipts",
        **texts(
            "Read a log of receipts, verify one receipt, audit the whole log; all of it offline.",
            "lockgate receipts list var/receipts",
        ),
    )
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS:
        import_module(f"proxy.cli.receipts_{name}").register(group)
