"""What a worker asks of the log: of the notary itself in one process, over a channel in many."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import trio

from proxy.errors import LogFailure
from proxy.model import Claim, Earlier, Missed, Receipt, Submission, Trouble
from proxy.notary.bounds import Bounds

OnDone = Callable[[Receipt | LogFailure], None]
"""Told once how a submission ended. Runs on the event loop, returns at once and never raises."""


class Waiting:
    """An `OnDone` that one task can wait for. A third of what an event costs: there are many."""

    __slots__ = ("_result", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._result: Receipt | LogFailure | None = None

    def __call__(self, result: Receipt | LogFailure) -> None:
        """The first result is the one that counts."""
        if self._result is None:
            self._result = result
            task, self._task = self._task, None
            if task is not None:
                trio.lowlevel.reschedule(task)

    async def receipt(self) -> Receipt:
        """Wait for the end. Raises `LogFailure`."""
        if self._result is None:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        if isinstance(self._result, Receipt):
            return self._result
        raise self._result or LogFailure("a statement ended without a result")

    def _abort(self, _: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Link(Protocol):
    """`proxy.notary.Notary` or `proxy.notary.remote.RemoteLink`."""

    @property
    def trouble(self) -> Trouble | None:
        """Why no intents are taken; None while they may be."""

    async def reserve(self, claim: Claim, attempt_id: bytes, *, holder: str = "") -> Earlier | None:
        """None: the id is held until this attempt is concluded. Else who delivered it before.

        `holder` names the worker. Raises `Refusal` (in-flight, undecided, overloaded) and
        `LogFailure`. Asked again for the same attempt it answers the same. When it is cancelled the
        id may be held all the same: conclude the attempt, or `release` it.
        """

    def release(self, claim: Claim, attempt_id: bytes) -> None:
        """Let go what `reserve` may have held for an attempt that nobody is going to conclude."""

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """Whether this content is what was delivered under the id; False where nobody knows."""

    async def conclude(self, submission: Submission, *, resent: bool = False) -> Receipt:
        """Return when the attempt's statement is durable. Raises `LogFailure`.

        An attempt has one statement: whoever comes again gets the receipt of the first. With
        `resent` that is looked up in the whole log, and a failing disk is waited for. After a
        `LogFailure` the statement may be written all the same, later, and then says that the
        sender had no answer (status null): the sender must not be told otherwise, and the intent
        must not be cleared before a `resent` one has got its receipt.
        """

    def submit(self, submission: Submission, on_done: OnDone, *, resent: bool = False) -> None:
        """`conclude` for who does not wait: `on_done` is told what it would return or raise.

        A `resent` one that fails is not written any more: the notary stops, or cannot say it.
        """

    async def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises `LogFailure`."""

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest leaf about a transfer; None where none is remembered. Raises `LogFailure`."""

    def shed(self, counts: Mapping[str, int]) -> None:
        """Add refused handshakes and shed requests, by `<listener>:<reason>`."""

    async def missed(self, missed: Missed) -> None:
        """Say in the log what it could not take. Returns when it is durable, or will be written
        when it can be. Raises `LogFailure` where nobody was told.
        """


class Served(Link, Protocol):
    """What its end of the channels asks of the notary, beside what workers ask."""

    def submit(
        self, submission: Submission, on_done: OnDone, *, resent: bool = False, since: int = 0
    ) -> None:
        """As `Link`; `since`: no entry before this one is about the attempt."""

    @property
    def bounds(self) -> Bounds:
        """What workers may ask of the table of ids."""

    def restore(self, claim: Claim, attempt_id: bytes, *, holder: str) -> None:
        """Hold what `holder` held when the last notary ended. Raises `LogFailure`."""

    def watching(self, on_change: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `on_change` whenever `trouble` may have changed."""
