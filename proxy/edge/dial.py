"""Connects to an upstream: its endpoints in order, and with TLS until every check has passed."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import trio

from proxy.edge.hygiene import Examine, nothing
from proxy.edge.mistaken import translated
from proxy.edge.stream import PlainStream, Stream, TlsStream
from proxy.errors import TlsFailure, UpstreamFailure
from proxy.model import FOREVER, Certificate, Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.address import Endpoint, parse_endpoint
from proxy.settings.schema import Upstream
from proxy.tls.context import TlsContext
from proxy.tls.engine import Engine
from proxy.tls.standing import Standing

_IDENTITY: Final = {
    "no_certificate", "untrusted", "expired", "not_yet_valid", "revoked", "revocation_unknown",
    "usage", "weak_key", "unproven", "name", "identity", "pin", "hygiene",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection to an upstream that is who it should be."""

    stream: Stream
    at: Endpoint
    certificate: Certificate | None = None
    """None without TLS."""
    until: datetime = FOREVER
    """How long it is acceptable, unless another configuration comes."""

    @property
    def peer(self) -> Peer:
        return Peer(certificate=self.certificate)


class Dialler:
    """Reaches one upstream. `is_expected` judges its certificate beyond chain, name and pins."""

    def __init__(
        self,
        name: str,
        settings: Upstream,
        directory: Path,
        tls: TlsContext | None,
        is_expected: Callable[[Peer], bool],
        metrics: Metrics,
    ) -> None:
        self._name = name
        self._settings = settings
        self._directory = directory
        self._endpoints = [parse_endpoint(url) for url in settings.endpoints]
        self._tls = tls
        self._is_expected = is_expected
        self._metrics = metrics
        self.log: Log | None = None
        """Where handshakes that fail are told; a configuration that is only tried has none."""
        self.examine: Examine = nothing

    async def connect(self) -> Reached:
        """The first endpoint that can be reached.

        Raises UpstreamFailure: upstream-unreachable, or upstream-identity, which no other endpoint
        makes up for.
        """
        reasons = []
        for at in self._endpoints:
            deadline = trio.current_time() + self._settings.limits.connect_timeout
            try:
                with trio.fail_at(deadline):
                    sock = await self._dial(at)
                if self._tls is None or not at.secure:
                    return Reached(PlainStream(sock), at)
                return await self._shake_hands(self._tls, sock, at, deadline)
            except OSError as error:
                reasons.append(f"{at}: {error}")
            except trio.TooSlowError:
                reasons.append(f"{at}: timed out")
            except TlsFailure as failure:
                if failure.reason in _IDENTITY:
                    raise UpstreamFailure("upstream-identity", str(failure)) from None
                reasons.append(f"{at}: {failure}")
        raise UpstreamFailure("upstream-unreachable", "; ".join(reasons))

    async def _shake_hands(
        self, tls: TlsContext, sock: trio.socket.SocketType, at: Endpoint, deadline: float
    ) -> Reached:
        """Raises TlsFailure, counted and logged."""
        address = _address(sock)
        stream: PlainStream | TlsStream = PlainStream(sock)
        try:
            if address is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            engine = Engine(tls, server_name=self._settings.server_name or at.address.host)
            stream = TlsStream(sock, engine, lambda failure: self._refused(failure, address))
            with translated(), trio.fail_at(deadline):
                await stream.handshake()
            self._require_expected(engine)
            if engine.certificate is not None:
                self.examine(engine.certificate, address)
        except TlsFailure as failure:
            self._refused(failure, address)
            await stream.close()
            raise
        except BaseException:
            sock.close()
            raise
        self._metrics.handshake("upstream", self._name, "ok")
        self._tell_of_unknown(engine.standing)
        return Reached(stream, at, engine.certificate, engine.standing.until)

    def _tell_of_unknown(self, standing: Standing) -> None:
        if standing.unknown:
            self._metrics.revocation_unknown("upstream", self._name)
        for unknown in standing.unknown:
            if self.log is not None:
                self.log.once("revocation_unknown", upstream=self._name, reason=unknown)

    def _refused(self, failure: TlsFailure, address: str | None) -> None:
        self._metrics.handshake("upstream", self._name, failure.reason)
        if self.log is not None:
            self.log.refused_handshake(failure, upstream=self._name, address=address)

    def _require_expected(self, engine: Engine) -> None:
        peer = Peer(certificate=engine.certificate, channel=engine.channel)
        if not self._is_expected(peer):
            detail = "the certificate is not the one of the expected peer"
            raise TlsFailure("identity", detail, engine.presented)

    async def _dial(self, at: Endpoint) -> trio.socket.SocketType:
        host, port, path = at.address.host, at.address.port, at.address.path
        if path is not None:
            return (await trio.open_unix_socket(str(self._directory / path))).socket
        return (await trio.open_tcp_stream(host or "", port or 0)).socket


def _address(sock: trio.socket.SocketType) -> str | None:
    """The IP address at the other end; None for a unix socket, and where it is gone already."""
    try:
        name = sock.getpeername()
    except OSError:
        return None
    return str(name[0]) if isinstance(name, tuple) else None
