"""The command line: one file a command group.

Each module has `register(commands)`, which adds its parser and sets `run`, a function of the parsed
arguments, and `unusable` where a configuration that cannot be used is no answer; `run` returns the
exit code: 0 done, 1 the answer is no, 2 usage or nothing is known, among
that: standard output took not all that there was to say. 141 when its reader has gone, as a shell
says of SIGPIPE.
"""

import argparse
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from proxy.cli.version import Version
from proxy.cli.wording import texts
from proxy.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MODULES = (
    "run",
    "check",
    "explain",
    "map",
    "review",
    "mask",
    "detokenize",
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
GROUPS = ("receipts", "mask")
"""Those whose shape depends on the words that follow: `register` is told them."""


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
    top.add_argument(
        "--version", action=Version, help="the version, and whether content goes by compiled code"
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
    if argv is not None:
        return _run(argv)
    output = _Output.install()
    code = 0
    try:
        try:
            code = _run(sys.argv[1:])
        finally:
            if output is not None:
                sys.stdout.flush()
    except BaseException:
        if output is None or output.failure is None:
            raise
    if output is not None and output.failure is not None:
        return output.end(output.failure)
    return code


def _run(words: Sequence[str]) -> int:
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
        return int(getattr(arguments, "unusable", 1))
    except KeyboardInterrupt:
        return 130
    return code


class _Output(io.FileIO):
    """Standard output, which remembers that it took something not: whoever writes to it may be deep
    in an event loop, and some, as argparse, do not say that they were not heard."""

    failure: OSError | None = None

    @classmethod
    def install(cls) -> "_Output | None":
        """In the place of `sys.stdout`; None where whoever started us has closed it."""
        if sys.stdout is None:
            return None
        theirs, ours = sys.stdout, cls(sys.stdout.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(ours),
            encoding=theirs.encoding,
            errors=theirs.errors,
            line_buffering=theirs.isatty(),
        )
        return ours

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise

    def end(self, failure: OSError) -> int:
        """The exit code, when all else has been done. What is still kept goes nowhere."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
        if failure.errno == errno.EPIPE:
            return 141
        sys.stderr.write(f"standard output: {failure.strerror}\n")
        return 2
