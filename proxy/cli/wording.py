"""How the command line speaks of itself: descriptions with examples, commands to type, numbers."""

import argparse
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WIDTH = 78


def texts(description: str, *examples: str) -> dict[str, Any]:
    """What argparse is told so that examples stay as they are: they are there to be pasted.

    A line of an example that another one follows ends in a backslash.
    """
    heading = "example" if len(examples) == 1 else "examples"
    lines = [textwrap.indent(example, "  ") for example in examples]
    return {
        "description": textwrap.fill(description, _WIDTH),
        "epilog": "\n".join([f"{heading}:", *lines]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def lockgate() -> list[str]:
    """The words that run this very program, from any folder."""
    beside = Path(sys.executable).with_name("lockgate")
    if beside.is_file():
        return [str(beside)]
    return [sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())"]


def called() -> list[str]:
    """The words that run this very program from this folder, as short as they can be."""
    ours, found, name = lockgate(), shutil.which("lockgate"), sys.argv[0]
    if found and Path(found).samefile(ours[0]):
        return ["lockgate"]
    return [name] if Path(name).name == "lockgate" and Path(name).is_file() else ours


def typed(words: Sequence[str]) -> str:
    """A command that begins with `lockgate`, as it can be typed here."""
    return shlex.join([*called(), *words[1:]])


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 value`, `2 values`, `3,000 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
