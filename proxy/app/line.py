"""The child's end of the line to the supervisor: it answers, in order, until the line ends."""

import codecs
import socket
from collections.abc import Awaitable, Callable, Sequence
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


def open_line(name: str, fd: int, user: Sequence[int]) -> Control:
    """The line with that descriptor; first of all be the `user`, if one is given.

    `name`: what the process is called.
    """
    call_process(name)  # who has become another user may not
    if user:
        become(*user)
    sock = socket.socket(fileno=fd)
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


def load_codecs() -> None:
    for name in _CODECS:
        codecs.lookup(name)


def call_process(name: str) -> None:
    """What `ps` and `top` call this process: at most 15 octets."""
    with suppress(OSError):  # a place without /proc has no such names
        Path("/proc/self/comm").write_text(name, "ascii")
