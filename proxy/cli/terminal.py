"""Where the command line writes for people: colours and motion where a terminal takes them."""

import sys

from rich.console import Console

from proxy.observe.log import takes_escapes


def console(*, stderr: bool = False, width: int | None = None, wrap: bool = False) -> Console:
    """What writes to a standard stream: without a single escape sequence where it is no terminal,
    where that is a dumb one, and where NO_COLOR is set (https://no-color.org)."""
    plain = not takes_escapes(sys.stderr if stderr else sys.stdout)
    return Console(
        stderr=stderr,
        width=width,
        highlight=False,
        soft_wrap=not wrap,
        force_terminal=not plain,
        no_color=plain,
    )


def moves(screen: Console) -> bool:
    """Whether a bar may move on it."""
    return screen.is_terminal
