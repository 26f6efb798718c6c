"""Digests beside content, both ways: what is verified, what is said to whoever wants it."""

import base64
import gzip
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from proxy.model import Verdict
from tests.edge.stage import HOLD, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.scenarios.client import TAKES_TRAILERS, chunk, request
from tests.scenarios.message import Broken, Message
from tests.scenarios.receiver import Exchange

BODY = b'{"ssn": "536-90-4399"}'
MASKED = b'{"ssn": "[REDACTED]"}'
LONG = b"0123456789" * HOLD
MASK = {"mask": [{"path": "$.ssn", "action": "redact"}], "content": ["json"], "label": "internal"}
ROUTES = (
    route("free", replay={"require": "off"}),
    route("proven", replay={"require": "off"}, integrity={"require": "content-digest"}),
    route("masked", replay={"require": "off"}, request=MASK, response=MASK),
    route("coded", replay={"require": "off"}, request=MASK | {"codings": ["gzip"]}),
)
JSON = "Content-Type: application/json"


def digest(body: bytes, name: str = "sha-256") -> str:
    value = base64.b64encode(hashlib.new(name.replace("-", ""), body).digest()).decode()
    return f"{name}=:{value}:"


def code(answer: Message) -> str:
    assert b"urn:lockgate:problem:" in answer.body
    return answer.body.split(b"urn:lockgate:problem:")[1].split(b'"')[0].decode()


async def asked(folder: Path, octets: bytes) -> tuple[Message, list[Message], Table]:
    """The answer, what the upstream received, and the evidence."""
    table = Table()
    async with stage(folder, table, *ROUTES) as on:
        answer = await on.ask(octets)
        return answer, on.receiver.received, table


@pytest.mark.parametrize("name", ["sha-256", "sha-512"])
@pytest.mark.parametrize("path", ["/free/1", "/masked/1"])
@pytest.mark.parametrize("late", [False, True])
async def test_a_repr_digest_that_does_not_hold_is_refused(
    tmp_path: Path, path: str, name: str, late: bool
) -> None:
    for said, right in ((BODY, True), (BODY + b" ", False)):
        field = f"Repr-Digest: {digest(said, name)}"
        octets = request(path, BODY, field)
        if late:
            octets = request(path, [BODY], "Trailer: Repr-Digest")
            octets = octets[:-2] + field.encode() + b"\r\n\r\n"
        answer, received, _ = await asked(tmp_path, octets)
        assert (answer.status, len(received)) == ((200, 1) if right else (400, 0))
        if right and path == "/free/1":
            assert received[0].value("repr-digest") == digest(said, name)
        elif right:
            assert received[0].values("repr-digest") == []
        else:
            assert code(answer) == "digest-mismatch"


async def test_a_digest_in_a_trailer_has_to_be_announced(tmp_path: Path) -> None:
    octets = request("/free/1", [BODY])[:-2] + f"Repr-Digest: {digest(BODY)}\r\n\r\n".encode()
    answer, received, _ = await asked(tmp_path, octets)
    assert (code(answer), received) == ("digest-malformed", [])


async def test_repr_digest_is_of_what_is_sent_codings_included(tmp_path: Path) -> None:
    coded = gzip.compress(BODY)
    for said, status in ((coded, 200), (BODY, 400)):
        fields = ("Content-Encoding: gzip", f"Repr-Digest: {digest(said)}")
        answer, _, _ = await asked(tmp_path, request("/coded/1", coded, *fields))
        assert answer.status == status


async def test_repr_digest_of_a_part_is_left_alone_and_stands_in_for_nothing(
    tmp_path: Path,
) -> None:
    said = f"Repr-Digest: {digest(b'all of it')}"
    answer, _, _ = await asked(
        tmp_path, request("/free/1", BODY, said, "Content-Range: bytes 0-21/99", kind="a/b")
    )
    assert answer.status == 200
    answer, _, _ = await asked(tmp_path, request("/proven/1", BODY, f"Repr-Digest: {digest(BODY)}"))
    assert code(answer) == "digest-required"


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
async def test_content_that_was_cut_down_to_nothing_is_refused(tmp_path: Path, field: str) -> None:
    nothing: tuple[bytes | list[bytes], ...] = (b"", [])
    for octets in nothing:
        sent = request("/free/1", octets, f"{field}: {digest(BODY)}")
        answer, received, _ = await asked(tmp_path, sent)
        assert (code(answer), received) == ("digest-mismatch", [])


@pytest.mark.parametrize(("octets", "status"), [(b"", 200), ([], 400)])
async def test_of_nothing_a_digest_is_required_where_one_may_have_been_cut_off(
    tmp_path: Path, octets: bytes | list[bytes], status: int
) -> None:
    answer, received, _ = await asked(tmp_path, request("/proven/1", octets))
    assert (answer.status, len(received)) == (status, int(status == 200))


# --- answers -------------------------------------------------------------------------------------


def say(exchange: Exchange, *, head: str, body: bytes) -> None:
    exchange.read()
    exchange.send(f"HTTP/1.1 {head}\r\n\r\n".encode() + body)


def sized(body: bytes, *fields: str, status: str = "200 OK") -> partial[None]:
    head = "\r\n".join([status, JSON, f"Content-Length: {len(body)}", *fields])
    return partial(say, head=head, body=body)


def chunked(body: bytes, trailer: str, *fields: str) -> partial[None]:
    head = "\r\n".join(["200 OK", JSON, "Transfer-Encoding: chunked", *fields])
    pieces = [body[at : at + 4000] for at in range(0, len(body), 4000)]
    end = f"0\r\n{trailer}\r\n\r\n" if trailer else "0\r\n\r\n"
    return partial(say, head=head, body=b"".join(map(chunk, pieces)) + end.encode())


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[:-1],
    "emptied": lambda body: b"",
    "extended": lambda body: body + b"x",
    "flipped": lambda body: bytes([body[0] ^ 1]) + body[1:],
    "reordered": lambda body: body[5:] + body[:5],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("body", [BODY, LONG], ids=["held", "streamed"])
@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("late", [False, True], ids=["head", "trailer"])
async def test_an_answer_that_is_not_what_was_said_never_completes(
    tmp_path: Path, change: str, body: bytes, field: str, late: bool
) -> None:
    table = Table()
    said, comes = f"{field}: {digest(body)}", CHANGES[change](body)
    behave = chunked(comes, said, f"Trailer: {field}") if late else sized(comes, said)
    async with stage(tmp_path, table, *ROUTES) as on:
        on.receiver.behave = behave
        if body == LONG and comes:
            with pytest.raises(Broken) as broken:
                await on.ask(request("/free/1", None, method="GET"))
            assert len(broken.value.body) < len(comes)
        else:
            answer = await on.ask(request("/free/1", None, method="GET"))
            assert (answer.status, code(answer)) == (502, "answer-refused")
    (outcome,) = table.outcomes
    assert (outcome.verdict, outcome.problem) == (Verdict.DELIVERED, "answer-refused")


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("GET", f"206 Part\r\nContent-Length: 2\r\nRepr-Digest: {digest(BODY)}"),
        ("HEAD", f"200 OK\r\nContent-Length: 22\r\nContent-Digest: {digest(BODY)}"),
        ("GET", f"304 Not Modified\r\nRepr-Digest: {digest(BODY)}"),
        ("PUT", "200 OK\r\nContent-Length: 2\r\nContent-Location: /else\r\n"
         f"Repr-Digest: {digest(BODY)}"),
    ],
)  # fmt: skip
async def test_what_is_said_of_content_that_is_not_there_is_left_alone(
    tmp_path: Path, method: str, head: str
) -> None:
    bodiless = method == "HEAD" or head.startswith("304")
    async with stage(tmp_path, Table(), *ROUTES) as on:
        on.receiver.behave = partial(say, head=head, body=b"" if bodiless else b"{}")
        with on.connect() as client:
            client.send(request("/free/1", b"{}" if method == "PUT" else None, method=method))
            answer = await blocking(lambda: client.answer(bodiless=bodiless))
    assert answer.status == int(head[:3])
    assert digest(BODY) in head


# --- wishes --------------------------------------------------------------------------------------


async def get(on: Stage, path: str, *fields: str) -> Message:
    return await on.ask(request(path, None, *fields, method="GET"))


@pytest.mark.parametrize(
    ("wish", "name"),
    [("sha-256=1", "sha-256"), ("sha-512=10, sha-256=3", "sha-512"), ("md5=10", None), ("!", None)],
)
async def test_an_answer_has_the_digests_that_its_sender_wants(
    tmp_path: Path, wish: str, name: str | None
) -> None:
    wishes = (f"Want-Content-Digest: {wish}", f"Want-Repr-Digest: {wish}")
    async with stage(tmp_path, Table(), *ROUTES) as on:
        for behave, path, body in (
            (sized(BODY), "/free/1", BODY),
            (sized(BODY), "/masked/1", MASKED),
            (chunked(LONG, ""), "/free/1", LONG),
        ):
            on.receiver.behave = behave
            answer = await get(on, path, *wishes, *TAKES_TRAILERS)
            assert answer.body == body
            expected = [digest(body, name)] if name else []
            assert answer.values("content-digest") == expected
            assert answer.values("repr-digest") == expected
            said = answer.values("trailer")
            assert ("Content-Digest" in "".join(said)) == bool(name and body == LONG)
            assert on.receiver.received[-1].value("want-content-digest") == wish


async def test_nobody_is_told_of_digests_who_does_not_want_them(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        for behave in (sized(BODY), chunked(LONG, "")):
            on.receiver.behave = behave
            answer = await get(on, "/free/1", *TAKES_TRAILERS)
            assert answer.values("content-digest") == answer.values("repr-digest") == []


async def test_what_the_upstream_says_already_is_not_said_twice(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        on.receiver.behave = sized(BODY, f"Content-Digest: {digest(BODY, 'sha-512')}")
        answer = await get(on, "/free/1", "Want-Content-Digest: sha-256=1")
        assert answer.values("content-digest") == [digest(BODY, "sha-512")]
        on.receiver.behave = chunked(
            LONG, f"Content-Digest: {digest(LONG)}", "Trailer: Content-Digest"
        )
        answer = await get(on, "/free/1", "Want-Content-Digest: sha-256=1", *TAKES_TRAILERS)
        assert answer.values("content-digest") == [digest(LONG)]


async def test_a_stream_whose_reader_takes_no_trailers_has_no_digest_behind_it(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        on.receiver.behave = chunked(LONG, "")
        answer = await get(on, "/free/1", "Want-Content-Digest: sha-256=1")
        assert (answer.body, answer.values("content-digest")) == (LONG, [])


async def test_a_part_has_a_content_digest_and_no_repr_digest(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), *ROUTES) as on:
        on.receiver.behave = sized(b"{}", "Content-Range: bytes 0-1/9", status="206 Part")
        wishes = ("Want-Content-Digest: sha-256=1", "Want-Repr-Digest: sha-256=1")
        answer = await get(on, "/free/1", *wishes)
        assert answer.values("content-digest") == [digest(b"{}")]
        assert answer.values("repr-digest") == []


async def test_a_refusal_has_the_digests_that_are_wanted_and_says_which_it_wants(
    tmp_path: Path,
) -> None:
    wish = "Want-Content-Digest: sha-512=1"
    answer, _, _ = await asked(tmp_path, request("/proven/1", BODY, wish))
    assert code(answer) == "digest-required"
    assert answer.value("content-digest") == digest(answer.body, "sha-512")
    assert answer.value("want-content-digest") == "sha-256=10, sha-512=5"
    assert answer.values("want-repr-digest") == []
    answer, _, _ = await asked(tmp_path, request("/free/1", BODY, f"Repr-Digest: {digest(b'')}"))
    assert code(answer) == "digest-mismatch"
    assert answer.value("want-repr-digest") == "sha-256=10, sha-512=5"
    answer, _, _ = await asked(tmp_path, request("/nowhere", BODY))
    assert answer.values("want-content-digest") == answer.values("content-digest") == []
