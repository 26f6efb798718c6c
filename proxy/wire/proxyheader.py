"""The PROXY protocol, version 2: who the sender of a tunnel is, for a receiver that cannot see it.

    0d0a0d0a000d0a515549540a    signature (12)
    21                          version 2, command PROXY
    11                          11 TCP over IPv4, 21 TCP over IPv6, 31 unix stream, 00 unknown
    0080                        length of all that follows
    c0000201 c6336407           source and destination: 4, 16 or 108 octets each
    dead 1538                   source and destination port, but for unix
    02 000b 64622e6578616d706c65  TLVs: type, u16be length, value

(specification: proxy-protocol.txt of HAProxy, section 2.2). Which TLVs:

| type | value |
|---|---|
| `02` AUTHORITY | the server name that the sender asked for, where it did |
| `05` UNIQUE_ID | the transfer id, as the receipt has it |
| `20` SSL | where the sender came over TLS: client bits, verify (0), sub-TLVs |
| `21` in it, VERSION | `TLSv1.3` |
| `22` in it, CN | the common name of the sender's verified certificate, where it has one |
| `23` in it, CIPHER | `TLS_AES_256_GCM_SHA384` |

The sender is always one whose certificate was demanded and verified, in this very connection: the
bits say TLS, and a certificate in connection and session. ALPN is not negotiated, so there is none.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from proxy.model import Channel

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PROXY: Final = 0x21
_UNKNOWN: Final = 0x00
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_UNIX: Final = 0x31
_AUTHORITY: Final = 0x02
_UNIQUE_ID: Final = 0x05
_SSL: Final = 0x20
_VERSION: Final = 0x21
_CN: Final = 0x22
_CIPHER: Final = 0x23
_CLIENT: Final = 0x01 | 0x02 | 0x04
"""TLS; a certificate in this connection; one in this session."""
_PATH: Final = 108

Address = tuple[str, int] | str
"""IP address and port of a TCP socket, or the path of a unix socket, empty where it has none."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a header tells of. `source` is at the sender, `destination` where it came in."""

    source: Address
    destination: Address
    unique_id: str
    channel: Channel | None = None
    """Of a sender whose certificate was verified; None without TLS."""
    common_name: str | None = None


def header(sender: Sender) -> bytes:
    """The header, to be sent before anything else and in one piece."""
    family, addresses = _addresses(sender.source, sender.destination)
    rest = addresses + _tlvs(sender)
    return _SIGNATURE + struct.pack(">BBH", _PROXY, family, len(rest)) + rest


def _addresses(source: Address, destination: Address) -> tuple[int, bytes]:
    if isinstance(source, str) or isinstance(destination, str):
        if not (isinstance(source, str) and isinstance(destination, str)):
            return _UNKNOWN, b""
        return _UNIX, _path(source) + _path(destination)
    near, far = _unmapped(source[0]), _unmapped(destination[0])
    ports = struct.pack(">HH", source[1], destination[1])
    if isinstance(near, IPv4Address) and isinstance(far, IPv4Address):
        return _TCP4, near.packed + far.packed + ports
    return _TCP6, _wide(near) + _wide(far) + ports


def _path(path: str) -> bytes:
    return path.encode(errors="surrogateescape")[:_PATH].ljust(_PATH, b"\0")


def _unmapped(text: str) -> IPv4Address | IPv6Address:
    """An IPv4 peer of a socket that takes both counts as IPv4."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _wide(address: IPv4Address | IPv6Address) -> bytes:
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def _tlvs(sender: Sender) -> bytes:
    channel = sender.channel
    told = b""
    if channel is not None and channel.server_name is not None:
        told += _tlv(_AUTHORITY, channel.server_name)
    told += _tlv(_UNIQUE_ID, sender.unique_id)
    if channel is not None:
        inner = _tlv(_VERSION, channel.version) + _tlv(_CIPHER, channel.cipher)
        if sender.common_name is not None:
            inner += _tlv(_CN, sender.common_name)
        told += _tlv(_SSL, struct.pack(">BI", _CLIENT, 0) + inner)
    return told


def _tlv(kind: int, value: str | bytes) -> bytes:
    octets = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">BH", kind, len(octets)) + octets
