"""What the program demands of the system that it is started on, before it opens anything."""

import os
import platform
import signal
from typing import Final

from proxy.errors import ConfigError
from proxy.settings.load import Loaded

_OLD: Final = (
    "more than one process takes Linux 5.4 or newer, and leave to use pidfds, which is not given "
    "here ({}); `workers: 1` without `users` is one process"
)


def require_linux(loaded: Loaded) -> None:
    """Raises ConfigError elsewhere: SO_PEERCRED, /proc and CPU affinity are Linux's."""
    if platform.system() != "Linux":
        raise ConfigError([loaded.problem((), f"this is {platform.system()}, and takes Linux")])


def require_pidfds(loaded: Loaded) -> None:
    """Raises ConfigError where processes cannot be told apart but by numbers that come again.

    pidfd_send_signal(2) is of Linux 5.1, pidfd_open(2) of 5.3, P_PIDFD of waitid(2) of 5.4. They
    are tried, for a sandbox may refuse what the kernel has.
    """
    try:
        own = os.pidfd_open(os.getpid())
        try:
            signal.pidfd_send_signal(own, 0)
            os.waitid(os.P_PIDFD, own, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            pass  # it knows what a pidfd is: nobody is a child of himself
        finally:
            os.close(own)
    except (AttributeError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([loaded.problem(("workers",), _OLD.format(reason))]) from None
