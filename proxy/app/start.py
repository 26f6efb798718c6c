"""What the one process and the many share: limits, intents, the events and the first log line."""

import os
import resource
import signal
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import trio

from proxy.app.lists import described, in_force
from proxy.edge.gate import Gate, Keeper
from proxy.edge.listener import Listener
from proxy.errors import ConfigError, LogFailure
from proxy.model import Certificate, Event
from proxy.notary.intents import IntentFile
from proxy.observe.log import Log
from proxy.settings.load import Loaded
from proxy.settings.schema import Settings

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIXED: Final = (
    "receipts", "admin", "metrics", "memory", "spill", "transfer_ids", "rates", "workers", "users"
)  # fmt: skip
"""Sections that hold sockets, keys, memory or processes: they cannot change under transfers."""


def cores() -> int:
    """How many this process may use: those it may run on, and no more than its cgroup pays for."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return count  # no limit, or none that is told here


def worker_count(settings: Settings) -> int:
    return cores() if settings.workers == "auto" else settings.workers


def raise_descriptor_limit() -> None:
    """As many descriptors as the system allows: the bounds on connections are ours."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- evidence ------------------------------------------------------------------------------------


def intents_path(store: Path, worker: str) -> Path:
    return store / "intents" / worker


def intents(loaded: Loaded, place: Path | int) -> IntentFile:
    """A worker's intents: at a path, or in the file that it is handed as a descriptor.

    Raises ConfigError at `receipts.store`.
    """
    sync = loaded.settings.receipts.intents == "fsync"
    try:
        if isinstance(place, int):
            return IntentFile.inherit(place, sync=sync)
        return IntentFile.open(place, sync=sync)
    except LogFailure as failure:
        raise ConfigError([loaded.problem(("receipts", "store"), failure.reason)]) from None


def event(loaded: Loaded, workers: int, receipt_key: Mapping[str, str]) -> Event:
    """The log event of a start."""
    return Event(
        "start",
        {
            "version": version("lockgate"),
            "policySha256": loaded.sha256.hex(),
            "workers": str(workers),
            "receiptKey": dict(receipt_key),
        },
    )


def reload_event(old: Loaded, new: Loaded, before: bytes, after: bytes) -> Event:
    """The log event of a reload; `before` and `after` are the digests of the credentials."""
    credentials = {"from": before.hex(), "to": after.hex()}
    details = {"from": old.sha256.hex(), "to": new.sha256.hex(), "credentials": credentials}
    return Event("reload", details)


# --- transfers -----------------------------------------------------------------------------------


def listener(keeper: Keeper, name: str, sock: trio.socket.SocketType) -> Listener:
    """A listener of the keeper's configuration on `sock`."""
    return Listener(
        name,
        sock,
        keeper.gate.loaded.settings.listeners[name].limits,
        lambda: keeper.gate.tls[name],
        metrics=keeper.metrics,
        log=keeper.log,
        shed=keeper.notary.shed,
        examine=keeper.hygiene.of("listener", name),
    )


def announce(
    log: Log, loaded: Loaded, listeners: Mapping[str, str], doors: Mapping[str, str]
) -> None:
    """The line that says where the program can be reached, and by what policy."""
    log.info("ready", listeners=dict(listeners), **doors, config_sha256=loaded.sha256.hex())


def addresses(listeners: Iterable[Listener]) -> dict[str, str]:
    return {listener.name: listener.address for listener in listeners}


def held(settings: Settings, workers: int) -> int:
    """A worker's part of `memory.held`: at least such that the largest document fits into what a
    sender may have of it, or none could pass."""
    largest = max((route.limits.document for route in settings.routes), default=0)
    return max(-(-4 * largest // 3), settings.memory.held // workers)


# --- operation -----------------------------------------------------------------------------------


def status(gate: Gate, loaded_at: datetime) -> dict[str, Any]:
    """What /status says of the configuration, and by which clock."""
    now = datetime.now(UTC)
    return {
        "name": gate.loaded.settings.name,
        "clock": now,
        "revision": gate.loaded.sha256.hex(),
        "last_reload": loaded_at,
        "certificates": [
            {
                "role": role,
                "subject": each.subject,
                "serial": f"{each.serial:x}",
                "pin": each.pin,
                "sha256": each.sha256.hex(),
                "not_before": each.not_before,
                "not_after": each.not_after,
            }
            for role, each in gate.certificates
        ],
        "crls": [described(each, now) for each in in_force(gate.lists, now)],
    }


def process(kind: str, name: str, state: str, pid: int | None = None) -> dict[str, Any]:
    """What /status says of a process."""
    return {"kind": kind, "name": name, "pid": pid or os.getpid(), "state": state}


def require_new_key(old: Gate, new: Gate) -> str | None:
    """What is to be reported where our certificate is another, and its key is not; else None.

    Raises ConfigError where `hygiene.old_key` is refuse.
    """
    before, after = _own(old), _own(new)
    if before is None or after is None or before.sha256 == after.sha256:
        return None
    care = new.loaded.settings.hygiene.old_key
    if before.spki_sha256 != after.spki_sha256 or care == "off":
        return None
    text = "another certificate with the key of the one before it"
    if care == "refuse":
        raise ConfigError([new.loaded.problem(("identity", "certificate"), f"old_key: {text}")])
    return text


def _own(gate: Gate) -> Certificate | None:
    """The leaf, which stands first."""
    return next((each for role, each in gate.certificates if role == "identity"), None)


def require_reloadable(old: Loaded, new: Loaded) -> None:
    """What holds sockets and keys open cannot change under transfers. Raises ConfigError."""
    before, after = old.settings, new.settings
    problems = []
    binds = {name: each.bind for name, each in before.listeners.items()}
    if binds != {name: each.bind for name, each in after.listeners.items()}:
        problems.append(new.problem(("listeners",), "a listener or its bind changed: restart"))
    for name in _FIXED:
        if getattr(before, name) != getattr(after, name):
            problems.append(new.problem((name,), f"{name} changed: that takes a restart"))
    if problems:
        raise ConfigError(problems)
