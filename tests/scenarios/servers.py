"""PostgreSQL and Redis as Debian has them, in a folder of their own, for one module of tests."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.patience import PATIENCE

USER = "nobody"
"""Whom PostgreSQL runs as where root runs the tests: root it refuses to be."""


def find(program: str) -> str:
    """The path of a program. What is missing fails the tests, with the command that installs it."""
    versions = map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    found = shutil.which(program, path=":".join([*versions, os.environ["PATH"], "/usr/sbin"]))
    assert found, f"{program} is not installed: make programs"
    return found


def free_port() -> int:
    """A port of loopback that nobody has, below those that the kernel gives to whoever asks for
    any: so nobody else takes it before the server does."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)):
                return port


def run(*command: str | Path, timeout: float = PATIENCE) -> str:
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
        deadline = time.monotonic() + PATIENCE
        while subprocess.run([*map(str, up)], capture_output=True, check=False).returncode != 0:
            assert server.poll() is None, f"{command[0]} ended by itself"
            assert time.monotonic() < deadline, f"{command[0]} does not come up"
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int]:
    """`redis-server` on a port of loopback, without files."""
    port = free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder)
    ping = (find("redis-cli"), "-p", str(port), "ping")
    with running((find("redis-server"), *options), ping):
        yield port


_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type text/plain;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} proxy_protocol;
    return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port";
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Port of an nginx that demands a PROXY protocol header, and says what it was told by it."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port))
    connect = (
        sys.executable,
        "-c",
        f"import socket; socket.create_connection(('127.0.0.1', {port}))",
    )
    with running((find("nginx"), "-c", config), connect):
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
