"""PostgreSQL and Redis as Debian has them, in a folder of their own, for one module of tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

USER = "nobody"
"""Whom PostgreSQL runs as where root runs the tests: root it refuses to be."""


def find(program: str) -> str:
    """The path of a program. What is missing fails the tests, with the command that installs it."""
    places = [os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    found = shutil.which(program, path=":".join(reversed(places)))
    assert found, f"{program} is not installed: make programs"
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def run(*command: str | Path, timeout: float = 60) -> str:
    """What a command printed; it must succeed."""
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def running(command: Sequence[str | Path], up: Sequence[str | Path]) -> Iterator[None]:
    """A server, from when `up` succeeds until it is told to end."""
    server = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while subprocess.run([*map(str, up)], capture_output=True, check=False).returncode != 0:
            assert server.poll() is None, f"{command[0]} ended by itself"
            assert time.monotonic() < deadline, f"{command[0]} does not come up"
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int]:
    """`redis-server` on a port of loopback, without files."""
    port = free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder)
    ping = (find("redis-cli"), "-p", str(port), "ping")
    with running((find("redis-server"), *options), ping):
        yield port


@contextlib.contextmanager
def postgres() -> Iterator[Path]:
    """PostgreSQL on a unix socket alone: its path. Everybody who reaches that may come in.

    In a folder beside those of pytest, which keeps its own from other users.
    """
    root = os.getuid() == 0
    become = ("setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups") if root else ()
    with tempfile.TemporaryDirectory(prefix="lockgate-postgres-") as made:
        folder = Path(made)
        if root:
            shutil.chown(folder, USER)
        run(*become, find("initdb"), "-D", folder / "data", "-U", "app", "-A", "trust", "-N")
        options = ("-D", folder / "data", "-k", folder, "-c", "listen_addresses=")
        up = (find("pg_isready"), "-q", "-h", folder, "-U", "app", "-d", "postgres")
        with running((*become, find("postgres"), *options, "-c", "fsync=off"), up):
            yield folder / ".s.PGSQL.5432"
