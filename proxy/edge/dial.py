"""Connects to an upstream: its endpoints in order, and with TLS until every check has passed."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from proxy.edge.stream import Disconnected, PlainStream, Stream, TlsStream
from proxy.errors import TlsFailure, UpstreamFailure
from proxy.model import Certificate, Peer
from proxy.observe.metrics import Metrics
from proxy.settings.address import Endpoint, parse_endpoint
from proxy.settings.schema import Upstream
from proxy.tls.context import TlsContext
from proxy.tls.engine import Engine

_IDENTITY: Final = {
    "no_certificate", "untrusted", "expired", "not_yet_valid", "revoked", "crl", "usage",
    "weak_key", "name", "identity", "pin",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection to an upstream that is who it should be."""

    stream: Stream
    at: Endpoint
    certificate: Certificate | None
    """None without TLS."""


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

    async def connect(self) -> Reached:
        """The first endpoint that can be reached.

        Raises UpstreamFailure: upstream-unreachable, or upstream-identity, which no other endpoint
        makes up for.
        """
        reasons = []
        for at in self._endpoints:
            with trio.move_on_after(self._settings.limits.connect_timeout):
                try:
                    return await self._connect_to(at)
                except (OSError, Disconnected) as error:
                    reasons.append(f"{at}: {error}")
                    continue
            reasons.append(f"{at}: timed out")
        raise UpstreamFailure("upstream-unreachable", "; ".join(reasons))

    async def _connect_to(self, at: Endpoint) -> Reached:
        sock = await self._dial(at)
        if self._tls is None or not at.secure:
            return Reached(PlainStream(sock), at, None)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            engine = Engine(self._tls, server_name=self._settings.server_name or at.address.host)
            stream = TlsStream(sock, engine)
            await stream.handshake()
            self._require_expected(engine)
        except TlsFailure as failure:
            sock.close()
            self._metrics.handshake("upstream", self._name, failure.reason)
            if failure.reason in _IDENTITY:
                raise UpstreamFailure("upstream-identity", str(failure)) from None
            raise Disconnected(str(failure)) from None
        except BaseException:
            sock.close()
            raise
        self._metrics.handshake("upstream", self._name, "ok")
        if engine.standing.unknown:
            self._metrics.revocation_unknown("upstream", self._name)
        return Reached(stream, at, engine.certificate)

    def _require_expected(self, engine: Engine) -> None:
        peer = Peer(certificate=engine.certificate, channel=engine.channel)
        if not self._is_expected(peer):
            raise TlsFailure("identity", "the certificate is not the one of the expected peer")

    async def _dial(self, at: Endpoint) -> trio.socket.SocketType:
        host, port, path = at.address.host, at.address.port, at.address.path
        if path is not None:
            return (await trio.open_unix_socket(str(self._directory / path))).socket
        return (await trio.open_tcp_stream(host or "", port or 0)).socket
