"""Listening sockets: bound to HOST:PORT, [IPV6]:PORT or unix:PATH, and named as they are told."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import trio

from proxy.errors import ConfigError, Problem
from proxy.settings.address import parse_bind

_BACKLOG = 1024


def bind(address: str, directory: Path) -> trio.socket.SocketType:
    """`bind_socket`, for this process's own event loop."""
    return trio.socket.from_stdlib_socket(bind_socket(address, directory))


def bind_socket(address: str, directory: Path, *, shared: bool = False) -> socket.socket:
    """A listening socket for HOST:PORT, [IPV6]:PORT or unix:PATH (relative to `directory`).

    `shared`: one of several on the address (SO_REUSEPORT). Raises ConfigError when the address
    cannot be had.
    """
    try:
        return _bind(address, directory, shared)
    except OSError as error:
        problem = Problem(address, 0, 0, "bind", error.strerror or type(error).__name__)
        raise ConfigError([problem]) from None


def _bind(address: str, directory: Path, shared: bool) -> socket.socket:
    place = parse_bind(address)
    host, family = place.host or "", socket.AF_INET
    if place.path is not None:
        family = socket.AF_UNIX
    elif ":" in host:
        family = socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if place.path is not None:
            _bind_unix(sock, directory / place.path)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
            sock.bind((host, place.port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _bind_unix(sock: socket.socket, path: Path) -> None:
    """Bind for owner and group; a path that a dead process left behind is taken over."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _is_answered(path):
        path.unlink()
    mask = os.umask(0o117)
    try:
        sock.bind(str(path))
    finally:
        os.umask(mask)


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def name_of(address: Any) -> str:
    """What a socket is bound to, as a configuration writes it."""
    if not isinstance(address, tuple):
        return f"unix:{address}"
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def unlink(address: object) -> None:
    """A unix socket leaves its path behind; nobody listens there any more."""
    if isinstance(address, str):
        Path(address).unlink(missing_ok=True)
