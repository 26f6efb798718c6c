"""Octets to and from a peer: plain sockets and TLS with the same methods.

One task may receive while another sends. Ciphertext leaves the engine and enters the socket under
one lock, because records are numbered: two of them in the wrong order end the connection. A failed
handshake still flushes its alert, so that the peer learns that (not why) it was refused.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from proxy.edge.octets import RECEIVE_SIZE, Disconnected, Octets, within
from proxy.edge.patience import Stalled
from proxy.errors import TlsFailure
from proxy.tls.engine import Engine
from proxy.tls.records import RECORD

__all__ = ["RECEIVE_SIZE", "Disconnected", "PlainStream", "Stalled", "Stream", "TlsStream"]

_PARTING = 1.0
"""Seconds that a peer which speaks the wrong protocol has to read that it does."""


class Stream(Protocol):
    """An ordered stream of octets. A `deadline` is on trio's clock."""

    async def receive(self, size: int = RECEIVE_SIZE, deadline: float = math.inf) -> bytes:
        """Some octets, about `size` at most; b"" when the peer has ended cleanly, which may be
        its side alone. Raises Disconnected, Stalled."""

    async def send(self, pieces: Sequence[bytes], deadline: float = math.inf) -> None:
        """Send all of them in order. Raises Disconnected, Stalled."""

    def give_up(self) -> None:
        """Have who waits to receive wait no longer: that raises Stalled."""

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


class PlainStream:
    """A socket as it is: unix sockets and loopback only."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._octets = Octets(sock)

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._octets.sock

    async def receive(self, size: int = RECEIVE_SIZE, deadline: float = math.inf) -> bytes:
        return await self._octets.receive(size, deadline)

    async def send(self, pieces: Sequence[bytes], deadline: float = math.inf) -> None:
        if data := b"".join(pieces):
            await self._octets.send(data, deadline)

    def give_up(self) -> None:
        self._octets.give_up()

    async def end(self) -> None:
        await trio.lowlevel.checkpoint()  # before, so that who is told that it went is told so
        self._octets.end()

    async def close(self) -> None:
        self._octets.sock.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def linger(self, seconds: float) -> None:
        await self._octets.linger(seconds)

    def abort(self) -> None:
        self._octets.abort()

    def quiet(self) -> bool:
        return self._octets.quiet()


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
        self._octets = Octets(sock)
        self._engine = engine
        self._refused = refused
        self._heard = False
        """The peer has sent us something, so it has not refused us."""
        self._owing = True
        """Reading may have made the engine say something, such as the answer to a KeyUpdate."""
        self._sending = trio.Lock()
        self._given_up = False
        """Whoever is receiving was told to give up: also who has to wait several times."""

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._octets.sock

    async def first_octets(self) -> None:
        """Wait until the peer has said anything at all. Raises Disconnected."""
        self._engine.receive(await self._octets.receive())

    async def handshake(self) -> None:
        """Complete the handshake and every check of the peer.

        Raises TlsFailure when the peer is refused, Disconnected when it is gone.
        """
        try:
            while not self._engine.handshake():
                await self._flush()
                self._engine.receive(await self._octets.receive())
            await self._flush()
        except TlsFailure:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await self._flush_quietly()
            raise

    async def answer_plainly(self, answer: bytes) -> None:
        """Tell a peer that speaks no TLS so, in its own protocol, and end. Raises Disconnected."""
        await self._octets.send(answer)
        await self._octets.linger(_PARTING)

    async def receive(self, size: int = RECEIVE_SIZE, deadline: float = math.inf) -> bytes:
        self._given_up = False
        try:
            data = self._engine.read(size)
            while data is None:
                self._engine.receive(await self._next(deadline))
                self._owing = True
                data = self._engine.read(size)
        except TlsFailure as failure:
            if failure.reason == "refused_by_peer" and not self._heard:
                self._refused(failure)
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None
        self._heard = True
        return data

    async def _next(self, deadline: float) -> bytes:
        """What the engine gets next."""
        if self._owing and not self._sending.locked():  # a sender under way sends that too
            await self._flush(deadline=deadline)
        if self._given_up:
            raise Stalled("it was given up")
        return await self._octets.receive(deadline=deadline)

    async def send(self, pieces: Sequence[bytes], deadline: float = math.inf) -> None:
        try:
            await self._flush(pieces, deadline)
        except TlsFailure as failure:
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None

    def give_up(self) -> None:
        self._given_up = True
        self._octets.give_up()

    async def end(self) -> None:
        try:
            self._engine.close()
        except TlsFailure as failure:
            raise Disconnected(f"{failure.reason}: {failure.detail}") from None
        await self._flush()

    async def close(self) -> None:
        await self._say_goodbye()
        self._octets.sock.close()

    async def linger(self, seconds: float) -> None:
        await self._say_goodbye()
        await self._octets.linger(seconds)

    async def _say_goodbye(self) -> None:
        try:
            self._engine.close()
        except TlsFailure:
            pass  # an engine that failed has nothing left to say
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await self._flush_quietly()

    def abort(self) -> None:
        self._octets.abort()

    def quiet(self) -> bool:
        """A close_notify may have come with the last answer, and the socket waits for ours."""
        try:
            unread = self._engine.behind or self._engine.read(1) is not None
            return not unread and self._octets.quiet()
        except TlsFailure:
            return False

    async def _flush(self, pieces: Sequence[bytes] = (), deadline: float = math.inf) -> None:
        """Send these, and whatever else the engine has to say.

        The lock is taken only where a part has to wait: what goes at once leaves nobody a gap.
        Raises TlsFailure, Disconnected, Stalled.
        """
        if self._sending.locked():
            await within(deadline, self._sending.acquire)
        try:
            if pieces and sum(map(len, pieces)) <= RECORD:
                pieces = (b"".join(pieces),)  # of TLS records, each costs calls and octets
            for piece in pieces:
                self._engine.write(piece)
            self._owing = False
            data = self._engine.leaving()
            sent = self._octets.push(data) if data else 0
            if sent < len(data):
                if not self._sending.locked():
                    self._sending.acquire_nowait()
                await self._octets.send(data[sent:], deadline)
        finally:
            if self._sending.locked():  # by us: nobody else had a turn without it
                self._sending.release()

    async def _flush_quietly(self) -> None:
        try:
            await self._flush()
        except Disconnected:
            pass
