"""What the supervisor and its children say to each other: questions and answers over a socketpair.

A frame is u32be length ‖ JSON. Descriptors travel beside the first octets of the frame that counts
them in `fds`, with each octet as many as the kernel takes at once:

    00 00 00 21 {"id":7,"do":"channel","fds":1}      -> one descriptor comes with it
    00 00 00 15 {"id":7,"ok":true,"fds":0}

The supervisor asks, a child answers in order. The end of the stream is the other one's death: a
child then ends by itself, the supervisor starts another.
"""

import array
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

import orjson
import trio

from proxy.errors import LockgateError

Message = dict[str, Any]

_LENGTH: Final = struct.Struct(">I")
_MOST: Final = 512 * 2**20
_MOST_HEARD: Final = 16 * 2**20
"""Octets of a frame; of one from an end that may be ours no longer."""
_READ: Final = 65_536
_FDS: Final = 253
"""SCM_MAX_FD: descriptors that one call sends."""


class EndedError(LockgateError):
    """The other end is gone, or speaks what is not a frame."""


class Control:
    """One end. Not for two readers, nor for two writers, at once."""

    def __init__(self, sock: trio.socket.SocketType, *, trusted: bool = True) -> None:
        """From an end that is not `trusted` no descriptors are taken: they would fill our table.

        Nor are frames that would fill our memory.
        """
        self._sock = sock
        self._trusted = trusted
        self._buffer = bytearray()
        self._fds: list[int] = []

    async def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Raises EndedError."""
        body = orjson.dumps({**message, "fds": len(fds)})
        data = memoryview(_LENGTH.pack(len(body)) + body)
        try:
            for first in range(0, len(fds), _FDS):
                some = array.array("i", fds[first : first + _FDS])
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, some)]
                data = data[await self._sock.sendmsg([data[:1]], rights) :]
            while data:
                data = data[await self._sock.send(data) :]
        except (OSError, trio.ClosedResourceError):
            raise EndedError("the other end is gone") from None

    async def receive(self) -> tuple[Message, list[int]]:
        """The next message, with the descriptors that came with it: the caller's to close.

        Raises EndedError.
        """
        while (size := self._size()) is None or len(self._buffer) < _LENGTH.size + size:
            await self._more()
        body = bytes(self._buffer[_LENGTH.size : _LENGTH.size + size])
        del self._buffer[: _LENGTH.size + size]
        try:
            message: Message = orjson.loads(body)
            count = int(message.pop("fds"))
            if not isinstance(message["id"], int):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EndedError("what came is no message") from None
        fds, self._fds = self._fds[:count], self._fds[count:]
        return message, fds

    def _size(self) -> int | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        size: int = _LENGTH.unpack_from(self._buffer)[0]
        if size > (_MOST if self._trusted else _MOST_HEARD):
            raise EndedError("what came is no frame")
        return size

    async def _more(self) -> None:
        extra: list[tuple[int, int, bytes]] = []
        try:
            if self._trusted:
                data, extra, _, _ = await self._sock.recvmsg(_READ, socket.CMSG_SPACE(4 * _FDS))
            else:
                data = await self._sock.recv(_READ)
        except (OSError, trio.ClosedResourceError):
            raise EndedError("the other end is gone") from None
        if not data:
            raise EndedError("the other end is gone")
        self._buffer += data
        for level, kind, octets in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._fds += array.array("i", octets[: len(octets) - len(octets) % 4])

    def close(self) -> None:
        self._sock.close()
