"""Accepts connections, bounds them, and hands on those whose peer is who it says.

A listener serves `limits.connections` at once; beyond that admitted peers wait a while. Who has
yet to be admitted takes none of these places: silent peers, and handshakes under way, are crowds of
their own, in which the oldest gives way, and those of one source address are one more. What is
refused in the handshake, or finds no place, is counted and logged with its reason, never told.

Where no descriptor is left the silent peer that has waited longest gives way; where there is none,
new connections wait in the kernel's queue until one is free.
"""

import errno
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trio

from proxy.edge.crowd import Crowd, Sources
from proxy.edge.hygiene import Examine, nothing
from proxy.edge.mistaken import ANSWER, translated
from proxy.edge.stream import Disconnected, PlainStream, Stream, TlsStream
from proxy.edge.tally import Shed, Tally
from proxy.errors import ConfigError, Problem, TlsFailure
from proxy.model import Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.address import parse_bind
from proxy.settings.schema import ListenerLimits
from proxy.tls.context import TlsContext
from proxy.tls.engine import Engine

Serve = Callable[[Stream, Peer], Awaitable[None]]

_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_BACKLOG = 1024
_CHANCE = 1.0
"""Seconds that a handshake under way is safe from newer ones."""


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


class Listener:
    """One bound socket. `tls` is read for every connection, so that a reload takes effect."""

    def __init__(
        self,
        name: str,
        sock: trio.socket.SocketType,
        limits: ListenerLimits,
        tls: Callable[[], TlsContext | None],
        *,
        metrics: Metrics,
        log: Log,
        shed: Shed = lambda counts: None,
        examine: Examine = nothing,
    ) -> None:
        self.name = name
        self._sock = sock
        self._limits = limits
        self._tls = tls
        self._metrics = metrics
        self._log = log
        self._connections = trio.CapacityLimiter(limits.connections)
        self._silent = Crowd(limits.connections, chance=0)
        self._handshakes = Crowd(limits.handshakes, _CHANCE)
        self._sources = Sources(limits.handshakes_per_source)
        self._tally = Tally(name, shed)
        self._examine = examine

    @property
    def address(self) -> str:
        """What the socket is bound to, as HOST:PORT or unix:PATH."""
        return name_of(self._sock.getsockname())

    async def run(self, connections: trio.Nursery, serve: Serve) -> None:
        """Accept until cancelled, which ends handshakes under way but no connection.

        Each connection whose peer is known runs `serve` in the nursery `connections`.
        """
        address = self._sock.getsockname()
        try:
            async with trio.open_nursery() as handshakes:
                handshakes.start_soon(self._tally.run)
                while True:
                    sock = await self._accept()
                    handshakes.start_soon(self._admit, sock, connections, serve)
        finally:
            self._sock.close()
            _remove(address)

    async def _accept(self) -> trio.socket.SocketType:
        while True:
            try:
                sock, _ = await self._sock.accept()
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._log.error("accept_failed", listener=self.name, reason=error.strerror)
                    self._silent.push_out()
                    await trio.sleep(0.1)
                continue  # the peer was gone before it was accepted
            return sock

    async def _admit(
        self, sock: trio.socket.SocketType, connections: trio.Nursery, serve: Serve
    ) -> None:
        admitted = False
        try:
            address, uid = _origin(sock)
            stream, peer = await self._shake_hands(sock, address, uid)
            if stream is None:
                return
            place = object()
            with trio.move_on_after(self._limits.handshake_timeout):
                await self._connections.acquire_on_behalf_of(place)
                admitted = True
                connections.start_soon(self._serve, sock, place, serve, stream, peer)
            if not admitted:
                self._tally.count("connections")
                self._log.warning("connections_full", listener=self.name, peer=peer.name)
        except Disconnected:
            pass
        finally:
            if not admitted:
                sock.close()

    async def _serve(
        self,
        sock: trio.socket.SocketType,
        place: object,
        serve: Serve,
        stream: Stream,
        peer: Peer,
    ) -> None:
        self._metrics.connections.labels(self.name).inc()
        try:
            await serve(stream, peer)
        except Exception as error:  # a defect must not take the other connections with it
            self._log.defect(error, listener=self.name)
        finally:
            self._metrics.connections.labels(self.name).dec()
            sock.close()
            self._connections.release_on_behalf_of(place)

    async def _shake_hands(
        self, sock: trio.socket.SocketType, address: str | None, uid: int | None
    ) -> tuple[Stream | None, Peer]:
        anonymous = Peer(address=address, uid=uid)
        context = self._tls()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return PlainStream(sock), anonymous
        engine = Engine(context)
        stream = TlsStream(sock, engine)
        try:
            with (
                self._metrics.unadmitted.labels(self.name).track_inprogress(),
                translated(),
                trio.fail_after(self._limits.handshake_timeout),
            ):
                async with self._sources.place(address):
                    await self._identify(stream)
                if engine.certificate is not None:
                    self._examine(engine.certificate, address)
        except TlsFailure as failure:
            self._refused(failure, address)
            return None, anonymous
        self._metrics.handshake("listener", self.name, "ok")
        for unknown in engine.standing.unknown[:1]:
            self._metrics.revocation_unknown("listener", self.name)
            self._log.once("revocation_unknown", listener=self.name, reason=unknown)
        return stream, Peer(address, uid, engine.certificate, engine.channel)

    async def _identify(self, stream: TlsStream) -> None:
        """The handshake. Who waits for its turn is one of the silent until then: nobody is in no
        crowd. Raises TlsFailure, Disconnected."""
        async with self._silent.place() as silent:
            await stream.first_octets()
            async with self._handshakes.place():
                silent.leave()
                try:
                    await stream.handshake()
                except TlsFailure as failure:
                    if failure.reason == "plain_http":
                        await stream.answer_plainly(ANSWER)
                    raise

    def _refused(self, failure: TlsFailure, address: str | None) -> None:
        self._metrics.handshake("listener", self.name, failure.reason)
        self._tally.count(failure.reason)
        self._log.refused_handshake(failure, listener=self.name, address=address)


def _remove(address: object) -> None:
    """A unix socket leaves its path behind; nobody listens there any more."""
    if isinstance(address, str):
        Path(address).unlink(missing_ok=True)


def _origin(sock: trio.socket.SocketType) -> tuple[str | None, int | None]:
    """IP address of a TCP peer, or user id of a peer on a unix socket."""
    if sock.family == socket.AF_UNIX:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", credentials)
        return None, uid
    try:
        address = ip_address(sock.getpeername()[0])
    except OSError:
        raise Disconnected("gone before it was accepted") from None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), None
