"""Accepts connections, bounds them, and hands on those whose peer is who it says.

A listener serves `limits.connections` at once; beyond that admitted peers wait a while. Who has
yet to be admitted takes none of these places: silent peers, and handshakes under way, are crowds of
their own, in which one gives way, and handshakes of one source are one more. What is refused in the
handshake, or finds no place, is counted and logged with its reason, never told.

Where no descriptor is left a silent peer gives way; where there is none, new connections wait in
the kernel's queue until one is free.
"""

import errno
import math
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv6Address
from typing import Any

import trio

from proxy.edge.binding import name_of, unlink
from proxy.edge.crowd import Crowd, Sources, source_of
from proxy.edge.hygiene import Examine, nothing
from proxy.edge.mistaken import ANSWER, translated
from proxy.edge.stream import Disconnected, PlainStream, Stream, TlsStream
from proxy.edge.tally import Shed, Tally
from proxy.errors import TlsFailure
from proxy.model import Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.schema import ListenerLimits
from proxy.tls.context import TlsContext
from proxy.tls.engine import Engine

Serve = Callable[[Stream, Peer], Awaitable[None]]

_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.02
_COMPLAINT_EVERY = 1.0
_CHANCE = 1.0
"""Seconds that a handshake under way is safe from newer ones."""


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
        self._local = sock.family == socket.AF_UNIX
        self._limits = limits
        self._tls = tls
        self._metrics = metrics
        self._served = metrics.connections.labels(name)
        self._log = log
        self._connections = trio.CapacityLimiter(limits.connections)
        self._silent = Crowd(limits.connections, chance=0)
        self._handshakes = Crowd(limits.handshakes, _CHANCE)
        self._sources = Sources(limits.handshakes_per_source, _CHANCE)
        for state, crowd in {"waiting": self._silent, "shaking": self._handshakes}.items():
            gauge = metrics.unadmitted.labels(name, state)
            gauge.set_function(partial(_count, crowd))
        self._complaint_due = -math.inf
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
                    sock, whence = await self._accept()
                    handshakes.start_soon(self._admit, sock, whence, connections, serve)
        finally:
            self._sock.close()
            unlink(address)

    async def _accept(self) -> tuple[trio.socket.SocketType, Any]:
        """A connection, and where it comes from by the kernel."""
        while True:
            try:
                return await self._sock.accept()
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    await self._make_room(error)
                # else the peer was gone before it was accepted

    async def _make_room(self, error: OSError) -> None:
        """Out of descriptors: let a silent peer go, and say so, once a
        while. The pause is what a new one has to begin its handshake, and bounds what this costs.
        """
        if trio.current_time() >= self._complaint_due:
            self._complaint_due = trio.current_time() + _COMPLAINT_EVERY
            self._log.error("accept_failed", listener=self.name, reason=error.strerror)
        self._silent.push_out()
        await trio.sleep(_PAUSE)

    async def _admit(
        self,
        sock: trio.socket.SocketType,
        whence: Any,
        connections: trio.Nursery,
        serve: Serve,
    ) -> None:
        admitted = False
        try:
            address, uid = (None, _user(sock)) if self._local else (_address(whence), None)
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
        self._served.inc()
        try:
            await serve(stream, peer)
        except Exception as error:  # a defect must not take the other connections with it
            self._log.defect(error, listener=self.name)
        finally:
            self._served.dec()
            sock.close()
            self._connections.release_on_behalf_of(place)

    async def _shake_hands(
        self, sock: trio.socket.SocketType, address: str | None, uid: int | None
    ) -> tuple[Stream | None, Peer]:
        anonymous = Peer(address=address, uid=uid)
        context = self._tls()
        if not self._local:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return PlainStream(sock), anonymous
        engine = Engine(context)
        stream = TlsStream(sock, engine)
        try:
            with translated():
                await self._identify(stream, source_of(address))
                if engine.certificate is not None:
                    self._examine(engine.certificate, address)
        except TlsFailure as failure:
            # what TLS said stands, also of who ran out of time or was pushed out while being told
            self._refused(engine.failure or failure, address)
            await stream.close()
            return None, anonymous
        self._metrics.handshake("listener", self.name, "ok")
        if engine.standing.unknown:
            self._metrics.revocation_unknown("listener", self.name)
        for unknown in engine.standing.unknown:
            self._log.once("revocation_unknown", listener=self.name, reason=unknown)
        return stream, Peer(address, uid, engine.certificate, engine.channel)

    async def _identify(self, stream: TlsStream, source: str) -> None:
        """The handshake. Who waits for its turn is one of the silent until then: nobody is in no
        crowd. Raises TlsFailure, Disconnected."""
        deadline = trio.current_time() + self._limits.handshake_timeout
        async with self._silent.place(source, deadline=deadline) as silent:
            await stream.first_octets()
            async with self._sources.place(source, silent), self._handshakes.place(inside=silent):
                silent.leave()
                try:
                    await stream.handshake()
                except TlsFailure as failure:
                    if failure.reason == "plain_http":
                        with suppress(Disconnected):  # it may not have waited for an answer
                            await stream.answer_plainly(ANSWER)
                    raise

    def _refused(self, failure: TlsFailure, address: str | None) -> None:
        self._metrics.handshake("listener", self.name, failure.reason)
        self._tally.count(failure.reason)
        self._log.refused_handshake(failure, listener=self.name, address=address)


def _count(crowd: Crowd) -> float:
    return float(len(crowd))


def _user(sock: trio.socket.SocketType) -> int:
    """Id of the user of a peer on a unix socket."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


def _address(whence: tuple[Any, ...]) -> str:
    """IP address of a TCP peer."""
    address = str(whence[0])
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    return str(parsed.ipv4_mapped or parsed)
