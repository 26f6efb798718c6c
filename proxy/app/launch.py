"""How a child begins: whence it comes, what it is handed, and the channel between two of them."""

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import trio

from proxy.app import bundle, privileges, start
from proxy.app.brood import Brood
from proxy.app.child import Child
from proxy.app.control import EndedError, Message
from proxy.app.prepare import Prepared
from proxy.app.sockets import Sockets
from proxy.app.spawn import Launcher
from proxy.errors import ConfigError
from proxy.settings.load import Loaded
from proxy.settings.secrets import resolve_path

_PATIENT: Final = 60.0
"""Seconds for reading and compiling."""


def launcher(prepared: Prepared, brood: Brood) -> Launcher:
    """One in whose environment is none of the secrets that the configuration refers to."""
    references = {*prepared.for_workers, *prepared.for_notary}
    hidden = {each.removeprefix("env:") for each in references if each.startswith("env:")}
    return Launcher(hidden, brood)


async def notary(
    source: Launcher,
    prepared: Prepared,
    *,
    live: list[str],
    resumed: bool,
    windows: Mapping[str, float],
    workers: int,
) -> tuple[Child, Message]:
    """The notary, and what it found; `live` are the workers whose intents are not its to close,
    `resumed` says that it follows one that has died, `windows` what routes there are or were, and
    for how long their ids are remembered, `workers` how many there are to be.

    Raises ConfigError and EndedError.
    """
    user = privileges.user(prepared.loaded, "notary")
    child = await source.spawn("notary", "notary", user)
    handed = bundle.pack(prepared.loaded, prepared.for_notary)
    answer = await _begun(
        child, bundle=handed, live=live, resumed=resumed, windows=windows, workers=workers
    )
    return child, answer


async def worker(
    source: Launcher, prepared: Prepared, sockets: Sockets, position: int, name: str, rates: int
) -> Child:
    """The worker of that position, with its sockets, a fresh file for its intents and the table of
    rates.

    Raises ConfigError and EndedError.
    """
    loaded = prepared.loaded
    store = resolve_path(loaded.settings.receipts.store, loaded.directory)
    path = start.intents_path(store, name)
    with sockets.lent(position) as listeners, privileges.intents(loaded, path) as intents:
        child = await source.spawn("worker", name, privileges.user(loaded, "worker"))
        await _begun(
            child,
            [*listeners.values(), intents, sockets.room, rates],
            bundle=bundle.pack(loaded, prepared.for_workers),
            name=name,
            listeners=list(listeners),
            held=start.held(loaded.settings, sockets.count),
            place=position,
        )
    return child


async def _begun(each: Child, fds: Sequence[int] = (), **words: Any) -> Message:
    """What it answers to its first question. It does not live where that is no."""
    try:
        return bundle.require_accepted(await each.start(fds, **words))
    except BaseException:
        with trio.CancelScope(shield=True):
            await each.end(0)
        raise


async def all_begun(loaded: Loaded, starts: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Begin them all at once. Raises ConfigError with what was wrong with the first that failed."""
    failures: list[ConfigError] = []

    async def attempt(begin: Callable[[], Awaitable[object]]) -> None:
        try:
            await begin()
        except ConfigError as error:
            failures.append(error)
        except EndedError as error:
            failures.append(ConfigError([loaded.problem((), str(error))]))

    async with trio.open_nursery() as nursery:
        for begin in starts:
            nursery.start_soon(attempt, begin)
    for failure in failures:
        raise failure


async def wire(notary: Child, worker: Child) -> None:
    """Give the two a fresh channel. Who has died meanwhile is somebody else's business, and where
    one does not answer the worker is not wired yet.
    """
    worker.wired = False
    try:
        ours, theirs = socket.socketpair()
    except OSError:
        worker.process.kill()  # without a channel it is of no use; its successor may get one
        return
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        try:
            number, worker.channels = worker.channels, worker.channels + 1
            await notary.ask("serve", [ours.fileno()], name=worker.name, number=number)
            await worker.ask("channel", [theirs.fileno()], number=number)
            worker.wired = True
        except EndedError:
            pass


async def prepare_everywhere(workers: Iterable[Child], packed: Message) -> ConfigError | None:
    """Have another configuration prepared by all; why they cannot, None where any can.

    The supervisor has prepared it before. So a worker that refuses what another takes is at fault
    itself, and is replaced: no single one can keep a policy, or a revocation, from coming into
    force.
    """
    problems: dict[Child, ConfigError] = {}
    asked = list(workers)

    async def prepare(worker: Child) -> None:
        try:
            answer = await worker.ask("prepare", timeout=_PATIENT, bundle=packed)
            bundle.require_accepted(answer)
        except ConfigError as error:
            problems[worker] = error
        except EndedError:
            worker.process.kill()  # dead, or as good as that: its successor takes what is new

    async with trio.open_nursery() as nursery:
        for worker in asked:
            nursery.start_soon(prepare, worker)
    if problems and len(problems) == len(asked):
        return next(iter(problems.values()))
    for worker in problems:
        worker.process.kill()
    return None
