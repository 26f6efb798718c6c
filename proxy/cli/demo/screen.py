"""How the demo speaks: rich on a terminal, plain text elsewhere; what it shows is never markup."""

import re
import sys
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from proxy.cli.terminal import console

_WIDTH = 112
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
"""A word of a command, with what it quotes."""


class Screen:
    """Writes to standard output."""

    def __init__(self) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a check mark must not end the demo
        terminal = sys.stdout.isatty()
        self.console = console(width=None if terminal else _WIDTH, wrap=True)
        if terminal and self.console.width > _WIDTH:
            self.console = console(width=_WIDTH, wrap=True)
        self.step_number = 0

    def title(self, text: str, below: str) -> None:
        """The first thing a visitor sees."""
        body = Text(text, style="bold") + Text(f"\n{below}", style="not bold")
        self.console.print(Panel(body, box=box.ROUNDED, border_style="cyan", padding=(0, 2)))

    def step(self, heading: str, *sentences: str) -> None:
        """A new step: what is going to happen, in plain words."""
        self.step_number += 1
        self.console.print()
        line = Text(f"{self.step_number}  {heading}", style="bold cyan")
        self.console.print(Rule(line, align="left", style="cyan"))
        for sentence in sentences:
            self.say(sentence)

    def say(self, sentence: str) -> None:
        self._print(Text(sentence), 2)

    def command(self, text: str) -> None:
        """A command as it was run, broken so that it can be copied and typed again."""
        width = self.console.width - 6
        lines = [""]
        for word in _WORD.findall(text):
            if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
                lines.append("    ")
            lines[-1] += f" {word}" if lines[-1].strip() else word
        for line in lines[:-1]:
            self._print(Text(f"{'$ ' if line is lines[0] else '  '}{line} \\", style="dim"), 2)
        self._print(Text(f"{'$ ' if len(lines) == 1 else '  '}{lines[-1]}", style="dim"), 2)

    def verdict(self, status: object, verdict: str, why: str = "") -> None:
        """How a transfer ended."""
        good = verdict == "delivered"
        text = Text(f"{status} {verdict}", style="bold green" if good else "bold yellow")
        text.append(f"  {why}" if why else "", style="not bold default")
        line = Text("=> ", no_wrap=True, overflow="ellipsis").append_text(text)
        self._print(line, 2)

    def checked(self, *claims: str) -> None:
        """Claims that have been checked by the program, and hold."""
        for claim in claims:
            line = Text("✓ ", style="green").append(claim, style="default")
            self._print(line, 2)

    def failed(self, text: str) -> None:
        self._print(Text(f"✗ not as told: {text}", style="bold red"), 2)

    def quote(self, lines: Iterable[str], style: str = "") -> None:
        """What a command said."""
        for line in lines:
            self._print(Text(f"| {line}", style=style, no_wrap=True, overflow="ellipsis"), 4)

    def beside(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Two versions of the same lines; those that differ are marked."""
        table = self._table("what was sent", "what the receiver has")
        for old, new in zip(before, after, strict=True):
            differs = old != new
            table.add_row(
                _cell(old, new, "bold red"),
                Text(">" if differs else "", style="cyan"),
                _cell(new, old, "bold green"),
            )
        self._print(table, 2)

    def fields(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(name, before, after): those that differ are marked."""
        table = self._table("what was sent", "what the receiver has", first="field")
        for name, old, new in rows:
            mark = Text(">" if old != new else "", style="cyan")
            style = ("bold red", "bold green") if old != new else ("", "")
            cells = (Text(_short(old), style=style[0]), mark, Text(_short(new), style=style[1]))
            table.add_row(Text(name), *cells)
        self._print(table, 2)

    def counts(self, heading: tuple[str, str], rows: Iterable[tuple[str, object]]) -> None:
        """Two columns, the second of numbers."""
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="bold")
        table.add_column(heading[0], overflow="fold")
        table.add_column(heading[1], justify="right")
        for name, number in rows:
            table.add_row(Text(name), str(number))
        self._print(table, 2)

    def _print(self, what: RenderableType, indent: int) -> None:
        """Indented, and without blanks at the ends of lines."""
        options = self.console.options.update(width=self.console.width - indent)
        for line in self.console.render_lines(what, options, pad=False):
            text = Text(" " * indent)
            for segment in line:
                text.append(segment.text, segment.style)
            text.rstrip()
            self.console.print(text, soft_wrap=True)

    @staticmethod
    def _table(before: str, after: str, first: str | None = None) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="bold")
        if first is not None:
            table.add_column(first)
        table.add_column(before, overflow="fold", ratio=12)
        table.add_column("")
        table.add_column(after, overflow="fold", ratio=13)
        return table


def _cell(line: str, other: str, style: str) -> Text:
    """The line, with what the other one does not have set off."""
    text = Text(line)
    if line == other:
        return text
    blocks = SequenceMatcher(None, line, other, autojunk=False).get_matching_blocks()
    head = blocks[0].size if blocks[0].a == blocks[0].b == 0 else 0
    tail = 0
    while tail < min(len(line), len(other)) - head and line[-1 - tail] == other[-1 - tail]:
        tail += 1
    text.stylize(style, head, len(line) - tail)
    return text


def _short(text: str, length: int = 160) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
