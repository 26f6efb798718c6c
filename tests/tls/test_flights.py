"""Handshakes with a peer that says something else than a TLS library would: each that fails ends
with a reason of the list, and none with `other`."""

import struct
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.engine import Engine
from proxy.tls.pki import issue
from tests.pki import pki
from tests.tls.hello import (
    SECP256R1,
    SECP521R1,
    TLS11,
    TLS12,
    TLS13,
    X25519,
    X25519MLKEM768,
    client_hello,
)
from tests.tls.makers import of_whom
from tests.tls.pump import NAME, End, client_side, server_side

OLDER = Tls(minimum="1.2", ciphers=["ECDHE-ECDSA-AES128-GCM-SHA256"])
BOTH = ListenerTls(minimum="1.2")
SERVERS = [server_side(tls=BOTH), server_side()]
CLIENTS = [client_side(tls=OLDER), client_side()]
"""Of TLS 1.2, whose flights can be read on their way, and of TLS 1.3."""
Edit = Callable[[int, bytes], bytes]
CERTIFICATE = 11
EXTENSIONS = [
    0,
    5,
    10,
    11,
    13,
    16,
    22,
    23,
    35,
    41,
    42,
    43,
    44,
    45,
    47,
    49,
    50,
    51,
    21,
    27,
    28,
    65281,
]
_SEVERAL = 12


def meddle(edit: Edit, *, to_server: bool, version: int = 0, ends: list[End] | None = None) -> End:
    """The receiving end of a handshake in which `edit` has its way with each flight to it."""
    ends = ends or [
        End(Engine(SERVERS[version])),
        End(Engine(CLIENTS[version], server_name=NAME)),
    ]
    target, source = ends if to_server else ends[::-1]
    ends[1].step()
    flight = 0
    for _ in range(_SEVERAL):
        said = source.engine.outgoing()
        if said and target.failure is None:
            target.engine.receive(edit(flight, said) or b"\0")
            flight += 1
            target.step()
        back = target.engine.outgoing()
        if back and source.failure is None:
            source.engine.receive(back)
            source.step()
        if not said and not back:
            break
    return target


def records(flight: bytes) -> Iterator[tuple[int, bytes]]:
    """Content type and content of each."""
    while flight:
        length = int.from_bytes(flight[3:5], "big")
        yield flight[0], flight[5 : 5 + length]
        flight = flight[5 + length :]


def record(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + b"\3\3" + struct.pack(">H", len(content)) + content


def presenting(other: Credentials) -> Edit:
    """Somebody else's certificate in the place of one's own (RFC 5246, 7.4.2)."""
    chain = b"".join(
        len(der).to_bytes(3, "big") + der
        for der in (each.public_bytes(Encoding.DER) for each in parse_chain(other.certificate))
    )
    body = len(chain).to_bytes(3, "big") + chain
    message = bytes([CERTIFICATE]) + len(body).to_bytes(3, "big") + body

    def edit(_: int, flight: bytes) -> bytes:
        return b"".join(
            record(kind, message if kind == 22 and content[0] == CERTIFICATE else content)
            for kind, content in records(flight)
        )

    return edit


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """Octets of one flight overwritten, cut out, said twice or put in between."""
    where = draw(st.integers(0, 2))
    changes = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["write", "flip", "cut", "twice", "insert"]),
                st.floats(0, 1, exclude_max=True),
                st.binary(min_size=1, max_size=6),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def edit(flight: int, said: bytes) -> bytes:
        if flight != where:
            return said
        octets = bytearray(said)
        for what, place, data in changes:
            at = int(place * len(octets))
            if what == "write":
                octets[at : at + len(data)] = data
            elif what == "flip" and octets:
                octets[at] ^= data[0] or 1
            elif what == "cut":
                del octets[at : at + len(data)]
            elif what == "twice":
                octets[at:at] = octets[at : at + 40 * len(data)]
            else:
                octets[at:at] = data
        return bytes(octets)

    return edit


@st.composite
def message_edits(draw: st.DrawFn) -> Edit:
    """As `edits`, within the contents of records, whose lengths are right again."""
    inner = draw(edits())
    which = draw(st.integers(0, 4))

    def edit(flight: int, said: bytes) -> bytes:
        whole = list(records(said))
        for number, (kind, content) in enumerate(whole):
            if number % 5 == which and content:
                head, body = (content[:4], content[4:]) if kind == 22 else (b"", content)
                changed = inner(flight, body)[:16000]
                if kind == 22:
                    head = head[:1] + len(changed).to_bytes(3, "big")
                whole[number] = kind, head + changed
        return b"".join(record(kind, content) for kind, content in whole)

    return edit


def numbers(*those: int) -> bytes:
    return b"".join(struct.pack(">H", each) for each in those)


def vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


@st.composite
def hellos(draw: st.DrawFn) -> bytes:
    """A ClientHello whose lists are well formed, and hold whatever they like."""

    def some(*known: int) -> list[int]:
        return draw(st.lists(st.sampled_from(known) | st.integers(0, 65535), max_size=5))

    versions = draw(st.lists(st.sampled_from([TLS11, TLS12, TLS13]), max_size=3))
    groups = some(X25519, SECP256R1, SECP521R1, X25519MLKEM768)
    share = draw(st.sampled_from([b"\t" * 32, b"\0" * 32, b"\4" + b"\1" * 64, b""]))
    extensions = {
        43: vector(1, numbers(*versions)),
        10: vector(2, numbers(*groups)),
        13: vector(2, numbers(*some(0x0403, 0x0804, 0x0401, 0x0807, 0x0201))),
        51: vector(2, b"".join(numbers(each) + vector(2, share) for each in groups[:2])),
    }
    for kind in draw(st.lists(st.sampled_from(EXTENSIONS), max_size=3)):
        extensions[kind] = draw(st.binary(max_size=12))
    for kind in draw(st.lists(st.sampled_from([43, 10, 13, 51]), max_size=1)):
        del extensions[kind]
    body = (
        numbers(draw(st.sampled_from([TLS12, TLS11, 0x0300, 0x0304])))
        + b"r" * 32
        + vector(1, draw(st.sampled_from([b"", b"s" * 32])))
        + vector(2, numbers(*some(0x1301, 0x1302, 0xC02B, 0xC02F, 0x002F, 0x00FF, 0x5600)))
        + vector(1, draw(st.sampled_from([b"\0", b"", b"\1\0"])))
        + vector(2, b"".join(numbers(kind) + vector(2, each) for kind, each in extensions.items()))
    )
    return record(22, b"\1" + vector(3, body))


@given(edits() | message_edits(), st.booleans(), st.sampled_from([0, 1]))
def test_whatever_becomes_of_a_flight_the_reason_is_of_the_list(
    edit: Edit, to_server: bool, version: int
) -> None:
    end = meddle(edit, to_server=to_server, version=version)
    assert end.reason != "other", end.failure


@given(hellos(), st.sampled_from(SERVERS))
def test_whatever_a_client_offers_the_reason_is_of_the_list(hello: bytes, context: object) -> None:
    end = End(Engine(context))  # type: ignore[arg-type]
    end.engine.receive(hello)
    end.step()
    assert end.reason != "other", end.failure


@pytest.mark.parametrize("to_server", [True, False])
def test_who_presents_a_certificate_without_its_key_is_unproven(to_server: bool) -> None:
    somebody = issue(pki().authority, "localhost")
    end = meddle(presenting(somebody), to_server=to_server)
    assert end.failure is not None
    assert end.failure.reason == "unproven"
    assert end.failure.presented["pin"] == of_whom(somebody)
    assert end.engine.certificate is None


def test_a_client_without_a_signature_algorithm_for_our_key_has_nothing_in_common() -> None:
    for context in SERVERS:
        end = End(Engine(context))
        end.engine.receive(client_hello([X25519], signatures=(0x0804,)))
        end.step()
        assert end.reason == "cipher", end.failure


def test_an_end_that_is_said_in_mid_handshake_is_closed() -> None:
    end = End(Engine(SERVERS[0]))
    end.engine.receive(client_hello([X25519]))
    end.step()
    end.engine.receive(record(21, b"\1\0"))
    end.step()
    assert end.reason == "closed", end.failure


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("octets", [0, 1, 2, 3, 4, 5, 6, 100, 10_000])
@pytest.mark.parametrize("server", [True, False])
def test_who_gives_up_in_mid_handshake_says_so_with_an_alert(
    version: int, octets: int, server: bool
) -> None:
    """However much of the other's first flight has come: none, half a record, or all of it."""
    ends = [End(Engine(SERVERS[version])), End(Engine(CLIENTS[version], server_name=NAME))]
    ends[1].step()
    hello = ends[1].engine.outgoing()
    if not server:
        ends[0].engine.receive(hello)
        ends[0].step()
    flight = hello if server else ends[0].engine.outgoing()
    quitter, other = ends if server else ends[::-1]
    if octets:
        quitter.engine.receive(flight[:octets])
    quitter.step()
    quitter.engine.close()
    said = quitter.engine.outgoing()
    other.engine.receive(said)
    other.step()
    other.step()
    if quitter.done:
        assert other.closed
        return
    if said[:1] == b"\x15":  # in the clear; to some it is of the wrong version by now
        assert (said[1:2], said[3:5], said[5:6], len(said)) == (b"\3", b"\0\2", b"\2", 7)
    else:
        assert other.reason == "refused_by_peer", other.failure
    quitter.step()
    assert quitter.reason == "closed", "it is final"
    assert quitter.engine.outgoing() == b""
