"""Two ends of a TLS connection in one process, with nothing but bytes between them."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.context import TlsContext, client_context, server_context
from proxy.tls.credentials import Credentials
from proxy.tls.engine import Engine
from tests.pki import pki

Cut = Callable[[bytes], Iterator[bytes]]
NAME = "localhost"


def whole(data: bytes) -> Iterator[bytes]:
    """Deliver as it comes."""
    if data:
        yield data


def bytewise(data: bytes) -> Iterator[bytes]:
    """Deliver one octet at a time."""
    for index in range(len(data)):
        yield data[index : index + 1]


def server_side(
    credentials: Credentials | None = None,
    *,
    trust: bytes | None = None,
    crl: bytes | None = None,
    tls: ListenerTls | None = None,
) -> TlsContext:
    """A listener's context; our gateway and our CA unless told otherwise."""
    mine = credentials or pki().gateway
    return server_context(mine, trust or pki().trust, crl, tls or ListenerTls())


def client_side(
    credentials: Credentials | None = None,
    *,
    trust: bytes | None = None,
    crl: bytes | None = None,
    tls: Tls | None = None,
    pins: list[str] | None = None,
) -> TlsContext:
    """A sender's context; our client and our CA unless told otherwise."""
    mine = credentials or pki().client
    return client_context(mine, trust or pki().trust, crl, tls or Tls(), pins)


@dataclass(slots=True)
class End:
    """One side of a handshake, and how it went."""

    engine: Engine
    done: bool = False
    failure: TlsFailure | None = None
    closed: bool = False

    def step(self) -> None:
        """Go on with the handshake; after it, look for an alert or close_notify."""
        if self.failure is not None:
            return
        try:
            if self.done:
                self.closed = self.engine.read() == b""
            else:
                self.done = self.engine.handshake()
        except TlsFailure as failure:
            self.failure = failure

    @property
    def reason(self) -> str | None:
        return self.failure.reason if self.failure else None


def shake(server: TlsContext, client: TlsContext, name: str = NAME, cut: Cut = whole) -> list[End]:
    """Run a handshake until both sides are silent: `[server, client]`."""
    ends = [End(Engine(server)), End(Engine(client, server_name=name))]
    for end in reversed(ends):
        end.step()
    moved = True
    while moved:
        moved = False
        for source, target in (ends, ends[::-1]):
            for piece in cut(source.engine.outgoing()):
                moved = True
                if target.failure is None:
                    target.engine.receive(piece)
                    target.step()
    return ends


def connected(
    server: TlsContext | None = None, client: TlsContext | None = None, name: str = NAME
) -> tuple[Engine, Engine]:
    """Two engines after a handshake in which nothing failed."""
    ends = shake(server or server_side(), client or client_side(), name)
    assert [end.failure for end in ends] == [None, None]
    assert [end.done for end in ends] == [True, True]
    return ends[0].engine, ends[1].engine


def reasons(server: TlsContext, client: TlsContext, name: str = NAME) -> tuple[str | None, ...]:
    """What each side says of a handshake: `(server, client)`."""
    return tuple(end.reason for end in shake(server, client, name))


# --- a foreign peer: the standard library's ssl, an OpenSSL of its own -------------------------


@dataclass(slots=True)
class Foreign:
    """A `ssl.SSLObject` over memory."""

    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    tls: ssl.SSLObject
    done: bool = False
    failure: ssl.SSLError | None = None

    def step(self) -> None:
        if self.done or self.failure is not None:
            return
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as failure:
            self.failure = failure
        else:
            self.done = True


def foreign_context(server: bool, credentials: Credentials | None, folder: Path) -> ssl.SSLContext:
    """A context of the standard library that trusts our CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pki().trust.decode())
    if server:
        context.verify_mode = ssl.CERT_REQUIRED
    if credentials is not None:
        chain, key = folder / "foreign.pem", folder / "foreign.key"
        chain.write_bytes(credentials.certificate)
        key.write_bytes(credentials.key)
        context.load_cert_chain(chain, key)
    return context


def foreign_peer(
    context: ssl.SSLContext, *, server: bool, session: ssl.SSLSession | None = None
) -> Foreign:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    name = None if server else NAME
    tls = context.wrap_bio(
        incoming, outgoing, server_side=server, server_hostname=name, session=session
    )
    return Foreign(incoming, outgoing, tls)


def shake_foreign(ours: Engine, foreign: Foreign) -> End:
    """Run a handshake between an engine and a foreign peer until both are silent."""
    end = End(ours)
    for _ in range(10):
        end.step()
        foreign.incoming.write(ours.outgoing())
        foreign.step()
        ciphertext = foreign.outgoing.read()
        if not ciphertext and (end.done or end.failure is not None):
            break
        if ciphertext and end.failure is None:
            ours.receive(ciphertext)
    return end
