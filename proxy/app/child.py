"""A child of the supervisor: a process that answers what it is asked over its socketpair."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import trio

from proxy.app.control import Control, EndedError, Message
from proxy.app.process import Process

_STARTING: Final = 60.0
"""Seconds that a child has to answer its first question: it compiles everything."""


class Child:
    """One process and the line to it. `ask` one question at a time."""

    def __init__(self, kind: str, name: str, process: Process, control: Control) -> None:
        self.kind = kind
        self.name = name
        self.process = process
        self.channels = 0
        """How many to the notary a worker has had."""
        self.wired = False
        """Whether the worker has one to the notary that there is."""
        self._control = control
        self._turn = trio.Lock()
        self._asked = 0
        self._broken = False

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ask(
        self, do: str, fds: Sequence[int] = (), *, timeout: float = 10.0, **words: Any
    ) -> Message:
        """The child's answer. Raises EndedError when it is dead, or silent for so long."""
        with trio.move_on_after(timeout):
            async with self._turn:
                self._asked += 1
                asked = self._asked
                await self._send({"id": asked, "do": do, **words}, fds)
                while True:
                    answer, _ = await self._control.receive()
                    if answer["id"] == asked:
                        return answer
        raise EndedError(f"{self.kind} {self.name} does not answer")

    async def tell(self, do: str, **words: Any) -> None:
        """Have it done, or be done with it: a child that does not answer is killed."""
        try:
            await self.ask(do, **words)
        except EndedError:
            self.process.kill()

    async def _send(self, message: Message, fds: Sequence[int]) -> None:
        """Half a question makes nonsense of all that follow: then the child is of no more use."""
        if self._broken:
            raise EndedError(f"{self.kind} {self.name} was asked half a question")
        await trio.lowlevel.checkpoint_if_cancelled()  # before anything of it is said
        self._broken = True
        try:
            await self._control.send(message, fds)
        except trio.Cancelled:
            self.process.kill()
            raise
        self._broken = False

    async def start(self, fds: Sequence[int] = (), **words: Any) -> Message:
        """The answer to the first question."""
        return await self.ask("start", fds, timeout=_STARTING, **words)

    async def end(self, seconds: float) -> bool:
        """End its line, by which it ends itself; kill it after so long. True when all was well."""
        self.close()
        with trio.move_on_after(seconds):
            await self.process.wait()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        return self.process.returncode == 0

    def close(self) -> None:
        """Give the line up; the process has ended."""
        self._control.close()


async def ask_all(children: Iterable[Child], do: str, timeout: float) -> dict[Child, Message]:
    """The answers of those who answer in time."""
    answers: dict[Child, Message] = {}

    async def ask(each: Child) -> None:
        try:
            answers[each] = await each.ask(do, timeout=timeout)
        except EndedError:
            pass

    async with trio.open_nursery() as nursery:
        for each in children:
            nursery.start_soon(ask, each)
    return answers
