"""The log: one line a transfer and one an event, JSON unless a person is looking at a terminal.

A line has a time, a level, an `event` and fields. Values are names, ids, counts and reasons; no
payload data ever. Written to standard error, so that the collector of a container finds it: at once
while it takes what is written, else by a thread of its own, because a collector that stalls must
not stop transfers. What it does not take in time is dropped, and counted in a line of its own; the
evidence is elsewhere.
"""

import os
import queue
import select
import stat
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

import orjson

from proxy.errors import TlsFailure
from proxy.model import Outcome

_COLOURS = {"info": "", "warning": "\x1b[33m", "error": "\x1b[31m"}
_WAITING: Final = 10_000
"""Lines that may wait to be written."""
_SAID: Final = 1000
"""Repeated warnings that are remembered."""
_AT_ONCE: Final = 4096
"""Octets that a pipe which is ready takes without blocking (PIPE_BUF on Linux)."""


def takes_escapes(stream: TextIO) -> bool:
    """Whether colours and motion belong there: a terminal, and nobody set NO_COLOR."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") not in ("dumb", "unknown")
    )


class Log:
    """Writes lines to `stream`; `form` is `auto` (JSON unless a terminal), `json` or `text`."""

    def __init__(self, form: str = "auto", stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        terminal = self._stream.isatty()
        self._text = form == "text" or (form == "auto" and terminal)
        self._colour = takes_escapes(self._stream)
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._said: set[tuple[str, ...]] = set()
        self._room = _room(self._stream)
        self._writer = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._writer.start()

    def write(self, level: str, event: str, **fields: object) -> None:
        """One line. Fields that are None are left out. Never blocks."""
        line = self._line(level, event, fields)
        waiting = self._lines.unfinished_tasks or self._dropped
        if not waiting and len(line) < _AT_ONCE and (self._room is None or self._room.poll(0)):
            self._put(line + "\n")
            return
        try:
            if self._dropped:
                dropped = self._line("error", "log_lines_dropped", {"count": self._dropped})
                self._lines.put_nowait(dropped)
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    @property
    def waiting(self) -> int:
        """How many lines wait to be written, about."""
        return self._lines.qsize()

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for at most `seconds`."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._writer.join(seconds)

    def _line(self, level: str, event: str, fields: dict[str, object]) -> str:
        now = datetime.now(UTC)
        if not self._text:
            line = {"time": now, "level": level, "event": event}
            line |= {name: value for name, value in fields.items() if value is not None}
            return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()
        known = [pair for pair in fields.items() if pair[1] is not None]
        shown = " ".join(f"{name}={_plain(value)}" for name, value in known)
        line_text = f"{now:%H:%M:%S.%f}"[:-3] + f" {level:7} {event} {shown}"
        colour = _COLOURS.get(level, "") if self._colour else ""
        return f"{colour}{line_text}\x1b[0m" if colour else line_text

    def _write_lines(self) -> None:
        ended = False
        while not ended:
            lines = [self._lines.get()]
            while not self._lines.empty():
                lines.append(self._lines.get())
            ended = None in lines
            self._put("".join(f"{line}\n" for line in lines if line is not None))
            for _ in lines:
                self._lines.task_done()

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # a log nobody reads must not stop the evidence, which is elsewhere

    def info(self, event: str, **fields: object) -> None:
        self.write("info", event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        self.write("warning", event, **fields)

    def once(self, event: str, **fields: object) -> None:
        """A warning that comes again and again: one line for each that differs, in a while."""
        line = (event, *map(str, fields.values()))
        if line in self._said:
            return
        if len(self._said) >= _SAID:
            self._said.clear()
        self._said.add(line)
        self.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        self.write("error", event, **fields)

    def defect(self, error: BaseException, **fields: object) -> None:
        """A defect of ours: its type and where it arose, not its message, which may quote data."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
        self.write("error", "internal", error=type(error).__name__, where=where, **fields)

    def refused_handshake(self, failure: TlsFailure, **where: object) -> None:
        """The one line of a handshake that failed; `where` is listener or upstream, and address."""
        self.warning(
            "handshake_refused",
            **where,
            reason=failure.reason,
            detail=failure.detail,
            **failure.presented,
        )

    def transfer(
        self,
        outcome: Outcome,
        *,
        reason: str | None,
        index: int | None,
        trace_id: str | None = None,
        seconds: float,
    ) -> None:
        """The one line of a transfer. `reason` is the full reason that the peer was not told."""
        request, answer = outcome.request, outcome.answer
        report = request.report
        self.write(
            "info" if outcome.problem is None else "warning",
            "transfer",
            transfer_id=outcome.transfer_id,
            verdict=str(outcome.verdict),
            status=outcome.status,
            problem=outcome.problem,
            reason=reason,
            listener=outcome.listener,
            route=outcome.route,
            rule=outcome.rule,
            method=outcome.method,
            peer=outcome.sender.name,
            address=outcome.sender.address,
            upstream=outcome.upstream,
            upstream_status=outcome.answer_status,
            received_bytes=request.received.size,
            delivered_bytes=request.delivered.size if request.delivered else 0,
            answer_bytes=answer.delivered.size if answer and answer.delivered else 0,
            masked=request.masked if report or request.fields else None,
            findings=dict(report.findings) if report and report.findings else None,
            found_at=report.found_at if report and report.found_at else None,
            unscanned=report.unscanned if report and report.unscanned else None,
            lowered=dict(report.lowered) if report and report.lowered else None,
            shadow={**request.shadow, **(answer.shadow if answer else {})} or None,
            label=request.label,
            signed_by=outcome.signature.key if outcome.signature else None,
            receipt=index,
            trace_id=trace_id,
            duration_ms=round(seconds * 1000, 3),
        )


def _room(stream: TextIO) -> "select.poll | None":
    """What tells whether `stream` takes a line without blocking; None for one that always does, in
    memory or a file."""
    room = select.poll()
    try:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        room.register(stream, select.POLLOUT)
    except OSError:
        return None
    return room


def _plain(value: object) -> str:
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str).decode()
    text = str(value)
    return text if text and " " not in text else orjson.dumps(text).decode()
