"""Whom the processes run as, and what of the store belongs to whom.

Without `users` everything belongs to whoever started the program. With them, and only root can:

    store/               notary, 0750      who audits is in the notary's group
    store/intents/       notary
    store/intents/NAME   worker, 0640, readable by the notary's group

A worker cannot enter the store: it has its intents as a descriptor that it is handed.
"""

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from proxy.errors import ConfigError, Problem
from proxy.notary.disk import Disk
from proxy.settings.load import Loaded
from proxy.settings.secrets import resolve_path

Role = Literal["worker", "notary"]

_FOLDER: Final = 0o750
_FILE: Final = 0o640


def require_users(loaded: Loaded) -> None:
    """Raises ConfigError unless both users exist and this process may become them."""
    users = loaded.settings.users
    if users is None:
        return
    problems: list[Problem] = []
    if os.geteuid() != 0:
        problems.append(loaded.problem(("users",), "only root may start processes as other users"))
    found = []
    for role, name in (("worker", users.worker), ("notary", users.notary)):
        try:
            found.append(_identity(name)[0])
            if found[-1] == 0:
                problems.append(loaded.problem(("users", role), "root could read everything"))
        except KeyError:
            problems.append(loaded.problem(("users", role), f"there is no user {name}"))
    if len(set(found)) < len(found):
        problems.append(loaded.problem(("users",), "worker and notary are the same user"))
    if problems:
        raise ConfigError(problems)


def user(loaded: Loaded, role: Role) -> Sequence[int]:
    """(user id, group id) that a process is to `become`; nothing where it stays who it is."""
    users = loaded.settings.users
    if users is None:
        return ()
    return _identity(users.worker if role == "worker" else users.notary)


def become(uid: int, gid: int) -> None:
    """Be that user and no other, in that group and no other, for good. Raises OSError.

    The kernel then keeps the process's memory from other processes of the same user as well.
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def make_store(loaded: Loaded) -> None:
    """Make the store where there is none, for the notary, durably. Raises ConfigError."""
    users = loaded.settings.users
    store = resolve_path(loaded.settings.receipts.store, loaded.directory)
    try:
        for folder in (store, store / "intents"):
            if not folder.exists():
                missing = [each for each in (folder, *folder.parents) if not each.exists()]
                folder.mkdir(_FOLDER, parents=True)
                for each in missing:
                    Disk().sync_folder(each.parent)
                if users is not None:
                    os.chown(folder, *_identity(users.notary))
    except OSError as error:
        message = f"{store}: {error.strerror}"
        raise ConfigError([loaded.problem(("receipts", "store"), message)]) from None


@contextmanager
def intents(loaded: Loaded, path: Path) -> Iterator[int]:
    """A new, empty file for a worker's intents, as the descriptor that it is handed.

    Its name is durable; what is in it is the worker's to sync. Raises ConfigError.
    """
    fd = -1
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE)
        users = loaded.settings.users
        if users is not None:
            os.fchown(fd, _identity(users.worker)[0], _identity(users.notary)[1])
        Disk().sync_folder(path.parent)
    except OSError as error:
        if fd >= 0:
            os.close(fd)
        message = f"{path}: {error.strerror}"
        raise ConfigError([loaded.problem(("receipts", "store"), message)]) from None
    try:
        yield fd
    finally:
        os.close(fd)


def _identity(user: str | int) -> tuple[int, int]:
    """(user id, group id); a number without a name is its own group. Raises KeyError."""
    if isinstance(user, str):
        entry = pwd.getpwnam(user)
        return entry.pw_uid, entry.pw_gid
    try:
        return user, pwd.getpwuid(user).pw_gid
    except KeyError:
        return user, user
