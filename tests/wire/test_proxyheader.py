"""The PROXY protocol header, octet for octet, and as a reader of its own understands it."""

import struct

import pytest

from proxy.model import Channel
from proxy.wire.proxyheader import Address, Sender, header
from tests.scenarios.proxyheader import SIGNATURE, Told, parse

CHANNEL = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", bytes(32), "db.example")


def read(octets: bytes) -> Told:
    assert octets[:12] == SIGNATURE
    command, family, length = struct.unpack(">BBH", octets[12:16])
    assert command == 0x21
    assert len(octets) == 16 + length
    return parse(family, octets[16:])


def test_the_example_of_the_module_octet_for_octet() -> None:
    sender = Sender(("192.0.2.1", 0xDEAD), ("198.51.100.7", 0x1538), "id")
    expected = "0d0a0d0a000d0a515549540a 21 11 0011 c0000201 c6336407 dead 1538 05 0002 6964"
    assert header(sender) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("source", "destination", "understood"),
    [
        (("192.0.2.1", 1), ("198.51.100.7", 65535), None),
        (("2001:db8::1", 1), ("2001:db8::2", 2), None),
        (("::ffff:192.0.2.1", 1), ("::ffff:198.51.100.7", 2),
         (("192.0.2.1", 1), ("198.51.100.7", 2))),
        (("fe80::1%eth0", 1), ("fe80::2%eth0", 2), (("fe80::1", 1), ("fe80::2", 2))),
        (("::ffff:192.0.2.1", 1), ("2001:db8::2", 2), None),
        ("", "/run/gate.sock", None),
        ("", "/" + "x" * 200, ("", "/" + "x" * 107)),
    ],
)  # fmt: skip
def test_addresses_are_those_of_the_sender_and_where_it_came_in(
    source: Address, destination: Address, understood: tuple[object, object] | None
) -> None:
    told = read(header(Sender(source, destination, "id")))
    assert (told.source, told.destination) == (understood or (source, destination))


def test_a_verified_sender_has_version_name_and_suite() -> None:
    told = read(header(Sender(("::1", 1), ("::1", 2), "the-id", CHANNEL, "Grüße")))
    assert told.tlvs[0x02] == b"db.example"
    assert told.tlvs[0x05] == b"the-id"
    assert (told.client, told.verify) == (7, 0)
    assert told.ssl == {
        0x21: b"TLSv1.3",
        0x22: "Grüße".encode(),
        0x23: b"TLS_AES_256_GCM_SHA384",
    }


def test_what_is_not_known_is_left_out() -> None:
    nameless = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", bytes(32), None)
    told = read(header(Sender(("::1", 1), ("::1", 2), "the-id", nameless)))
    assert told.tlvs.keys() == {0x05, 0x20}
    assert told.ssl.keys() == {0x21, 0x23}
