"""An id that has been delivered comes again: answered as then, or refused, and never forwarded."""

import base64
import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import trio

from proxy.errors import LogFailure
from proxy.model import Claim, Earlier, Peer, Verdict
from proxy.receipt.header import parse_items
from tests.edge.stage import HOLD, LOCAL, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.client import chunk, request
from tests.scenarios.message import Message
from tests.scenarios.receiver import Exchange, Held

MASKING = {
    "content": ["json"],
    "label": "internal",
    "mask": [{"path": "$.ssn", "action": "redact"}],
}
ROUTES = (
    route("once"),
    route("masked", request=MASKING, limits={}),
    route("other"),
    route("digested", integrity={"require": "content-digest"}),
    route("silent", receipt="log"),
    route("again", replay={"require": "transfer-id", "after_indeterminate": "forward"}),
    route("free", replay={"require": "off"}),
)
SECRET = b'{"ssn": "536-90-4399"}'
LARGE = bytes(range(256)) * 10
assert HOLD < len(LARGE) < 100 * HOLD
OVERSIZED = b"x" * (100 * HOLD + 1)


def digest(body: bytes, name: str = "sha256") -> str:
    value = base64.b64encode(hashlib.new(name, body).digest()).decode()
    return f"Content-Digest: {name[:3]}-{name[3:]}=:{value}:"


def named(transfer_id: str, *fields: str) -> tuple[str, ...]:
    return (f"Transfer-Id: {transfer_id}", *fields)


def new_id() -> str:
    return str(uuid.uuid4())


def code(answer: Message) -> tuple[int, str]:
    problem = orjson.loads(answer.body)
    return answer.status, problem["type"].removeprefix("urn:lockgate:problem:")


async def delivered(
    on: Stage, path: str = "/once/1", body: bytes = b"{}", *, kind: str = "application/json"
) -> str:
    """Deliver a body under an id of its own, which is returned."""
    mine = new_id()
    answer = await on.ask(request(path, body, *named(mine), kind=kind))
    assert answer.status == 200
    return mine


# --- the same again ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/once/1", b"{}", []),
        ("/once/1", b"", []),
        ("/once/1", b"x" * HOLD, []),
        ("/masked/1", SECRET, []),
        ("/once/1?q=1", LARGE, [digest(LARGE)]),
        ("/once/1", LARGE, [digest(LARGE, "sha512")]),
        ("/masked/1", SECRET, [digest(SECRET)]),
        ("/digested/1", LARGE, [digest(LARGE)]),
    ],
)
async def test_the_same_again_is_answered_as_then_and_does_not_cross(
    tmp_path: Path, path: str, body: bytes, fields: list[str]
) -> None:
    table, mine = Table(), new_id()
    async with stage(tmp_path, table, *ROUTES) as on:
        on.receiver.behave = lambda exchange: exchange.answer(201, b"the answer", "Location: /x")
        first = await on.ask(request(path, body, *named(mine, *fields)))
        assert (first.status, first.body) == (201, b"the answer")
        octets = on.receiver.octets
        for _ in range(2):
            again = await on.ask(request(path, body, *named(mine.upper(), *fields)))
            assert (again.status, again.body) == (201, b"")
            assert again.value("transfer-duplicate") == "?1"
            assert again.value("transfer-id") == mine
            assert again.value("content-length") == "0"
            (envelope,) = parse_items(again.value("transfer-receipt"))
            assert envelope == first.receipt()[0]
            assert again.value("link") == '</.well-known/lockgate/receipts/0>; rel="receipt"'
            assert not again.values("transfer-receipt-key")
            assert not again.values("location")
        assert on.receiver.octets == octets
        (received,) = on.receiver.received
    assert [each.verdict for each in table.outcomes] == [
        Verdict.DELIVERED, Verdict.REJECTED, Verdict.REJECTED,
    ]  # fmt: skip
    crossed = table.outcomes[0].request
    assert crossed.delivered is not None
    assert crossed.delivered.sha256 == bytes.fromhex(received.sha256)
    assert crossed.received.sha256 == (None if body == SECRET else crossed.delivered.sha256)
    for outcome in table.outcomes[1:]:
        assert (outcome.problem, outcome.duplicate_of, outcome.status) == ("duplicate", 0, 201)
        assert outcome.request.received.size == len(body)
        assert outcome.request.received.sha256 is None
        assert (outcome.request.delivered, outcome.request.report) == (None, None)
        assert (outcome.answer_status, outcome.answer, outcome.claim) == (None, None, None)
        assert outcome.content_sha256 is None
    assert len({each.attempt_id for each in table.outcomes}) == 3
    assert {len(each.attempt_id) for each in table.outcomes} == {16}
    assert len(table.intents) == 1


async def test_the_same_octets_are_the_same_however_they_are_framed(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=b"abcdef")
        again = await on.ask(request("/once/1", [b"abc", b"def"], *named(mine)))
        assert again.value("transfer-duplicate") == "?1"
        late = request("/once/1", [LARGE], *named(mine, "Trailer: Content-Digest"))
        ended = late.removesuffix(b"\r\n") + digest(LARGE).encode() + b"\r\n\r\n"
        assert code(await on.ask(ended)) == (409, "id-reused")


async def test_a_digest_in_the_trailers_vouches_for_what_is_not_held(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=LARGE)
        announced = request("/once/1", [LARGE], *named(mine, "Trailer: Content-Digest"))
        for value in (digest(LARGE), digest(LARGE, "sha512")):
            told = announced.removesuffix(b"\r\n") + value.encode() + b"\r\n\r\n"
            assert (await on.ask(told)).value("transfer-duplicate") == "?1"
        wrong = announced.removesuffix(b"\r\n") + digest(b"else").encode() + b"\r\n\r\n"
        assert code(await on.ask(wrong)) == (400, "digest-mismatch")
        assert code(await on.ask(announced)) == (409, "replayed")


async def test_the_receipt_fits_or_is_fetched_by_its_link(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        mine = await delivered(on)
        table.padding = "x" * 8000
        again = await on.ask(request("/once/1", b"{}", *named(mine)))
        assert not again.values("transfer-receipt")
        link = again.value("link").partition(">")[0].removeprefix("<")
        fetched = await on.ask(request(link, None, method="GET"))
        assert fetched.status == 200
        assert orjson.loads(fetched.body)["payload"]


async def test_a_route_that_says_nothing_of_receipts_says_nothing_of_the_first(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, "/silent/1")
        again = await on.ask(request("/silent/1", b"{}", *named(mine)))
        assert again.value("transfer-duplicate") == "?1"
        assert not again.values("transfer-receipt") + again.values("link")


async def test_whoever_is_but_an_address_gets_no_link(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        anybody = Peer(address="127.0.0.1")
        sent = request("/once/1", b"{}", *named(new_id()))
        assert (await on.ask(sent, anybody)).status == 200
        again = await on.ask(sent, anybody)
        assert again.values("transfer-receipt")
        assert not again.values("link")


@pytest.mark.parametrize("status", [204, 303, 304])
async def test_a_status_without_content_has_no_length(tmp_path: Path, status: int) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        bare = b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n"
        if status == 204:
            bare = b"HTTP/1.1 %d Said\r\n\r\n"

        def behave(exchange: Exchange) -> None:
            exchange.read()
            exchange.send(bare % status)

        on.receiver.behave = behave
        sent = request("/once/1", b"{}", *named(new_id()))
        with on.connect() as client:
            for duplicate in (False, True):
                client.send(sent)
                answer = await blocking(lambda: client.answer(bodiless=True))
                assert answer.status == status
                assert bool(answer.values("transfer-duplicate")) == duplicate
            assert answer.values("content-length") == (["0"] if status == 303 else [])


async def test_a_sender_that_left_too_early_gets_the_answer_it_did_not_wait_for(
    tmp_path: Path,
) -> None:
    table, held = Table(), Held()
    async with stage(tmp_path, table, *ROUTES) as on:

        def behave(exchange: Exchange) -> None:
            exchange.read()
            exchange.send(b"HTTP/1.1 202 Said\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.send(chunk(b"x" * (HOLD + 1)))
            held.asked.set()
            held.go.wait(PATIENCE)
            exchange.reset()

        on.receiver.behave = behave
        sent = request("/once/1", b"{}", *named(new_id()))
        with on.connect() as client:
            client.send(sent)
            await blocking(lambda: held.asked.wait(PATIENCE))
            await blocking(client.reader.head)
        on.connections.cancel_scope.cancel()
    held.go.set()
    (outcome,) = table.outcomes
    assert (outcome.verdict, outcome.status, outcome.answer_status) == ("delivered", None, 202)
    (tmp_path / "next").mkdir()
    async with stage(tmp_path / "next", table, *ROUTES) as on:
        again = await on.ask(sent)
        assert (again.status, again.value("transfer-duplicate")) == (202, "?1")


async def test_the_connection_serves_the_next_transfer(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=LARGE)
        same = request("/once/1", LARGE, *named(mine, digest(LARGE)))
        with on.connect() as client:
            for _ in range(2):
                again = await blocking(lambda: client.ask(same))
                assert again.value("transfer-duplicate") == "?1"
            other = request("/once/1", b"{}", *named(new_id()))
            assert (await blocking(lambda: client.ask(other))).status == 200


async def test_http_1_0_is_answered_too(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on)
        old = request("/once/1", b"{}", *named(mine)).replace(b"HTTP/1.1", b"HTTP/1.0")
        again = await on.ask(old)
        assert (again.status, again.value("transfer-duplicate")) == (200, "?1")
        other = request("/once/1", b"[]", *named(mine)).replace(b"HTTP/1.1", b"HTTP/1.0")
        assert code(await on.ask(other)) == (409, "id-reused")


async def test_who_asks_before_sending_is_told_to_send_only_what_will_be_compared(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=LARGE)
        for fields, statuses in (([digest(LARGE)], [100, 200]), ([], [409])):
            sent = request("/once/1", LARGE, *named(mine, "Expect: 100-continue", *fields))
            head, _, _ = sent.partition(LARGE)
            with on.connect() as client:
                client.send(head)
                got = [(await blocking(client.reader.head)).status]
                if got == [100]:
                    client.send(LARGE)
                    got.append((await blocking(client.answer)).status)
            assert got == statuses


# --- something else, or nobody knows -------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        lambda mine: request("/once/1", b"[]", *named(mine)),
        lambda mine: request("/once/1", b"", *named(mine)),
        lambda mine: request("/once/1", b"{}", *named(mine), method="PUT"),
        lambda mine: request("/once/2", b"{}", *named(mine)),
        lambda mine: request("/once/1?q", b"{}", *named(mine)),
        lambda mine: request("/once/1", LARGE, *named(mine, digest(LARGE))),
    ],
)
async def test_another_request_under_a_delivered_id_is_refused(
    tmp_path: Path, changed: Callable[[str], bytes]
) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        mine = await delivered(on)
        octets = on.receiver.octets
        answer = await on.ask(changed(mine))
        assert code(answer) == (409, "id-reused")
        assert not answer.values("transfer-duplicate")
        assert on.receiver.octets == octets
        outcome = table.outcomes[-1]
        assert outcome.verdict is Verdict.REJECTED
        assert (outcome.duplicate_of, outcome.claim, outcome.content_sha256) == (0, None, None)
        assert parse_items(answer.value("transfer-receipt"))[-1] == await table.entry(1)
        same = await on.ask(request("/once/1", b"{}", *named(mine)))
        assert same.value("transfer-duplicate") == "?1"


@pytest.mark.parametrize("kind", ["sized", "chunked"])
async def test_what_is_neither_held_nor_vouched_for_is_not_compared(
    tmp_path: Path, kind: str
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=LARGE)
        body = LARGE if kind == "sized" else [LARGE[:999], LARGE[999:]]
        for fields in ([], ["Content-Digest: md5=:AAAAAAAAAAAAAAAAAAAAAA==:"]):
            answer = await on.ask(request("/once/1", body, *named(mine, *fields)))
            assert code(answer) == (409, "replayed")


async def test_no_more_is_read_than_can_be_compared(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = await delivered(on, body=LARGE)
        endless = request("/once/1", [LARGE], *named(mine)).removesuffix(b"0\r\n\r\n")
        with on.connect() as client:
            client.send(endless)
            assert code(await blocking(client.answer)) == (409, "replayed")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_what_asks_for_an_answer_cannot_be_answered_again(
    tmp_path: Path, method: str
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        sent = request("/once/1", None, *named(new_id()), method=method)
        assert (await on.ask(sent)).status == 200
        assert code(await on.ask(sent)) == (409, "replayed")


@pytest.mark.parametrize(
    ("path", "body", "fields", "expected"),
    [
        ("/once/1", b"{}", [digest(b"[]")], (400, "digest-mismatch")),
        ("/once/1", b"{}", [digest(b"{}"), digest(b"[]", "sha512")], (400, "digest-mismatch")),
        ("/once/1", b"{}", ["Content-Digest: sha-256=:AA==:"], (400, "digest-malformed")),
        ("/digested/1", b"{}", [], (400, "digest-required")),
        ("/once/1", OVERSIZED, [digest(OVERSIZED)], (413, "content-too-large")),
    ],
)
async def test_what_is_wrong_in_itself_is_refused_as_ever(
    tmp_path: Path, path: str, body: bytes, fields: list[str], expected: tuple[int, str]
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        mine = new_id()
        first = await on.ask(request(path, b"{}", *named(mine, digest(b"{}"))))
        assert first.status == 200
        assert code(await on.ask(request(path, body, *named(mine, *fields)))) == expected
        chunked = await on.ask(request(path, [body], *named(mine, *fields)))
        if expected[1] != "digest-required":
            assert code(chunked) == expected


async def test_a_content_that_stays_behind_its_length_is_no_duplicate(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        mine = await delivered(on)
        with on.connect() as client:
            client.send(request("/once/1", b"{}", *named(mine))[:-1])
            client.sock.shutdown(1)
            assert code(await blocking(client.answer)) == (400, "request-incomplete")
        assert table.outcomes[-1].verdict is Verdict.FAILED


async def test_a_duplicate_that_cannot_be_recorded_is_not_answered_as_one(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        mine = await delivered(on)
        table.fault = LogFailure("the disk is full")
        answer = await on.ask(request("/once/1", b"{}", *named(mine)))
        assert code(answer) == (503, "log-unavailable")
        assert not answer.values("transfer-duplicate") + answer.values("transfer-receipt")


# --- what is asked of the table ------------------------------------------------------------------


async def test_ids_are_labels_where_nothing_is_required(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        sent = request("/free/1", b"{}", *named(new_id()))
        for _ in range(2):
            assert (await on.ask(sent)).status == 200
    assert not table.asked
    assert [(each.claim, each.content_sha256) for each in table.outcomes] == [(None, None)] * 2
    assert [each.claim for each in table.intents] == [None, None]


async def test_sender_route_and_id_are_what_is_held(tmp_path: Path) -> None:
    table, mine = Table(), new_id()
    async with stage(tmp_path, table, *ROUTES) as on:
        for path, peer in (("/once/1", LOCAL), ("/other/1", LOCAL), ("/once/1", Peer(uid=1001))):
            answer = await on.ask(request(path, b"{}", *named(mine)), peer)
            assert (answer.status, answer.values("transfer-duplicate")) == (200, [])
    assert [(each.sender, each.route, each.transfer_id) for each in table.asked] == [
        ("uid:1000", "once", mine), ("uid:1000", "other", mine), ("uid:1001", "once", mine),
    ]  # fmt: skip
    assert [each.claim for each in table.intents] == table.asked
    assert [each.claim for each in table.outcomes] == table.asked
    assert [each.attempt_id for each in table.intents] == [
        each.attempt_id for each in table.outcomes
    ]
    assert {each.window for each in table.asked} == {300.0}


async def test_failed_and_rejected_give_the_id_back(tmp_path: Path) -> None:
    table, mine = Table(), new_id()
    async with stage(tmp_path, table, *ROUTES) as on:
        sent = request("/masked/1", SECRET, *named(mine))
        assert code(await on.ask(request("/masked/1", b"{", *named(mine))))[1] == "unparseable"
        on.receiver.behave = lambda exchange: exchange.answer(503)
        assert (await on.ask(sent)).status == 503
        on.receiver.behave = Exchange.answer
        assert (await on.ask(sent)).status == 200
        assert (await on.ask(sent)).value("transfer-duplicate") == "?1"
    assert [each.verdict.value for each in table.outcomes] == [
        "rejected", "failed", "delivered", "rejected",
    ]  # fmt: skip


async def test_the_route_says_what_follows_on_an_undecided_attempt(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:

        def reset(exchange: Exchange) -> None:
            exchange.read()
            exchange.reset()

        for path, expected in (("/once/1", 409), ("/again/1", 200)):
            sent = request(path, b"{}", *named(new_id()))
            on.receiver.behave = reset
            assert code(await on.ask(sent)) == (502, "upstream-closed")
            on.receiver.behave = Exchange.answer
            answer = await on.ask(sent)
            assert answer.status == expected
        assert [each.forward_undecided for each in table.asked] == [False, False, True, True]


async def test_whoever_is_told_to_wait_holds_nothing(tmp_path: Path) -> None:
    table, held, mine = Table(), Held(), new_id()
    async with stage(tmp_path, table, *ROUTES) as on:
        on.receiver.behave = held
        with on.connect() as client:
            client.send(request("/once/1", b"{}", *named(mine)))
            await blocking(lambda: held.asked.wait(PATIENCE))
            answer = await on.ask(request("/once/1", b"{}", *named(mine)))
            assert code(answer) == (409, "in-flight")
            assert answer.value("retry-after") == "1"
            assert table.outcomes[-1].claim is None
            held.go.set()
            assert (await blocking(client.answer)).status == 200
        again = await on.ask(request("/once/1", b"{}", *named(mine)))
        assert again.value("transfer-duplicate") == "?1"


async def test_a_storm_of_one_id_is_one_delivery(tmp_path: Path) -> None:
    table = Table()
    async with stage(tmp_path, table, *ROUTES) as on:
        sent = request("/once/1", LARGE, *named(new_id(), digest(LARGE)))
        answers: list[Message] = []

        async def one() -> None:
            answers.append(await on.ask(sent))

        async with trio.open_nursery() as storm:
            for _ in range(30):
                storm.start_soon(one)
        assert len(on.receiver.received) == 1
    firsts = [each for each in answers if each.status == 200 and len(each.body)]
    assert len(firsts) == 1
    for each in answers:
        assert each in firsts or each.values("transfer-duplicate") or each.status == 409
    assert [each.verdict for each in table.outcomes].count(Verdict.DELIVERED) == 1


async def test_who_is_cut_off_while_asking_says_what_may_be_its_own(tmp_path: Path) -> None:
    class Slow(Table):
        async def reserve(self, claim: Claim, attempt_id: bytes) -> Earlier | None:
            await super().reserve(claim, attempt_id)
            asking.set()
            await trio.sleep_forever()

    table, asking = Slow(), trio.Event()
    async with stage(tmp_path, table, *ROUTES) as on:
        with on.connect() as client:
            client.send(request("/once/1", b"{}", *named(new_id())))
            await asking.wait()
            on.connections.cancel_scope.cancel()
    (outcome,) = table.outcomes
    assert outcome.claim is not None
    assert (outcome.verdict, outcome.problem) == (Verdict.FAILED, "cut-off")
    assert not table.held
