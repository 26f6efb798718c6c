"""A route that demands signatures: what is signed crosses once, and nothing else does."""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from proxy.app.prepare import prepare
from proxy.errors import ConfigError
from proxy.model import Peer, Verdict
from proxy.observe.metrics import Metrics
from proxy.settings.load import load
from proxy.settings.signatures import MOST_SKEW
from proxy.wire.sfv import parse_dictionary
from proxy.wire.signing_key import SigningKey
from tests.client.keys import KEYS
from tests.edge.signing import COVERED, Signed, digest, jwks, key_of
from tests.edge.stage import HOLD, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.scenarios.client import request
from tests.scenarios.gateway import wait_until
from tests.scenarios.message import Message
from tests.scenarios.receiver import Exchange

ONCE = {"require": "signature"}
RULE = {"keys": ["etl"]}
MARKED = {"content": ["opaque"], "label_from": "Data-Sensitivity"}
ROUTES = (
    route("signed", replay=ONCE, signature=RULE),
    route("sworn", replay={"require": "off"}, integrity=ONCE, signature=RULE),
    route("both", replay={"require": "transfer-id"}, integrity=ONCE, signature=RULE),
    route("few", replay=ONCE, signature=RULE | {"algorithms": ["ml-dsa-65"]}),
    route("more", replay=ONCE, signature=RULE | {"components": ["x-batch", "content-type"]}),
    route("marked", replay=ONCE, signature=RULE, request=MARKED),
    route("any", replay=ONCE, signature=RULE | {"if_present": ["x-batch"]}),
    route("named", replay=ONCE, signature=RULE | {"authorities": ["Gate.example"]}),
    route("strict", replay=ONCE | {"window": "90s"}, signature=RULE | {"skew": "5s"}),
    route("free", replay={"require": "off"}),
    route("streamed", replay=ONCE, signature=RULE, streaming=True),
)
LOCAL, OTHER = Peer(uid=1000), Peer(uid=1001)


@asynccontextmanager
async def gate(
    folder: Path, table: Table, *keys: SigningKey, uid: int = 1000
) -> AsyncIterator[Stage]:
    (folder / "etl.jwks").write_text(jwks(*keys))
    signers = {"etl": {"jwks": "file:etl.jwks", "peers": [{"local": {"uid": [uid]}}]}}
    async with stage(folder, table, *ROUTES, signers=signers) as on:
        yield on


def code(answer: Message) -> tuple[int, str]:
    problem = orjson.loads(answer.body)
    return answer.status, problem["type"].removeprefix("urn:lockgate:problem:")


def results(on: Stage) -> dict[str, float]:
    """What the metric has counted, by result."""
    text = on.keeper.metrics.exposition().decode()
    pattern = r'^lockgate_signatures_total\{result="([^"]+)",route="[^"]+"\} (\S+)'
    return {name: float(count) for name, count in re.findall(pattern, text, re.M)}


# --- what is signed crosses ----------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", KEYS)
async def test_what_is_signed_crosses_and_its_receipt_names_the_key(
    tmp_path: Path, algorithm: str
) -> None:
    table, key = Table(), key_of(algorithm)
    async with gate(tmp_path, table, key) as on:
        answer = await on.ask(Signed(key).sign().octets)
        assert answer.status == 200
        (received,) = on.receiver.received
        assert received.sha256 == hashlib.sha256(b"{}").hexdigest()
        assert results(on) == {"verified": 1}
    (outcome,) = table.outcomes
    verified = outcome.signature
    assert verified is not None
    assert (verified.key, verified.algorithm) == (key.verifying.name, algorithm)
    assert outcome.claim is not None
    assert outcome.claim.nonce is not None
    assert outcome.claim.window == 300 + 30 + 120


@pytest.mark.parametrize("covered", [
    ("@method", "@authority", "@path", "@query", "content-digest", "transfer-id"),
    ('"@target-uri"', "@method", '"content-digest";sf', '"transfer-id";bs'),
])  # fmt: skip
async def test_the_target_may_be_covered_in_parts(tmp_path: Path, covered: tuple[str, ...]) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        answer = await on.ask(Signed(key, path="/signed/1?a=b", covered=covered).sign().octets)
        assert answer.status == 200


@pytest.mark.parametrize(("covered", "added"), [
    (("@method", "@authority", "@path", "@query", *COVERED[2:]), "component-missing"),
    (("@method", "@authority", "@request-target", *COVERED[2:]), "invalid"),
    (COVERED, "invalid"),
])  # fmt: skip
async def test_an_empty_query_cannot_be_added(
    tmp_path: Path, covered: tuple[str, ...], added: str
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key, covered=covered).sign()
        signed.path += "?"
        await refused(on, table, signed, added)
        if "@query" not in covered:
            whole = Signed(key, path="/signed/1?", covered=covered).sign()
            assert (await on.ask(whole.octets)).status == 200


async def test_a_request_without_content_needs_no_digest(tmp_path: Path) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        plain = Signed(key, method="GET", body=None).sign()
        assert (await on.ask(plain.octets)).status == 200
        grown = Signed(key, body=None).sign()
        grown.body = b"{}"
        assert code(await on.ask(grown.octets)) == (403, "signature-refused")
        assert len(on.receiver.received) == 1


async def test_a_route_may_demand_a_signature_and_no_id(tmp_path: Path) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        sworn = Signed(key, path="/sworn/1", covered=COVERED[:3], said={"nonce": None}).sign()
        for _ in range(2):
            assert (await on.ask(sworn.octets)).status == 200
        assert code(await on.ask(request("/sworn/1", b"{}"))) == (400, "signature-required")
    assert table.asked == []


async def test_ids_alone_may_be_used_once_where_content_is_signed(tmp_path: Path) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        both = Signed(key, path="/both/1", said={"nonce": None}).sign()
        assert (await on.ask(both.octets)).status == 200
        again = await on.ask(both.octets)
        assert again.value("transfer-duplicate") == "?1"
        assert len(on.receiver.received) == 1


async def test_an_id_that_is_to_be_used_once_is_signed_wherever_a_signature_is_demanded(
    tmp_path: Path,
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        free = Signed(key, path="/both/1", covered=COVERED[:3], said={"nonce": None}).sign()
        await refused(on, table, free, "component-missing")
        both = Signed(key, path="/both/1", said={"nonce": None}).sign()
        both.fields = (ELSE, *both.fields[1:])
        await refused(on, table, both, "invalid")


@pytest.mark.parametrize("path", ["/signed/1", "/both/1", "/strict/1"])
async def test_what_is_used_up_is_remembered_for_longer_than_its_signature_can_hold(
    tmp_path: Path, path: str
) -> None:
    """On whichever route it comes the next time, and whatever that says of clocks."""
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        ahead, lasts = (4, 90) if path == "/strict/1" else (29, 300)
        early = Signed(key, path=path, age=-ahead, lasts=lasts).sign()
        assert (await on.ask(early.octets)).status == 200
        (claim,) = table.asked
        assert claim.window >= ahead + lasts + MOST_SKEW


async def test_other_signatures_beside_the_one_that_counts_are_left_alone(tmp_path: Path) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        two = Signed(key, said={"tag": "another", "label": "theirs"}).sign()
        ours = Signed(key, transfer_id=two.transfer_id).sign()
        two.signature = (*two.signature, *ours.signature)
        assert (await on.ask(two.octets)).status == 200


# --- what is not does not ------------------------------------------------------------------------


def changed(**changes: Any) -> Callable[[Signed], None]:
    """Changes of what has been signed."""

    def change(signed: Signed) -> None:
        for name, value in changes.items():
            setattr(signed, name, value)

    return change


def replaced(pattern: str, by: str) -> Callable[[Signed], None]:
    """Changes in the fields of the signature itself."""

    def change(signed: Signed) -> None:
        before = signed.signature
        signed.signature = tuple(re.sub(pattern, by, each) for each in before)
        assert signed.signature != before

    return change


def turned(signed: Signed) -> None:
    """One bit of the signature."""
    name, octets = signed.signature[1].split("=:", 1)
    raw = bytearray(base64.b64decode(octets.removesuffix(":")))
    raw[7] ^= 1
    signed.signature = (signed.signature[0], f"{name}=:{base64.b64encode(raw).decode()}:")


def twice(signed: Signed) -> None:
    again = Signed(signed.key, said={"label": "sig2"}, transfer_id=signed.transfer_id).sign()
    signed.signature = (*signed.signature, *again.signature)


def swapped(signed: Signed) -> None:
    """Another content, and the digest of that."""
    signed.body = b"[]"
    signed.fields = (signed.fields[0], f"Content-Digest: {digest(b'[]')}")


def doubled(signed: Signed) -> None:
    signed.fields = (*signed.fields, f"Content-Digest: {digest(b'{}')}")


def undigested(signed: Signed) -> None:
    signed.fields = signed.fields[:1]


def halved(signed: Signed) -> None:
    signed.signature = signed.signature[:1]


def headless(signed: Signed) -> None:
    signed.signature = signed.signature[1:]


ELSE = f"Transfer-Id: {uuid.uuid4()}"
AFTER = [
    (changed(method="PUT"), "invalid"),
    (changed(path="/signed/2"), "invalid"),
    (changed(path="/signed/1?x=1"), "invalid"),
    (changed(host="other.example"), "invalid"),
    (changed(fields=(ELSE, f"Content-Digest: {digest(b'{}')}")), "invalid"),
    (swapped, "invalid"),
    (doubled, "invalid"),
    (undigested, "component-absent"),
    (turned, "invalid"),
    (twice, "ambiguous"),
    (changed(signature=()), "missing"),
    (halved, "missing"),
    (headless, "missing"),
    (replaced("sig1=:[^:]+:", "sig1=:AAAA:"), "invalid"),
    (replaced("sig1=:[^:]+:", "sig1=?1"), "malformed"),
    (replaced("sig1=:", "sig2=:"), "malformed"),
    (replaced("created=[0-9]+", "created=1"), "expired|too-long|malformed"),
    (replaced("expires=([0-9]+)", r"expires=\g<1>0"), "too-long"),
    (replaced('nonce="', 'nonce="x'), "invalid"),
    (replaced('tag="lockgate"', 'tag="lockgate2"'), "tag"),
    (replaced('keyid="[^"]+"', 'keyid="nobody"'), "key-unknown"),
    (replaced('alg="[^"]+"', 'alg="hmac-sha256"'), "key-kind"),
]  # fmt: skip
REFUSED = {
    "missing": (400, "signature-required"),
    "tag": (400, "signature-required"),
    "malformed": (400, "signature-malformed"),
    "ambiguous": (400, "signature-malformed"),
    "component-malformed": (400, "signature-malformed"),
    "not-yet": (403, "signature-expired"),
    "expired": (403, "signature-expired"),
    "stale": (403, "signature-expired"),
}


async def refused(
    on: Stage, table: Table, signed: Signed, reasons: str, peer: Peer = LOCAL
) -> None:
    """The request is refused for one of these reasons: by receipt, metric and log."""
    received, before = len(on.receiver.received), dict(results(on))
    answer = await on.ask(signed.octets, peer)
    counted = {name for name, count in results(on).items() if count != before.get(name, 0)}
    (reason,) = counted
    assert reason in reasons.split("|")
    assert code(answer) == REFUSED.get(reason, (403, "signature-refused"))
    outcome = table.outcomes[-1]
    assert (outcome.verdict, outcome.problem) == (Verdict.REJECTED, code(answer)[1])
    assert (outcome.signature, outcome.claim, outcome.request.received.size) == (None, None, 0)
    assert len(on.receiver.received) == received
    assert answer.value("transfer-receipt")
    assert f'"reason":"{reason}: ' in on.said.getvalue()


@pytest.mark.parametrize(("change", "reasons"), AFTER)
async def test_what_is_changed_after_it_was_signed_does_not_cross(
    tmp_path: Path, change: Callable[[Signed], None], reasons: str
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key).sign()
        change(signed)
        await refused(on, table, signed, reasons)
        assert table.asked == []


A_MEMBER = '"content-digest";key="sha-256"'
BATCH: dict[str, Any] = {
    "fields": ("X-Batch: 7",),
    "covered": (*COVERED, "x-batch", "content-type"),
}
BEFORE: list[tuple[dict[str, Any], str]] = [
    ({"covered": COVERED[1:]}, "component-missing"),
    ({"covered": ("@method", *COVERED[2:])}, "component-missing"),
    ({"covered": ("@method", "@path", *COVERED[2:])}, "component-missing"),
    ({"covered": ("@method", "@target-uri", "transfer-id")}, "component-missing"),
    ({"covered": COVERED[:3]}, "component-missing"),
    ({"covered": (*COVERED[:2], A_MEMBER, "transfer-id")}, "component-missing"),
    ({"said": {"nonce": None}}, "parameter-missing"),
    ({"said": {"expires": None}}, "parameter-missing"),
    ({"said": {"created": None}}, "parameter-missing"),
    ({"said": {"tag": None}}, "tag"),
    ({"scheme": "https"}, "invalid"),
    ({"path": "/few/1"}, "algorithm"),
    ({"path": "/more/1"}, "component-missing"),
    ({"path": "/named/1", "host": "gate.example:443"}, "authority"),
    ({"age": 91}, "expired"),
    ({"age": -90}, "not-yet"),
    ({"age": 331, "lasts": 300}, "expired"),
    ({"lasts": 301}, "too-long"),
    ({"path": "/strict/1", "age": 66}, "expired"),
    ({"path": "/strict/1", "age": -25}, "not-yet"),
    ({"path": "/strict/1", "lasts": 91}, "too-long"),
]  # fmt: skip


@pytest.mark.parametrize(("request_of", "reasons"), BEFORE)
async def test_what_is_not_signed_as_the_route_demands_does_not_cross(
    tmp_path: Path, request_of: dict[str, Any], reasons: str
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        await refused(on, table, Signed(key, **request_of).sign(), reasons)
        assert table.asked == []


ADDED = [
    ("/signed/1", "Content-Encoding: gzip"),
    ("/signed/1", "Content-Range: bytes 0-1/3"),
    ("/marked/1", "Data-Sensitivity: internal"),
    ("/any/1", "X-Batch: 8"),
]


@pytest.mark.parametrize(("path", "added"), ADDED)
async def test_a_field_that_counts_cannot_be_added_on_the_way(
    tmp_path: Path, path: str, added: str
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key, path=path).sign()
        signed.fields = (*signed.fields, added)
        await refused(on, table, signed, "component-missing")
        name = added.partition(":")[0].lower()
        answer = await on.ask(signed.octets)
        assert answer.value("accept-signature").partition(")")[0].endswith(f'"{name}"')
        covered = Signed(key, path=path, fields=(added,), covered=(*COVERED, name)).sign()
        assert (await on.ask(covered.octets)).status == 200
        covered.fields = covered.fields[:1] + covered.fields[2:]
        await refused(on, table, covered, "component-absent")


@pytest.mark.parametrize("listed", ["X-Batch", "close, x-batch"])
async def test_a_field_that_is_signed_cannot_be_kept_from_going_on(
    tmp_path: Path, listed: str
) -> None:
    """What `Connection` lists is for us alone, and that was not signed."""
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key, path="/more/1", **BATCH).sign()
        signed.fields = (*signed.fields, f"Connection: {listed}")
        await refused(on, table, signed, "component-malformed")
        signed.fields = (*signed.fields[:-1], "Connection: keep-alive, x-other")
        assert (await on.ask(signed.octets)).status == 200
        assert on.receiver.received[-1].value("x-batch") == "7"


async def test_what_may_be_added_on_the_way_is_for_the_route_to_say(tmp_path: Path) -> None:
    async with gate(tmp_path, Table(), key := key_of()) as on:
        signed = Signed(key, path="/any/1").sign()
        signed.fields = (*signed.fields, "Content-Encoding: gzip")
        assert (await on.ask(signed.octets)).status == 200


@pytest.mark.parametrize(
    "request_of",
    [
        {"path": "/strict/1", "age": 55},
        {"path": "/strict/1", "age": -4},
        {"path": "/strict/1", "lasts": 90},
        {"path": "/named/1", "host": "GATE.example"},
        {"path": "/more/1"} | BATCH,
    ],
)  # fmt: skip
async def test_what_is_within_the_bounds_of_the_route_crosses(
    tmp_path: Path, request_of: dict[str, Any]
) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        assert (await on.ask(Signed(key, **request_of).sign().octets)).status == 200


async def test_a_key_is_good_for_the_peers_of_its_set_alone(tmp_path: Path) -> None:
    table, key, stranger = Table(), key_of(), key_of()
    async with gate(tmp_path, table, key) as on:
        await refused(on, table, Signed(key).sign(), "key-unknown", OTHER)
        await refused(on, table, Signed(stranger).sign(), "key-unknown")


MORE = '"@method" "@target-uri" "transfer-id" "x-batch" "content-digest" "content-type"'


async def test_a_refusal_says_what_must_be_signed(tmp_path: Path) -> None:
    async with gate(tmp_path, Table(), key_of()) as on:
        for path, asked in (
            ("/signed/1", '"@method" "@target-uri" "transfer-id" "content-digest"'),
            ("/sworn/1", '"@method" "@target-uri" "content-digest"'),
            ("/more/1", MORE),
        ):  # fmt: skip
            mine = f"Transfer-Id: {uuid.uuid4()}"
            answer = await on.ask(request(path, b"{}", mine))
            assert code(answer) == (400, "signature-required")
            told = f'sig1=({asked});created;expires;tag="lockgate"'
            assert answer.value("accept-signature") == told


async def test_an_id_is_demanded_before_a_signature(tmp_path: Path) -> None:
    async with gate(tmp_path, Table(), key_of()) as on:
        assert code(await on.ask(request("/signed/1", b"{}"))) == (400, "transfer-id-required")


# --- once ----------------------------------------------------------------------------------------


async def test_a_signature_is_used_once_whatever_became_of_it(tmp_path: Path) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        for status in (200, 404, 503):
            on.receiver.behave = partial(Exchange.answer, status=status)
            signed = Signed(key).sign()
            assert (await on.ask(signed.octets)).status == status
            crossed = len(on.receiver.received)
            for _ in range(2):
                assert code(await on.ask(signed.octets)) == (409, "signature-replayed")
                assert table.outcomes[-1].verdict is Verdict.REJECTED
            assert len(on.receiver.received) == crossed
        assert results(on) == {"verified": 9, "replayed": 6}


async def test_a_request_that_is_held_back_crosses_in_its_time_or_not_at_all(
    tmp_path: Path,
) -> None:
    """Reordered within the window; delayed beyond it."""
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        first, second = Signed(key, age=20).sign(), Signed(key).sign()
        late = Signed(key, age=91).sign()
        assert (await on.ask(second.octets)).status == 200
        assert (await on.ask(first.octets)).status == 200
        assert code(await on.ask(late.octets)) == (403, "signature-expired")
        for again in (first, second):
            assert code(await on.ask(again.octets)) == (409, "signature-replayed")
        assert len(on.receiver.received) == 2


async def test_a_transfer_is_tried_again_with_a_signature_of_its_own(tmp_path: Path) -> None:
    table, key, mine = Table(), key_of(), str(uuid.uuid4())
    async with gate(tmp_path, table, key) as on:
        on.receiver.behave = lambda exchange: exchange.answer(503)
        assert (await on.ask(Signed(key, transfer_id=mine).sign().octets)).status == 503
        on.receiver.behave = lambda exchange: exchange.answer(201)
        assert (await on.ask(Signed(key, transfer_id=mine).sign().octets)).status == 201
        repeat = Signed(key, transfer_id=mine).sign()
        again = await on.ask(repeat.octets)
        assert (again.status, again.value("transfer-duplicate")) == (201, "?1")
        assert code(await on.ask(repeat.octets)) == (409, "signature-replayed")
        other = Signed(key, transfer_id=mine, body=b"[]").sign()
        assert code(await on.ask(other.octets)) == (409, "id-reused")
        assert len(on.receiver.received) == 2


async def test_a_nonce_is_of_its_key(tmp_path: Path) -> None:
    one, other = key_of(), key_of()
    async with gate(tmp_path, Table(), one, other) as on:
        for key in (one, other):
            assert (await on.ask(Signed(key, said={"nonce": "n"}).sign().octets)).status == 200
        mine = Signed(one, said={"nonce": "n"}, path="/more/1", **BATCH).sign()
        assert code(await on.ask(mine.octets)) == (409, "signature-replayed")


async def test_one_of_two_at_once_crosses(tmp_path: Path) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed, answers = Signed(key).sign(), []
        async with trio.open_nursery() as both:

            async def ask() -> None:
                answers.append((await on.ask(signed.octets)).status)

            both.start_soon(ask)
            both.start_soon(ask)
        assert sorted(answers) == [200, 409]


# --- the body ------------------------------------------------------------------------------------

BODY = bytes(range(256)) * 20
FLIPPED = BODY[:-1] + bytes([BODY[-1] ^ 1])
SWAPPED = BODY[256:512] + BODY[:256] + BODY[512:]


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x", FLIPPED, SWAPPED[1:] + BODY[:1], b""])
@pytest.mark.parametrize("pieces", [0, 13, 700])
@pytest.mark.parametrize("path", ["/signed/1", "/streamed/1", "/sworn/1"])
async def test_a_body_that_is_not_the_signed_one_never_arrives_whole(
    tmp_path: Path, path: str, pieces: int, body: bytes
) -> None:
    assert len(BODY) > HOLD
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key, path=path, body=BODY).sign()
        signed.body = body
        if pieces:
            signed.chunks = [body[at : at + pieces] for at in range(0, len(body), pieces)]
        answer = await on.ask(signed.octets)
        assert code(answer) == (400, "digest-mismatch")
        assert on.receiver.received == []
    assert table.outcomes[-1].verdict is Verdict.REJECTED
    if path != "/streamed/1":
        assert table.intents == []


async def test_a_digest_that_proves_nothing_is_none(tmp_path: Path) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        weak = Signed(key, fields=("Content-Digest: md5=:AAAAAAAAAAAAAAAAAAAAAA==:",)).sign()
        assert code(await on.ask(weak.octets)) == (400, "digest-required")


EVIL = b"4\r\nevil\r\n0\r\n"


async def test_a_key_that_is_taken_away_ends_what_it_has_signed(tmp_path: Path) -> None:
    table, key, following = Table(), key_of(), key_of()
    async with gate(tmp_path, table, key, following) as on:
        before = on.keeper.gate
        (tmp_path / "etl.jwks").write_text(jwks(following))
        after = prepare(load(tmp_path / "gateway.yaml"), Metrics())
        for by, crosses in ((key, False), (following, True)):
            on.keeper.gate = before
            signed = Signed(by, body=BODY, fields=("Expect: 100-continue",)).sign()
            with on.connect() as client:
                client.send(signed.octets.removesuffix(BODY))
                assert (await blocking(client.reader.head)).status == 100
                on.keeper.gate = after
                await on.keeper.live.rejudge(before, after)
                if crosses:
                    client.send(BODY)
                answer = await blocking(client.answer)
                assert (answer.status == 200) is crosses
        assert len(on.receiver.received) == 1
    assert [each.problem for each in table.outcomes] == ["signature-refused", None]


@pytest.mark.parametrize(
    ("path", "first"), [("/signed/1", 2 * HOLD), ("/streamed/1", 10), ("/streamed/1", 2 * HOLD)]
)
async def test_what_is_whole_when_its_signature_has_expired_never_arrives_whole(
    tmp_path: Path, path: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, key = Table(), key_of()
    async with gate(tmp_path, table, key) as on:
        signed = Signed(key, path=path, body=BODY, fields=("Expect: 100-continue",)).sign()
        head, sent = signed.octets.removesuffix(BODY), BODY[:first]
        with on.connect() as client:
            client.send(head)
            assert (await blocking(client.reader.head)).status == 100
            client.send(sent)
            if path == "/streamed/1" and first > HOLD:
                await blocking(lambda: wait_until(lambda: bool(table.intents)))
            moment = time.time() + 60 + 30 + 1
            monkeypatch.setattr("proxy.edge.signed.time", lambda: moment)
            client.send(BODY[first:])
            assert code(await blocking(client.answer)) == (403, "signature-expired")
        assert on.receiver.received == []
        assert results(on) == {"verified": 1, "expired": 1}
    (outcome,) = table.outcomes
    assert (outcome.verdict, outcome.problem) == (Verdict.REJECTED, "signature-expired")
    assert bool(table.intents) is (path == "/streamed/1" and first > HOLD)


@pytest.mark.parametrize("path", ["/signed/1", "/streamed/1", "/sworn/1", "/both/1"])
@pytest.mark.parametrize(
    ("added", "behind"),
    [
        ("Trailer: Content-Digest", f"Content-Digest: {digest(b'evil')}\r\n"),
        ("Trailer: Repr-Digest", f"Repr-Digest: {digest(b'evil')}\r\n"),
        (f"Repr-Digest: {digest(b'evil')}", ""),
    ],
)
async def test_a_digest_that_was_not_signed_does_not_stand_in_for_the_signed_one(
    tmp_path: Path, path: str, added: str, behind: str
) -> None:
    """One that counts for nothing was signed, and on the way another is added."""
    async with gate(tmp_path, Table(), key := key_of()) as on:
        weak = Signed(key, path=path, fields=("Content-Digest: md5=:AAAA:",), chunks=[]).sign()
        weak.fields = (*weak.fields, added)
        head = weak.octets.removesuffix(b"0\r\n\r\n")
        answer = await on.ask(head + EVIL + f"{behind}\r\n".encode())
        assert code(answer) == (400, "digest-required")
        assert on.receiver.received == []


# --- what goes on ---------------------------------------------------------------------------------

ON = ("@method", "@path", "@query", "content-type", "content-digest")


async def arrived(on: Stage, signed: Signed) -> Message:
    assert (await on.ask(signed.octets)).status == 200
    return on.receiver.received[-1]


async def test_a_signature_goes_on_as_long_as_nothing_is_changed_that_it_covers(
    tmp_path: Path,
) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        ours = Signed(key).sign()
        message = await arrived(on, ours)
        assert not message.values("signature") + message.values("signature-input")
        theirs = Signed(key, path="/free/1?a=b", covered=ON).sign()
        message = await arrived(on, theirs)
        names = ("signature-input", "signature")
        assert tuple(f"{name}: {message.value(name)}" for name in names) == theirs.signature
        both = Signed(key, covered=ON, said={"tag": "end", "label": "end"}).sign()
        first = Signed(key, transfer_id=both.transfer_id).sign()
        both.signature = (*first.signature, *both.signature)
        message = await arrived(on, both)
        (left,) = parse_dictionary([message.value("signature").encode()])
        assert left == "end"
        assert list(parse_dictionary([message.value("signature-input").encode()])) == ["end"]


@pytest.mark.parametrize("covered", ["@authority", "@scheme", "host", "transfer-id", "via", "x-a"])
async def test_a_signature_of_what_is_ours_to_say_does_not_go_on(
    tmp_path: Path, covered: str
) -> None:
    key = key_of()
    async with gate(tmp_path, Table(), key) as on:
        fields = ("Via: 1.1 a", "Connection: x-a", "X-A: 1")
        signed = Signed(key, path="/free/1", covered=(*ON, covered), fields=fields)
        signed.transfer_id = signed.transfer_id.upper()
        message = await arrived(on, signed.sign())
        crossed = bool(message.values("signature"))
        assert crossed is (covered == "@scheme")


# --- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', json.dumps({"kty": "oct", "k": "AA"})])
async def test_keys_that_are_none_are_refused_with_their_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "etl.jwks").write_text(text)
    signers = {"etl": {"jwks": "file:etl.jwks", "peers": [{"local": {"uid": [1000]}}]}}
    with pytest.raises(ConfigError, match=r"signers\.etl\.jwks"):
        async with stage(tmp_path, Table(), ROUTES[0], signers=signers):
            pass
