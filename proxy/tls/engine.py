"""One TLS connection without a socket: ciphertext in, plaintext out, and back.

    engine = Engine(context, server_name="warehouse.internal")     # or Engine(context) for a server
    while not engine.handshake():
        send(engine.outgoing())
        engine.receive(from_the_network())       # b"" when the transport has ended
    send(engine.outgoing())

Rules:

1. After every call that may have made ciphertext (`handshake`, `read`, `write`, `close`), also
   after one that raised, `outgoing()` has what is to be sent: the alert that tells the peer.
2. `handshake()` is True only when every check has passed: chain, validity, usages, revocation,
   name, pins, identity, group and suite. Nothing is read before.
3. Application data may arrive in the same chunk as the end of the handshake: call `read()` before
   waiting for the network.
4. A failure is final: every later call raises the same one.
5. An end without close_notify is a truncation and raises; it is never `b""`.
"""

import re
from hashlib import sha256

from OpenSSL import SSL

from proxy.errors import TlsFailure
from proxy.model import Certificate, Channel
from proxy.tls import records
from proxy.tls.context import TlsContext
from proxy.tls.failures import OPENING, translate
from proxy.tls.identity import describe, described
from proxy.tls.known import encoded
from proxy.tls.records import RECORD
from proxy.tls.standing import Standing
from proxy.tls.verify import Examination, is_ip

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_IMPOSSIBLE = b"\x17\x03\x03\x00\x10" + bytes(2 * RECORD)
"""OpenSSL has no call that ends a handshake with an alert. It sends one for this: application data
before there is any, and where half a record has come, the rest of that, which makes no sense."""
_NO_MESSAGE = b"\x16\x03\x03\x00\x04\x0e\0\0\0" + bytes(2 * RECORD)
"""The same for a peer that has not said a whole header: to what is no TLS nothing is said."""
_HEADER = 5


class Engine:
    """A TLS connection over memory. Not safe for use by two tasks in the same instant."""

    def __init__(self, context: TlsContext, *, server_name: str | None = None) -> None:
        """`server_name` (DNS name or IP address, ASCII) is what a client demands of the server.

        Raises `TlsFailure` with reason `name` when a client has none, or one that is no name.
        """
        if not context.server:
            _require_name(server_name)
        elif server_name is not None:
            raise ValueError("a server demands no name of its clients")
        self._context = context
        self._examination = Examination(server_name)
        self._connection = SSL.Connection(context.openssl)
        self._connection.set_app_data(self._examination)
        self._certificate: Certificate | None = None
        self._channel: Channel | None = None
        self._failure: TlsFailure | None = None
        self._fed: object = None
        """The memory that OpenSSL reads from."""
        self._unread = RECORD
        """Octets of plaintext that OpenSSL has at most."""
        self._dry = False
        """All that came has been read: asking again would cost an exception and tell nothing."""
        self._opening = bytearray()
        """What the peer began with: enough to know HTTP by."""
        if server_name is None:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
            if not is_ip(server_name):
                self._connection.set_tlsext_host_name(server_name.encode("ascii"))

    @property
    def certificate(self) -> Certificate | None:
        """The peer's, verified; None before `handshake()` was True."""
        return self._certificate

    @property
    def standing(self) -> Standing:
        """How long the peer is acceptable. Raises RuntimeError before `handshake()` was True."""
        if self._channel is None or self._examination.standing is None:
            raise RuntimeError("the handshake is not complete")
        return self._examination.standing

    @property
    def presented(self) -> dict[str, str]:
        """Whose certificate the peer presented, verified or not, for the log; empty without one."""
        if self._certificate is not None:
            return described(self._certificate)
        leaf = self._examination.leaf
        return describe(leaf) if leaf is not None else {}

    @property
    def failure(self) -> TlsFailure | None:
        """Why the connection failed; None while it has not."""
        return self._failure

    @property
    def channel(self) -> Channel:
        """What was negotiated. Raises RuntimeError before `handshake()` was True."""
        if self._channel is None:
            raise RuntimeError("the handshake is not complete")
        return self._channel

    def receive(self, ciphertext: bytes | bytearray | memoryview) -> None:
        """Take what came from the transport; empty means that it has ended."""
        self._dry = False
        if ciphertext:
            self._unread += len(ciphertext)
            if len(self._opening) < OPENING:
                self._opening += ciphertext[:OPENING]
            self._fed = records.feed(self._connection, ciphertext)
        else:
            self._connection.bio_shutdown()

    @property
    def behind(self) -> bool:
        """Some of what was taken has not been looked at."""
        return records.unread(self._connection) > 0

    def outgoing(self) -> bytes:
        """All ciphertext that is to be sent, and forget it; empty when there is none."""
        return bytes(self.leaving())

    def leaving(self) -> memoryview:
        """The same without a copy of it."""
        return records.leaving(self._connection)

    def handshake(self) -> bool:
        """Go on with the handshake. True when it is complete and every check has passed.

        Raises `TlsFailure`.
        """
        self._require_sound()
        if self._channel is not None:
            return True
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            failure = self._examination.failure or translate(error, bytes(self._opening))
            raise self._fail(failure) from None
        try:
            self._channel = self._require_channel()
            self._certificate = self._require_peer()
        except TlsFailure as failure:
            self._channel = None
            self._shutdown()
            raise self._fail(failure) from None
        return True

    def read(self, size: int = 65536) -> bytes | None:
        """Up to `size` octets of plaintext; None: more ciphertext is needed; b"": close_notify.

        Raises `TlsFailure`: `closed` when the transport ended first, and others.
        """
        if self._failure is not None or self._channel is None:
            self._require_complete()
        if self._dry:
            return None
        data, said = records.read(self._connection, min(size, self._unread))
        if said > 0:
            self._unread = max(RECORD, self._unread - len(data))
            return data
        self._unread = RECORD
        try:
            records.require_more(self._connection, said)
        except SSL.ZeroReturnError:
            return data
        except SSL.Error as error:
            self._fail(translate(error))
            if not data:
                self._require_sound()
            return data
        self._dry = True
        self._fed = self._fed if self.behind else None
        return data or None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt all of `data`. Raises `TlsFailure`."""
        if self._failure is not None or self._channel is None:
            self._require_complete()
        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            raise self._fail(translate(error)) from None

    def close(self) -> None:
        """Queue close_notify. Reading may go on. Does nothing after a failure or a first call.

        In the midst of a handshake: queue a fatal alert, and fail.
        """
        if self._failure is not None:
            return
        if self._channel is not None:
            self._shutdown()
            return
        begun = len(self._opening)
        nonsense = _NO_MESSAGE[begun:] if begun < _HEADER else _IMPOSSIBLE
        self._fed = records.feed(self._connection, nonsense)
        try:
            self._connection.do_handshake()
        except SSL.Error:
            pass  # as it has to
        self._fail(TlsFailure("closed", "given up in the midst of the handshake"))

    # --- the checks after the handshake ----------------------------------------------------------

    def _require_channel(self) -> Channel:
        """RFC 9266 for the exporter. Fails closed on a group or suite that is not allowed."""
        connection = self._connection
        group = connection.get_group_name() or "none"
        cipher = connection.get_cipher_name() or "none"
        if group.lower() not in self._context.groups:
            raise TlsFailure("group", f"{group} was negotiated, which is not allowed")
        if cipher not in self._context.ciphers:
            raise TlsFailure("cipher", f"{cipher} was negotiated, which is not allowed")
        exported = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        return Channel(
            version=connection.get_protocol_version_name(),
            cipher=cipher,
            group=group,
            exporter_sha256=sha256(exported).digest(),
            server_name=self._examination.server_name or _decode(connection.get_servername()),
        )

    def _require_peer(self) -> Certificate:
        """Fails closed when there is no verified chain, as after a resumption."""
        if self._examination.failure is not None:
            raise self._examination.failure.again()
        known = self._examination.known
        if known is None:
            raise TlsFailure("no_certificate", "the handshake examined no certificate")
        verified = self._connection.get_verified_chain() or ()
        if tuple(map(encoded, verified)) != (known.peer.der, *known.peer.chain):
            raise TlsFailure("no_certificate", "the handshake verified another one, or none")
        self._examination.forget()
        return known.peer

    # --- states ----------------------------------------------------------------------------------

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise self._failure.again()

    def _require_complete(self) -> None:
        self._require_sound()
        if self._channel is None:
            raise RuntimeError("the handshake is not complete")

    def _fail(self, failure: TlsFailure) -> TlsFailure:
        failure.presented = failure.presented or self.presented
        self._failure = failure.again()
        return failure.again()

    def _shutdown(self) -> None:
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # in the midst of a handshake there is nothing to close


def _require_name(server_name: str | None) -> None:
    """Fails closed: without a name, any server of a trusted authority would do."""
    if server_name is None or not (is_ip(server_name) or _NAME.fullmatch(server_name)):
        raise TlsFailure("name", "there is no server name, DNS (ASCII) or IP, to verify")


def _decode(server_name: bytes | None) -> str | None:
    """What a client asked for, for the log; its choice, so printable ASCII or nothing."""
    text = (server_name or b"").decode("ascii", "replace")
    return text if text and text.isprintable() and text.isascii() else None
