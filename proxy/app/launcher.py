"""The launcher: it has imported what workers and notary need, and forks them for the supervisor.

    python -P -m proxy.app.launcher FD

Importing is most of what a start costs. Done once, before the forks, it is paid once, and the
processes share the memory of it. FD is a SOCK_SEQPACKET line to the supervisor:

    supervisor   {"kind":"worker","user":[65531,65531]}   with the child's end of its own line
    launcher     31337                                    the child's pid, with a pidfd of it
    launcher     .                                        and now its parent is the supervisor

Rules
- It is executed in an environment without any variable that holds a secret, is told nothing of the
  configuration, and has one thread, no event loop and no descriptors beyond standard ones and its
  line. So there is nothing in it that a child could have copied and may not have.
- Of its descriptors a child keeps the standard ones and the end of its line; then it becomes its
  user.
- It is forked twice and the process between ends: so the child is adopted by the supervisor, which
  has made itself the reaper of such orphans. To live, nobody needs the launcher any more.
- Processes forked from one launcher have one layout of addresses and one seed of hashes. So a
  launcher lives only while the program starts: a successor of a dead process comes from another,
  and crashes tell nobody anything of it.
- What it cannot do ends it, and with it its line. So does the death of the supervisor.
"""

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

Main = Callable[[int, Sequence[int]], int]


def main(fd: int) -> int:
    """Fork until the line ends; in each child, be the worker or the notary: its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are the supervisor's, which drains us
    mains = _load()
    with socket.socket(fileno=fd) as line:
        while True:
            asked, fds, _, _ = socket.recv_fds(line, 4096, 1)
            if not asked:
                os._exit(0)  # without looking once more at all that was imported
            try:
                if _forked(line, *fds):
                    break
            except OSError:  # no more processes, or no more supervisor
                os._exit(1)
    question = json.loads(asked)
    return mains[question["kind"]](fds[0], question["user"])


def _load() -> Mapping[str, Main]:
    """Import everything, for good: what the children share is not to be touched by looking for
    garbage."""
    gc.disable()
    from proxy.app import line, notary, worker

    line.call_process("lockgate-launch")
    line.load_codecs()
    gc.freeze()
    gc.enable()
    return {"worker": worker.main, "notary": notary.main}


def _forked(line: socket.socket, own: int) -> bool:
    """True in a new child of the supervisor, whose the descriptor `own` is from now on; False in
    the launcher, when the supervisor has been told of it.
    """
    between = os.fork()
    if between == 0:
        with suppress(OSError):
            child = os.fork()
            if child == 0:
                return True
            socket.send_fds(line, [b"%d" % child], [os.pidfd_open(child)])
        os._exit(0)
    os.waitpid(between, 0)
    os.close(own)
    line.send(b".")
    return False


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
