"""Octets to and from a peer: plain sockets and TLS with the same methods.

One task may receive while another sends. Ciphertext leaves the engine and enters the socket under
one lock, because records are numbered: two of them in the wrong order end the connection. A failed
handshake still flushes its alert, so that the peer learns that (not why) it was refused.
"""

import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from proxy.errors import LockgateError, TlsFailure
from proxy.tls.engine import RECORD, Engine

RECEIVE_SIZE = 256 * 1024
"""Octets asked of the kernel at once: half of it costs a tenth more, in turns and in calls."""

_PARTING = 1.0
"""Seconds that a peer which speaks the wrong protocol has to read that it does."""
_RESET = struct.pack("ii", 1, 0)


class Disconnected(LockgateError):
    """The peer is gone, or sent what is not TLS: nothing more can be sent or received."""


class Stream(Protocol):
    """An ordered stream of octets."""

    async def receive(self, size: int = RECEIVE_SIZE) -> bytes:
        """Some octets, about `size` at most; b"" when the peer has ended cleanly, which may be
        its side alone. Raises Disconnected."""

    async def send(self, pieces: Sequence[bytes]) -> None:
        """Send all of them in order. Raises Disconnected."""

    async def end(self) -> None:
        """End our side cleanly, and ours alone: what the peer sends can be received all the same.

        Over TLS that is close_notify, else the end of the socket's stream. Raises Disconnected.
        """

    async def close(self) -> None:
        """End cleanly; never raises."""

    async def linger(self, seconds: float) -> None:
        """End our side, and discard what still arrives until the peer ends its side or time is up.

        Closing at once would reset the connection, and the reset would overtake an answer that the
        peer, still sending, has not read. Never raises.
        """

    def abort(self) -> None:
        """End so that the peer cannot take what it has for complete: a reset."""

    def quiet(self) -> bool:
        """True when the connection is open and nothing has arrived: fit to be used again."""

    @property
    def socket(self) -> trio.socket.SocketType:
        """What is under it, for questions of addresses and options."""


def _abort(sock: trio.socket.SocketType) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        pass  # not a TCP socket, or gone already
    sock.close()


def _quiet(sock: trio.socket.SocketType) -> bool:
    if sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN | select.POLLRDHUP)
    return not poll.poll(0)


async def _receive(sock: trio.socket.SocketType, size: int = RECEIVE_SIZE) -> bytes:
    try:
        return await sock.recv(size)
    except (OSError, trio.ClosedResourceError) as error:
        raise Disconnected(type(error).__name__) from None


async def _send(sock: trio.socket.SocketType, data: bytes) -> None:
    """Gives no turn to others when the kernel takes all at once: whoever goes on receives first."""
    try:
        try:
            sent = os.write(sock.fileno(), data)
        except BlockingIOError:
            sent = 0
        with memoryview(data) as rest:
            while sent < len(data):
                sent += await sock.send(rest[sent:])
    except (OSError, trio.ClosedResourceError) as error:
        raise Disconnected(type(error).__name__) from None


async def _linger(sock: trio.socket.SocketType, seconds: float) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
        with trio.move_on_after(seconds):
            while await sock.recv(RECEIVE_SIZE):
                pass
    except (OSError, trio.ClosedResourceError):
        pass
    sock.close()


class PlainStream:
    """A socket as it is: unix sockets and loopback only."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._sock

    async def receive(self, size: int = RECEIVE_SIZE) -> bytes:
        return await _receive(self._sock, size)

    async def send(self, pieces: Sequence[bytes]) -> None:
        if data := b"".join(pieces):
            await _send(self._sock, data)

    async def end(self) -> None:
        await trio.lowlevel.checkpoint()  # before, so that who is told that it went is told so
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except (OSError, trio.ClosedResourceError) as error:
            raise Disconnected(type(error).__name__) from None

    async def close(self) -> None:
        self._sock.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def linger(self, seconds: float) -> None:
        await _linger(self._sock, seconds)

    def abort(self) -> None:
        _abort(self._sock)

    def quiet(self) -> bool:
        return _quiet(self._sock)


class TlsStream:
    """A socket with an engine between it and the caller."""

    def __init__(
        self,
        sock: trio.socket.SocketType,
        engine: Engine,
        refused: Callable[[TlsFailure], None] = lambda failure: None,
    ) -> None:
        """`refused` is told when a server refuses us after our side of the handshake was complete,
        as in TLS 1.3 it does (RFC 8446, 4.4.2.4)."""
        self._sock = sock
        self._engine = engine
        self._refused = refused
        self._heard = False
        """The peer has sent us something, so it has not refused us."""
        self._owing = True
        """Reading may have made the engine say something, such as the answer to a KeyUpdate."""
        self._sending = trio.Lock()

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._sock

    async def first_octets(self) -> None:
        """Wait until the peer has said anything at all. Raises Disconnected."""
        self._engine.receive(await _receive(self._sock))

    async def handshake(self) -> None:
        """Complete the handshake and every check of the peer.

        Raises TlsFailure when the peer is refused, Disconnected when it is gone.
        """
        try:
            while not self._engine.handshake():
                await self._flush()
                self._engine.receive(await _receive(self._sock))
            await self._flush()
        except TlsFailure:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await self._flush_quietly()
            raise

    async def answer_plainly(self, answer: bytes) -> None:
        """Tell a peer that speaks no TLS so, in its own protocol, and end. Raises Disconnected."""
        await _send(self._sock, answer)
        await _linger(self._sock, _PARTING)

    async def receive(self, size: int = RECEIVE_SIZE) -> bytes:
        try:
            data = self._engine.read(size)
            while data is None:
                if self._owing and not self._sending.locked():  # a sender under way sends that too
                    await self._flush()
                self._engine.receive(await _receive(self._sock, size))
                self._owing = True
                data = self._engine.read(size)
        except TlsFailure as failure:
            if failure.reason == "refused_by_peer" and not self._heard:
                self._refused(failure)
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None
        self._heard = True
        return data

    async def send(self, pieces: Sequence[bytes]) -> None:
        try:
            await self._flush(pieces)
        except TlsFailure as failure:
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None

    async def end(self) -> None:
        try:
            self._engine.close()
        except TlsFailure as failure:
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None
        await self._flush()

    async def close(self) -> None:
        await self._say_goodbye()
        self._sock.close()

    async def linger(self, seconds: float) -> None:
        await self._say_goodbye()
        await _linger(self._sock, seconds)

    async def _say_goodbye(self) -> None:
        try:
            self._engine.close()
        except TlsFailure:
            pass  # an engine that failed has nothing left to say
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await self._flush_quietly()

    def abort(self) -> None:
        _abort(self._sock)

    def quiet(self) -> bool:
        """A close_notify may have come with the last answer, and the socket waits for ours."""
        try:
            return self._engine.read(1) is None and _quiet(self._sock)
        except TlsFailure:
            return False

    async def _flush(self, pieces: Sequence[bytes] = ()) -> None:
        """Send these, and whatever else the engine has to say. Raises TlsFailure, Disconnected."""
        try:
            self._sending.acquire_nowait()
        except trio.WouldBlock:
            await self._sending.acquire()
        try:
            if pieces and sum(map(len, pieces)) <= RECORD:
                pieces = (b"".join(pieces),)  # of TLS records, each costs calls and octets
            for piece in pieces:
                self._engine.write(piece)
            self._owing = False
            if data := self._engine.outgoing():
                await _send(self._sock, data)
        finally:
            self._sending.release()

    async def _flush_quietly(self) -> None:
        try:
            await self._flush()
        except Disconnected:
            pass
