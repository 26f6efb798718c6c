"""Another configuration, or other credentials, come into force: asked for, or seen on the disk.

The same in the one process and in the supervisor of many. Rules

- Only what differs by content from what is in force is a change; nothing is reloaded without one.
- Everything is prepared before anything is swapped, in a thread beside what goes on. What cannot be
  used changes nothing: the last good stays in force, and readiness is not touched.
- Each trouble is said once, a line and a count, and not again until it is another one or somebody
  asks. While there is one it is tried again whenever a file changes, and every minute; its end is
  said too.
- A certificate and its key are one: where the two on the disk are each sound and do not fit, the
  other half is waited for, for `_PATIENCE` seconds, before that is a trouble.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import trio
from trio.to_thread import run_sync as aside

from proxy.app import start
from proxy.app.lists import tell
from proxy.app.preparation import Secrets
from proxy.app.prepare import prepare_workers
from proxy.app.references import credentials_sha256, digests, files
from proxy.app.watch import Digests, Watch, look, pipes, settled
from proxy.edge.gate import Gate
from proxy.errors import ConfigError, Problem
from proxy.model import Event
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.load import Loaded, load
from proxy.tls.credentials import UNFIT

_PATIENCE: Final = 10.0
"""Seconds between the two halves of a pair that are replaced one by one."""
_AGAIN: Final = 60.0
"""Seconds after which the same files are tried again."""


@dataclass(frozen=True, slots=True, repr=False)
class Version:
    """What is in force, or is to be: prepared, with all that was read for it."""

    loaded: Loaded
    gate: Gate
    secrets: Secrets


Adopt = Callable[[Version], Awaitable[None]]
"""Swap it in everywhere or nowhere. Raises ConfigError."""


@dataclass(slots=True)
class Shown:
    """What /status says of the last reload."""

    result: str = "none"
    by: str | None = None
    at: datetime | None = None
    problems: list[str] = field(default_factory=list)


class Reloader:
    def __init__(
        self,
        version: Version,
        adopt: Adopt,
        note: Callable[[Event], Awaitable[None]],
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._adopt, self._note = adopt, note
        self._metrics, self._log = metrics, log
        self._turn = trio.Lock()
        self._watch = Watch(log)
        self._shown = Shown()
        self._said: frozenset[Problem] = frozenset()
        self._since: float | None = None
        """When the trouble began; None while what is on the disk is in force."""
        self._failed: Digests | None = None
        """What the files held that could not be used when it was last tried."""
        self._again = 0.0
        self._half_since: float | None = None
        """When the first half of a pair was seen."""
        self._take(version)

    def _take(self, version: Version) -> None:
        self._loaded, self._gate = version.loaded, version.gate
        self._force: Digests = digests(version.loaded, version.secrets)
        self._pipes = pipes(self._force)
        self._credentials = credentials_sha256(version.loaded, version.secrets)
        self._files: Mapping[Path, str] = files(version.loaded)

    def status(self) -> Mapping[str, Any]:
        """The last reload, and what keeps the disk from being in force, if anything does."""
        shown = self._shown
        return {
            "result": shown.result,
            "by": shown.by,
            "at": shown.at,
            "problems": shown.problems,
        }

    # --- asked for -------------------------------------------------------------------------------

    async def reload(self, by: str) -> bool:
        """Swap in what the files say now; False when they cannot be used and the last good stays.

        `by`: `signal` or `admin`.
        """
        async with self._turn:
            self._said = frozenset()  # who asks is told everything
            found = await look(self._files, self._pipes)
            if not self._in_force(found):
                return await self._attempt(by, found)
            self._unchanged(by)
            return True

    # --- seen on the disk ------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the disk until cancelled."""
        try:
            while True:
                how, watched = self._loaded.settings.reload, self._files
                self._watch.arm(watched, how)  # before looking, or what comes between is missed
                if how.watch or how.poll != "off":
                    await self._follow(how.settle)
                if watched == self._files:
                    await self._watch.wait(how, self._left())
        finally:
            self._watch.close()

    async def _follow(self, seconds: float) -> None:
        try:
            await self._catch_up(seconds)
        except Exception as error:  # a defect must not end the program: the last good stays
            self._log.defect(error, process="reloader")

    async def _catch_up(self, seconds: float) -> None:
        if not self._is_news(await look(self._files, self._pipes)):
            return
        await settled(self._files, self._pipes, seconds)
        async with self._turn:
            found = await look(self._files, self._pipes)
            if not self._in_force(found):
                await self._attempt("disk", found)
            elif self._troubled:
                self._healed("disk")

    def _in_force(self, found: Digests) -> bool:
        """Whether every file of what is in force holds that still."""
        return all(found[path] == digest for path, digest in self._force.items())

    def _is_news(self, found: Digests) -> bool:
        """Whether something is to be done; what was refused is tried again when it has changed,
        and once a minute: preparing costs, and not every trouble lies in a file."""
        if self._in_force(found):
            return self._troubled
        return found != self._failed or trio.current_time() >= self._again

    @property
    def _troubled(self) -> bool:
        return self._since is not None or self._half_since is not None

    def _left(self) -> float:
        """Seconds that the other half of a pair is still waited for."""
        if self._half_since is None:
            return math.inf
        return max(0.0, self._half_since + _PATIENCE - trio.current_time())

    # --- the attempt -----------------------------------------------------------------------------

    async def _attempt(self, by: str, found: Digests) -> bool:
        try:
            loaded = load(self._loaded.path, wait=False)
            self._files = {**files(self._loaded), **files(loaded)}
            start.require_reloadable(self._loaded, loaded)
            gate, secrets = await aside(prepare_workers, loaded, self._metrics)
            version = Version(loaded, gate, secrets)
            if digests(loaded, secrets) == self._force:  # put back just before it was read
                self._healed(by)
                return True
            old_key = start.require_new_key(self._gate, gate)
            await self._adopt(version)
        except ConfigError as error:
            if by == "disk" and _is_half(error.problems) and self._waits():
                return False
            return self._failed_with(by, found, error.problems)
        except Exception as error:  # a defect of ours is a trouble like any other
            return self._failed_with(by, found, [self._defect(error)])
        if old_key is not None:
            tell(self._metrics, self._log, [("old_key", old_key)])
        await self._adopted(by, version)
        self._watch.wake()
        return True

    def _failed_with(self, by: str, found: Digests, problems: Sequence[Problem]) -> bool:
        self._failed, self._again = found, trio.current_time() + _AGAIN
        self._refused(by, problems)
        return False

    def _defect(self, error: Exception) -> Problem:
        """What is said of it; where it arose is in a line of its own, once like the other."""
        what = f"a defect of Lockgate: {type(error).__name__}"
        problem = Problem(str(self._loaded.path), 1, 1, "", what)
        if problem not in self._said:
            self._log.defect(error, process="reloader")
        return problem

    def _waits(self) -> bool:
        """Whether to wait (on) for the other half of a pair."""
        if self._since is not None:
            return False
        if self._half_since is None:
            self._half_since = trio.current_time()
            self._log.info("reload_waits", reason="certificate and key do not fit yet")
            self._show("waiting", "disk")
        return self._left() > 0

    async def _adopted(self, by: str, version: Version) -> None:
        before, known, credentials = self._loaded, self._force, self._credentials
        self._take(version)
        changed = [
            name for path, name in self._files.items() if known.get(path) != self._force[path]
        ]
        self._healed(by)
        self._show("ok", by)
        self._metrics.reload("ok")
        self._log.info(
            "reloaded", config_sha256=version.loaded.sha256.hex(), by=by, changed=changed
        )
        if (before.sha256, credentials) != (version.loaded.sha256, self._credentials):
            digest = self._credentials
            await self._note(start.reload_event(before, version.loaded, credentials, digest))

    def _refused(self, by: str, problems: Iterable[Problem]) -> None:
        now, said = frozenset(problems), self._said
        self._said = now
        for problem in sorted(now - said):
            self._log.error("reload_refused", problem=str(problem), by=by)
        if now - said:
            self._metrics.reload("failed")
        self._half_since = None
        self._since = trio.current_time() if self._since is None else self._since
        self._show("failed", by, [str(problem) for problem in sorted(now)])
        self._metrics.reload_problems(len(now))

    def _unchanged(self, by: str) -> None:
        self._healed(by)
        self._show("unchanged", by)
        self._metrics.reload("unchanged")
        self._log.info("reload_unchanged", by=by, config_sha256=self._loaded.sha256.hex())

    def _healed(self, by: str) -> None:
        """What is on the disk is in force, again or at last."""
        if self._since is not None:
            seconds = round(trio.current_time() - self._since, 1)
            self._log.info("reload_recovered", seconds=seconds, by=by)
        if self._troubled:
            self._show("unchanged", by)
        self._since = self._half_since = None
        self._said, self._files, self._failed = frozenset(), files(self._loaded), None
        self._metrics.reload_problems(0)

    def _show(self, result: str, by: str, problems: Iterable[str] = ()) -> None:
        self._shown = Shown(result, by, datetime.now(UTC), list(problems))


def _is_half(problems: Iterable[Problem]) -> bool:
    """All that is wrong is that a certificate and a key do not fit."""
    return all(problem.message == UNFIT for problem in problems)
