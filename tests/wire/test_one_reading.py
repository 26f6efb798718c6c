"""What passes is written anew as a message with one reading: h11 and llhttp find the same in it.

Messages come from the grammar, some damaged; what is refused is none of this test's business.
"""

from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Framing, Headers, Peer
from proxy.wire.client import ClientConnection
from proxy.wire.crossing import crossing, crossing_trailers
from proxy.wire.events import EndOfMessage, Event, RequestHead, ResponseHead
from proxy.wire.headers import forward_answer, forward_request
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, asked, content, outcome, whole
from tests.wire.fields import ID
from tests.wire.readings import one_answer, one_request
from tests.wire.test_agreement import METHODS, answers, damaged, requests

FRAMED = ("content-length", "transfer-encoding", "connection")


def first_message(events: list[Event]) -> tuple[bytes, Headers] | None:
    """Content and trailers of the first whole message."""
    for at, event in enumerate(events):
        if isinstance(event, EndOfMessage):
            return content(events[:at]), event.trailers
    return None


def is_among(wanted: Headers, fields: Headers) -> bool:
    """Whether all of `wanted` are in `fields`, in their order."""
    rest = iter(fields)
    return all(pair in rest for pair in wanted)


@given(st.one_of(requests(), damaged(requests())), st.booleans())
def test_a_request_goes_to_the_upstream_with_one_reading(data: bytes, keep_digest: bool) -> None:
    events, _ = outcome(ServerConnection(MAX_HEAD), data, whole, eof=False)
    message = first_message(events)
    if message is None or not isinstance(events[0], RequestHead):
        return
    head, (body, trailers) = events[0].head, message
    try:
        fields = forward_request(
            head, gateway="gate-a", upstream_host="up.example", peer=Peer(address="192.0.2.7"),
            transfer_id=ID, label="internal", content_digest=None, keep_digest=keep_digest,
        )  # fmt: skip
    except Refusal:
        return
    client = ClientConnection(MAX_HEAD)
    behind = tuple(crossing_trailers(head.headers, trailers, keep_digest))
    sent = client.send_head(head.method, head.target, fields, head.framing)
    sent += b"".join(client.send_data(body)) + client.send_end(behind)
    reading = one_request(sent)
    assert reading.first == (head.method, head.target, "1.1")
    assert reading.body == body
    assert reading.trailers == (behind if head.framing.chunked else ())
    names = [name.decode() for name, _ in reading.fields]
    assert names.count("host") == names.count("transfer-id") == 1
    assert sum(names.count(name) for name in FRAMED) <= 1
    known = [pair for pair in crossing(head.headers, keep_digest) if pair[0] != b"host"]
    assert is_among(tuple(known), reading.fields)


@given(st.one_of(answers(), damaged(answers())), METHODS, st.booleans())
def test_an_answer_goes_to_the_sender_with_one_reading(
    data: bytes, method: str, keep_digest: bool
) -> None:
    events, _ = outcome(asked(method), data, whole, eof=True)
    message = first_message(events)
    heads = [event.head for event in events if isinstance(event, ResponseHead)]
    if message is None or not heads:
        return
    head, (body, trailers) = heads[0], message
    server = ServerConnection(MAX_HEAD)
    server.receive(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    server.next_event()
    fields = forward_answer(head, gateway="gate-a", transfer_id=ID, keep_digest=keep_digest)
    framing = Framing(length=len(body)) if head.framing.length is not None else Framing()
    behind = tuple(crossing_trailers(head.headers, trailers, keep_digest))
    sent = server.send_head(head.status, fields, framing)
    sent += b"".join(server.send_data(body)) + server.send_end(behind)
    reading = one_answer(sent, method, closed=False)
    assert reading.first == (str(head.status), "1.1")
    assert reading.body == body
    assert reading.trailers == (behind if server.can_send_trailers else ())
    assert is_among(tuple(_kept(head.headers, keep_digest)), reading.fields)


def _kept(headers: Headers, keep_digest: bool) -> Headers:
    ours = (b"alt-svc", b"link")
    return tuple(pair for pair in crossing(headers, keep_digest) if pair[0] not in ours)
