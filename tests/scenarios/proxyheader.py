"""Reads a PROXY protocol header, version 2, as its specification says, and nothing of ours."""

import socket
import struct
from dataclasses import dataclass, field

from tests.scenarios.tunnels import End

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


@dataclass
class Told:
    """What a header says. Addresses are (text, port), or the path of a unix socket."""

    source: object = None
    destination: object = None
    tlvs: dict[int, bytes] = field(default_factory=dict)
    client: int | None = None
    verify: int | None = None
    ssl: dict[int, bytes] = field(default_factory=dict)


def read(end: End) -> Told:
    """The header at the beginning of a connection, and not an octet more."""
    head = end.exactly(16)
    assert head[:12] == SIGNATURE
    version_command, family, length = struct.unpack(">BBH", head[12:])
    assert version_command == 0x21
    return parse(family, end.exactly(length))


def parse(family: int, rest: bytes) -> Told:
    told = Told()
    if family == 0x11:
        near, far, *ports = struct.unpack(">4s4sHH", rest[:12])
        told.source, told.destination = (
            (socket.inet_ntop(socket.AF_INET, each), port)
            for each, port in zip((near, far), ports, strict=True)
        )
        rest = rest[12:]
    elif family == 0x21:
        near, far, *ports = struct.unpack(">16s16sHH", rest[:36])
        told.source, told.destination = (
            (socket.inet_ntop(socket.AF_INET6, each), port)
            for each, port in zip((near, far), ports, strict=True)
        )
        rest = rest[36:]
    elif family == 0x31:
        paths = rest[:108], rest[108:216]
        told.source, told.destination = (each.rstrip(b"\0").decode() for each in paths)
        rest = rest[216:]
    else:
        raise AssertionError(f"family {family:#x}")
    told.tlvs = tlvs(rest)
    if 0x20 in told.tlvs:
        told.client, told.verify = struct.unpack(">BI", told.tlvs[0x20][:5])
        told.ssl = tlvs(told.tlvs[0x20][5:])
    return told


def tlvs(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        kind, length = struct.unpack(">BH", data[:3])
        value, data = data[3 : 3 + length], data[3 + length :]
        assert len(value) == length
        assert kind not in found
        found[kind] = value
    return found
