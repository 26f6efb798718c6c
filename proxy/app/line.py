"""The child's end of the line to the supervisor: it answers, in order, until the line ends."""

import codecs
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from proxy.app.bundle import refusal
from proxy.app.control import Control, EndedError, Message
from proxy.app.privileges import become
from proxy.errors import ConfigError

_CODECS: Final = ("ascii", "latin-1", "idna", "punycode")
"""Loaded when they are first used, which the user that we become may not be able to."""

Answer = Callable[[Message, list[int]], Awaitable[Message]]


def open_line(name: str) -> Control:
    """The line whose descriptor the command names; first of all be the user that it names.

    `name`: what the process is called. Signals are the supervisor's: it drains us.
    """
    call_process(name)  # who has become another user may not
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if len(sys.argv) > 2:
        for name in _CODECS:
            codecs.lookup(name)
        become(int(sys.argv[2]), int(sys.argv[3]))
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.setblocking(False)
    return Control(trio.socket.from_stdlib_socket(sock))


async def answer_all(control: Control, answer: Answer) -> None:
    """Answer every question; returns when the supervisor is gone. A ConfigError is an answer."""
    while True:
        try:
            question, fds = await control.receive()
            try:
                reply = {"ok": True, **await answer(question, fds)}
            except ConfigError as error:
                reply = refusal(error)
            await control.send({"id": question["id"], **reply})
        except EndedError:
            return


def call_process(name: str) -> None:
    """What `ps` and `top` call this process: at most 15 octets."""
    with suppress(OSError):  # a place without /proc has no such names
        Path("/proc/self/comm").write_text(name, "ascii")
