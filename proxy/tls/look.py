"""A handshake that judges nothing, to see what a TLS server says of itself. Not for carrying data.

look = Look("warehouse.internal", credentials)
while not look.handshake():
    send(look.outgoing())
    look.receive(from_the_network())
look.seen()                            # what was negotiated, and the chain that was presented
"""

from dataclasses import dataclass

from cryptography import x509
from OpenSSL import SSL

from proxy.errors import TlsFailure
from proxy.tls.credentials import Credentials, parse_chain, parse_key
from proxy.tls.failures import translate
from proxy.tls.verify import is_ip

_FLIGHT = 65536


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server said."""

    version: str
    cipher: str
    group: str
    chain: tuple[x509.Certificate, ...]
    """As it was presented, leaf first; verified by nobody."""
    authorities: tuple[str, ...]
    """Whose certificates it asks for; empty where it asks for none, or names nobody."""


class Look:
    """One connection as a client; TLS 1.2 or 1.3, any certificate."""

    def __init__(self, server_name: str, credentials: Credentials | None = None) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_verify(SSL.VERIFY_NONE, lambda *anything: True)
        if credentials is not None:
            leaf, *issuers = parse_chain(credentials.certificate)
            context.use_certificate(leaf)
            for issuer in issuers:
                context.add_extra_chain_cert(issuer)
            context.use_privatekey(parse_key(credentials.key))
        self._connection = SSL.Connection(context)
        self._connection.set_connect_state()
        if not is_ip(server_name):
            self._connection.set_tlsext_host_name(server_name.encode("idna"))

    def handshake(self) -> bool:
        """Go on; True when it is complete. Raises `TlsFailure`."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise translate(error) from None
        return True

    def receive(self, ciphertext: bytes) -> None:
        """Take what came. Raises `TlsFailure` where it is the end."""
        if not ciphertext:
            raise TlsFailure("closed", "the server ended the connection in the handshake")
        self._connection.bio_write(ciphertext)

    def outgoing(self) -> bytes:
        """What is to be sent."""
        try:
            return self._connection.bio_read(_FLIGHT)
        except SSL.WantReadError:
            return b""

    def seen(self) -> Seen:
        """What was negotiated."""
        connection = self._connection
        chain = connection.get_peer_cert_chain(as_cryptography=True) or []
        return Seen(
            version=connection.get_protocol_version_name(),
            cipher=connection.get_cipher_name() or "none",
            group=connection.get_group_name() or "none",
            chain=tuple(chain),
            authorities=tuple(_name(each) for each in connection.get_client_ca_list()),
        )


def _name(name: object) -> str:
    """RFC 4514 text of an authority's name."""
    parts: list[tuple[bytes, bytes]] = getattr(name, "get_components", list)()
    return ",".join(f"{key.decode()}={value.decode(errors='replace')}" for key, value in parts)
