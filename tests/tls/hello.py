"""ClientHello messages written by hand (RFC 8446, 4.1.2): what no library would send for us."""

import os
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

X25519, SECP256R1, SECP521R1, X25519MLKEM768, UNKNOWN_HYBRID = 29, 23, 25, 4588, 4999
HELLO_RETRY_REQUEST = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
TLS13, TLS12, TLS11 = 0x0304, 0x0303, 0x0302


def client_hello(
    groups: list[int],
    *,
    versions: tuple[int, ...] = (TLS13,),
    early_data: bool = False,
    signatures: tuple[int, ...] = (0x0403, 0x0804, 0x0401),
) -> bytes:
    """One record. There is a key share for X25519 when it is among the groups, and no other."""
    share = X25519PrivateKey.generate().public_key().public_bytes_raw()
    shares = struct.pack(">H", X25519) + _vector(2, share) if X25519 in groups else b""
    extensions = (
        _extension(43, _vector(1, _numbers(*versions)))
        + _extension(10, _vector(2, _numbers(*groups)))
        + _extension(13, _vector(2, _numbers(*signatures)))
        + _extension(51, _vector(2, shares))
        + (_extension(42, b"") if early_data else b"")
    )
    body = (
        _numbers(TLS12)
        + os.urandom(32)
        + _vector(1, os.urandom(32))
        + _vector(2, _numbers(0x1302, 0x1301))
        + _vector(1, b"\0")
        + _vector(2, extensions)
    )
    return b"\x16\x03\x01" + _vector(2, b"\x01" + _vector(3, body))


def server_hello(flight: bytes) -> tuple[bytes, bytes]:
    """The random and the extensions of the ServerHello that opens `flight`."""
    assert flight[0] == 22
    assert flight[5] == 2
    after_session = 44 + flight[43]
    return flight[11:43], flight[after_session + 5 : 5 + int.from_bytes(flight[3:5], "big")]


def key_share_group(extensions: bytes) -> int | None:
    """The group that a ServerHello or HelloRetryRequest names in key_share."""
    while extensions:
        kind, length = struct.unpack(">HH", extensions[:4])
        if kind == 51:
            return int.from_bytes(extensions[4:6], "big")
        extensions = extensions[4 + length :]
    return None


def _numbers(*numbers: int) -> bytes:
    return b"".join(struct.pack(">H", number) for number in numbers)


def _vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">H", kind) + _vector(2, content)
