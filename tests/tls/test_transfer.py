"""After the handshake: what goes in comes out, however it is cut; an end is clean or it is told."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import TlsFailure
from proxy.tls.credentials import Credentials
from proxy.tls.engine import Engine
from proxy.tls.records import RECORD
from tests.pki import pki
from tests.tls.pump import bytewise, client_side, connected, server_side, shake, whole

PATTERN = bytes(range(251)) * 5000
SERVER, CLIENT = server_side(), client_side()


def drain(engine: Engine, size: int = 65536) -> bytes:
    """All plaintext that is there now."""
    pieces = []
    while piece := engine.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    return b"".join(pieces)


def reason(engine: Engine) -> str:
    with pytest.raises(TlsFailure) as caught:
        drain(engine)
    return caught.value.reason


def cut(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    """Pieces of these lengths, over and over."""
    position, index = 0, 0
    while position < len(data):
        length = lengths[index % len(lengths)]
        yield data[position : position + length]
        position, index = position + length, index + 1


def test_a_handshake_byte_by_byte_comes_to_the_same() -> None:
    server, client = shake(SERVER, CLIENT, cut=bytewise)
    assert (server.done, client.done) == (True, True)
    assert server.engine.channel.exporter_sha256 == client.engine.channel.exporter_sha256


def test_what_is_written_is_read_in_both_directions() -> None:
    server, client = connected(SERVER, CLIENT)
    for source, target in ((server, client), (client, server)):
        source.write(PATTERN)
        target.receive(source.outgoing())
        assert drain(target) == PATTERN
        assert source.outgoing() == b""


def test_one_read_gives_more_than_one_record() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(PATTERN[: 8 * RECORD])
    server.receive(client.outgoing())
    assert server.read(8 * RECORD) == PATTERN[: 8 * RECORD]
    assert server.read() is None


def test_what_is_taken_before_the_last_has_been_read_comes_after_it() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(PATTERN[: 4 * RECORD])
    ciphertext, got = client.outgoing(), bytearray()
    for start in range(0, len(ciphertext), 5000):
        server.receive(bytearray(ciphertext[start : start + 5000]))
        if start % 3 == 0:
            got += server.read(7000) or b""
    assert bytes(got) + drain(server) == PATTERN[: 4 * RECORD]


def test_what_comes_behind_the_end_is_never_read() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"all")
    client.close()
    server.receive(client.outgoing() + bytes(100_000))
    assert server.behind
    assert (server.read(), server.read()) == (b"all", b"")
    server.receive(bytes(100_000))
    assert server.read() == b""


def test_what_has_been_read_is_kept_by_nobody() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(PATTERN)
    ciphertext = bytearray(client.outgoing())
    server.receive(ciphertext)
    with pytest.raises(BufferError):
        ciphertext.clear()
    assert drain(server) == PATTERN
    assert not server.behind
    ciphertext.clear()


def test_records_byte_by_byte_come_to_the_same() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(PATTERN[: RECORD + 100])
    got = bytearray()
    for octet in bytewise(client.outgoing()):
        server.receive(octet)
        got += server.read() or b""
    assert bytes(got) == PATTERN[: RECORD + 100]


@given(
    writes=st.lists(st.integers(0, 40_000), min_size=1, max_size=6),
    cuts=st.lists(st.integers(1, 30_000), min_size=1, max_size=5),
    size=st.integers(1000, 100_000),
    by_server=st.booleans(),
)
def test_any_chunking_comes_to_the_same(
    writes: list[int], cuts: list[int], size: int, by_server: bool
) -> None:
    ends = connected(SERVER, CLIENT)
    source, target = ends if by_server else ends[::-1]
    sent, got = bytearray(), bytearray()
    for length in writes:
        source.write(memoryview(PATTERN)[:length])
        sent += PATTERN[:length]
        for piece in cut(source.outgoing(), cuts):
            target.receive(piece)
            got += drain(target, size)
    assert got == sent


def test_both_directions_at_once_do_not_disturb_each_other() -> None:
    server, client = connected(SERVER, CLIENT)
    got = {server: bytearray(), client: bytearray()}
    for start in range(0, len(PATTERN), 50_000):
        for source, target in ((server, client), (client, server)):
            source.write(PATTERN[start : start + 50_000])
            for piece in cut(source.outgoing(), [1, 7000, 333]):
                target.receive(piece)
                got[target] += drain(target)
    assert got[server] == got[client] == PATTERN


def test_data_that_follows_the_handshake_in_the_same_chunk_is_there_at_once() -> None:
    server, client = Engine(SERVER), Engine(CLIENT, server_name="localhost")
    assert not client.handshake()
    server.receive(client.outgoing())
    assert not server.handshake()
    client.receive(server.outgoing())
    assert client.handshake()
    client.write(b"early bird")
    client.close()
    server.receive(client.outgoing())
    assert server.handshake()
    assert server.read() == b"early bird"
    assert server.read() == b""


def test_an_empty_write_writes_nothing() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"")
    assert client.outgoing() == b""
    client.write(b"x")
    server.receive(client.outgoing())
    assert server.read() == b"x"


def test_close_notify_is_a_clean_end_and_the_other_direction_goes_on() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"the question")
    client.close()
    client.close()
    server.receive(client.outgoing())
    server.receive(b"")
    assert server.read() == b"the question"
    assert server.read() == b""
    assert server.read() == b""
    server.write(b"the answer")
    server.close()
    client.receive(server.outgoing())
    assert client.read() == b"the answer"
    assert client.read() == b""


def test_an_end_without_close_notify_is_a_truncation_after_the_data_before_it() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"cut sho")
    server.receive(client.outgoing())
    server.receive(b"")
    assert server.read() == b"cut sho"
    assert reason(server) == "closed"
    assert reason(server) == "closed"


@pytest.mark.parametrize("kept", [1, 4, 5, 20])
def test_an_end_in_mid_record_is_a_truncation(kept: int) -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"never whole")
    server.receive(client.outgoing()[:kept])
    assert server.read() is None
    server.receive(b"")
    assert reason(server) == "closed"


@given(position=st.integers(0, 117), bit=st.integers(0, 7))
def test_no_flipped_bit_is_taken_for_data(position: int, bit: int) -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"A" * 96)
    record = bytearray(client.outgoing())
    assert len(record) == 118
    record[position] ^= 1 << bit
    server.receive(bytes(record))
    server.receive(b"")
    assert reason(server) in ("garbage", "closed", "protocol")
    assert server.outgoing() or reason(server) == "closed"


def test_a_record_that_comes_twice_is_refused() -> None:
    server, client = connected(SERVER, CLIENT)
    client.write(b"pay once")
    record = client.outgoing()
    server.receive(record + record)
    assert server.read() == b"pay once"
    assert reason(server) == "garbage"


def test_plain_text_after_the_handshake_is_garbage() -> None:
    server, _ = connected(SERVER, CLIENT)
    server.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert reason(server) == "garbage"


def test_nothing_is_read_or_written_before_the_handshake_is_complete() -> None:
    engine = Engine(SERVER)
    for call in (engine.read, lambda: engine.write(b"x"), lambda: engine.channel):
        with pytest.raises(RuntimeError, match="not complete"):
            call()
    assert engine.certificate is None


def test_outgoing_is_all_there_is_whatever_its_size() -> None:
    server, client = connected(SERVER, CLIENT)
    for _ in range(40):
        client.write(b"x")
    client.write(PATTERN)
    server.receive(client.outgoing())
    assert client.outgoing() == b""
    assert drain(server) == b"x" * 40 + PATTERN


def test_a_long_chain_leaves_in_one_piece() -> None:
    mine = pki().gateway
    long = Credentials(mine.certificate + pki().foreign.pem * 60, mine.key)
    server, client = Engine(server_side(long)), Engine(CLIENT, server_name="localhost")
    assert not client.handshake()
    server.receive(client.outgoing())
    assert not server.handshake()
    flight = server.outgoing()
    assert len(flight) > RECORD + 4096
    assert server.outgoing() == b""
    client.receive(flight)
    assert client.handshake()


def test_a_write_after_close_fails_and_sends_nothing() -> None:
    _, client = connected(SERVER, CLIENT)
    client.close()
    client.outgoing()
    with pytest.raises(TlsFailure, match="closed"):
        client.write(b"too late")
    assert b"".join(whole(client.outgoing())) == b""
