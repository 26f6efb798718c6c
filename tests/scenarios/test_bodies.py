"""Content or none: methods, empty bodies, ranges and conditions, heads at their limit, traces."""

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import framing_routes, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256
from tests.scenarios.receiver import OK, Exchange, Receiver
from tests.scenarios.test_requests import digest_field

FILES = "/files/1"
LIMIT = 4096
"""Octets of a head, in both directions."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["listeners"]["ingest"]["limits"] = {"head": "4KiB"}
    config["upstreams"]["warehouse"]["limits"] = {"head": "4KiB"}
    return start_gateway(
        with_routes(
            config,
            *framing_routes(),
            route("search", content_on_get="pass"),
            route("both", response={"content": ["json", "ndjson"], "label": "internal"}),
            route("proven", integrity={"require": "content-digest"}),
        )
    )


def say(exchange: Exchange, head: bytes, body: bytes = b"") -> None:
    exchange.read()
    exchange.send(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)


# --- methods, and what has no content ------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("body", [b'{"q": 1}', [b'{"q": 1}'], []])
def test_content_of_a_method_that_gives_it_no_meaning_is_refused(
    watch: Watch, method: str, body: bytes | list[bytes]
) -> None:
    with watch.gateway.connect() as client:
        client.send(request(FILES, body, method=method))
        answer = client.answer(bodiless=method == "HEAD")
    assert answer.status == 400
    line = watch.cut_short("rejected", "content-unexpected")
    assert line["method"] == method
    assert watch.receiver.octets == watch.octets


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_route_may_pass_it_and_judges_it_like_any_other(
    gateway: Gateway, receiver: Receiver, watch: Watch, method: str
) -> None:
    with gateway.connect() as client:
        client.send(request("/search/1", b'{"q": 1}', method=method))
        assert client.answer(bodiless=method == "HEAD").status == 200
        came = receiver.received[-1]
        assert (came.first, came.body) == (f"{method} /search/1 HTTP/1.1", b'{"q": 1}')
    with gateway.connect() as client:
        watch.again()
        client.send(request("/search/1", b'{"q"', method=method))
        client.answer(bodiless=method == "HEAD")
        watch.cut_short("rejected", "unparseable")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"])
@pytest.mark.parametrize("length", [True, False])
def test_a_request_without_content_crosses_and_says_so_where_content_is_usual(
    gateway: Gateway, receiver: Receiver, method: str, length: bool
) -> None:
    with gateway.connect() as client:
        client.send(request("/search/1", b"" if length else None, method=method, kind=""))
        answer = client.answer(bodiless=method == "HEAD")
    assert answer.status == 200
    came = receiver.received[-1]
    usual = method in ("POST", "PUT", "PATCH")
    assert came.values("content-length") == ["0"] * usual
    assert came.values("transfer-encoding") == came.values("content-digest") == []
    content = receipt_of(gateway, answer)["content"]
    assert content["delivered"] == {"sha256": sha256(b""), "bytes": "0"}


@pytest.mark.parametrize("path", ["/orders/1", FILES, "/stream/1"])
def test_content_that_is_chunked_and_empty_is_as_good_as_none(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    kind = "application/x-ndjson" if path == "/stream/1" else "application/json"
    with gateway.connect() as client:
        answer = client.ask(request(path, [], kind=kind))
    assert answer.status == 200
    assert (receiver.received[-1].body, receiver.received[-1].value("content-length")) == (b"", "0")


def test_a_digest_of_no_content_must_be_right_where_it_is_given_and_is_not_demanded(
    gateway: Gateway, receiver: Receiver, watch: Watch
) -> None:
    right = f"Content-Digest: {digest_field(b'')}"
    with gateway.connect() as client:
        assert client.ask(request("/proven/1", None, method="GET")).status == 200
        assert client.ask(request("/proven/1", b"", right)).status == 200
        assert receiver.received[-1].value("content-digest") == digest_field(b"")
        watch.again()
        wrong = f"Content-Digest: {digest_field(b'x')}"
        watch.refused(client.ask(request("/proven/1", b"", wrong)), "digest-mismatch")


@pytest.mark.parametrize(
    "head",
    [b"200 OK\r\nContent-Length: 0", b"200 OK\r\nTransfer-Encoding: chunked", b"205 Reset\r\n"
     b"Content-Length: 0", b"201 Created\r\nTransfer-Encoding: chunked\r\nLocation: /x",
     b"200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/orders/1", "/both/1", FILES])
def test_an_empty_answer_needs_no_content_type(
    gateway: Gateway, receiver: Receiver, head: bytes, path: str
) -> None:
    receiver.behave = partial(say, head=head, body=b"0\r\n\r\n" if b"chunked" in head else b"")
    with gateway.connect() as client:
        answer = client.ask(request(path))
        assert (answer.status, answer.body) == (int(head[:3]), b"")
        assert answer.value("content-length") == "0"
        assert receipt_of(gateway, answer)["kind"] == "delivered"
        receiver.behave = Exchange.answer
        assert client.ask(request(path)).body == OK


def test_options_crosses_and_counts_its_hops(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = partial(say, head=b"204 No Content\r\nAllow: GET, POST")
    with gateway.connect() as client:
        client.send(request(FILES, None, "Max-Forwards: 3", method="OPTIONS"))
        answer = client.answer(bodiless=True)
        assert (answer.status, answer.value("allow")) == (204, "GET, POST")
        assert receiver.received[-1].value("max-forwards") == "2"
        client.send(request(FILES, None, "Max-Forwards: 3", method="GET"))
        client.answer(bodiless=True)
        assert receiver.received[-1].value("max-forwards") == "3"


@pytest.mark.parametrize(
    ("method", "fields"), [("TRACE", []), ("OPTIONS", ["Max-Forwards: 0"]), ("TRACE", ["A: b"])]
)
def test_what_we_would_have_to_answer_ourselves_is_refused(
    watch: Watch, method: str, fields: list[str]
) -> None:
    with watch.gateway.connect() as client:
        answer = client.ask(request(FILES, None, *fields, method=method))
        watch.refused(answer, "method-refused")
        assert client.ask(request()).status == 200


# --- ranges and conditions -----------------------------------------------------------------------


def test_ranges_and_conditions_cross_a_route_that_looks_at_nothing(
    gateway: Gateway, receiver: Receiver
) -> None:
    asked = ["Range: bytes=2-5", 'If-Range: "v1"', 'If-Match: "v1"', "If-Unmodified-Since: x"]
    part = b'Content-Range: bytes 2-5/9\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\nContent-Length: 4'
    receiver.behave = partial(say, head=b"206 Partial Content\r\n" + part, body=b"cdef")
    with gateway.connect() as client:
        answer = client.ask(request(FILES, None, *asked, method="GET"))
    came = receiver.received[-1].fields
    assert [f"{name}: {value}" for name, value in came if name in ("range", "if-range")] == [
        "range: bytes=2-5", 'if-range: "v1"'
    ]  # fmt: skip
    assert {"if-match", "if-unmodified-since"} <= {name for name, _ in came}
    assert (answer.status, answer.body) == (206, b"cdef")
    assert answer.value("content-range") == "bytes 2-5/9"
    assert (answer.value("etag"), answer.value("accept-ranges")) == ('"v1"', "bytes")
    receiver.behave = partial(say, head=b'304 Not Modified\r\nETag: "v1"')
    with gateway.connect() as client:
        client.send(request(FILES, None, 'If-None-Match: "v1"', method="GET"))
        answer = client.answer(bodiless=True)
    assert (answer.status, answer.value("etag")) == (304, '"v1"')
    assert receiver.received[-1].value("if-none-match") == '"v1"'


@pytest.mark.parametrize("path", ["/search/1", "/masked-answer/1"])
def test_where_answers_are_looked_into_a_range_is_answered_whole_and_a_part_is_refused(
    watch: Watch, receiver: Receiver, path: str
) -> None:
    kind = b"\r\nContent-Type: application/x-ndjson" if "masked" in path else b""
    with watch.gateway.connect() as client:
        receiver.behave = partial(
            say, head=b"200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: 2" + kind, body=b"{}"
        )
        answer = client.ask(request(path, None, "Range: bytes=0-0", method="GET"))
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.values("accept-ranges") == []
        assert receiver.received[-1].values("range") == []
        watch.again()
        part = b"206 Part\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2" + kind
        receiver.behave = partial(say, head=part, body=b"{}")
        answer = client.ask(request(path, None, method="GET"))
        watch.refused(answer, "answer-refused", "delivered", reached=True)


def test_a_part_of_a_document_is_not_written_where_documents_are_looked_into(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        sent = request("/orders/1", b"{}", "Content-Range: bytes 0-1/9", method="PUT")
        watch.refused(client.ask(sent), "content-not-allowed")


def test_a_date_may_be_a_condition_everywhere_and_tells_no_tag(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = partial(say, head=b'304 Not Modified\r\nETag: "v1"\r\nLast-Modified: x')
    with gateway.connect() as client:
        client.send(
            request("/masked-answer/1", None, "If-Modified-Since: x", 'If-None-Match: "v1"',
                    method="GET")
        )  # fmt: skip
        answer = client.answer(bodiless=True)
    assert receiver.received[-1].value("if-modified-since") == "x"
    assert receiver.received[-1].values("if-none-match") == []
    assert (answer.status, answer.values("etag")) == (304, [])


# --- heads at their limit ------------------------------------------------------------------------


def padded(message: bytes, size: int) -> bytes:
    """`message` with a field that makes its head `size` octets."""
    head, _, body = message.partition(b"\r\n\r\n")
    line = b"\r\nX-Pad: "
    return head + line + b"p" * (size - len(head) - len(line) - 4) + b"\r\n\r\n" + body


def many(message: bytes, count: int) -> bytes:
    """`message` with so many fields."""
    head, _, body = message.partition(b"\r\n\r\n")
    return head + b"\r\nA: b" * (count - head.count(b"\r\n")) + b"\r\n\r\n" + body


def test_a_request_head_at_its_limit_crosses_and_one_octet_over_is_refused(
    receiver: Receiver, watch: Watch
) -> None:
    with watch.gateway.connect() as client:
        assert client.ask(padded(request(), LIMIT)).status == 200
        assert len(receiver.received[-1].value("x-pad")) > 3900
    watch.again()
    with watch.gateway.connect() as client:
        watch.refused(client.ask(padded(request(), LIMIT + 1)), "head-too-large")
        assert client.ended()


def test_a_hundred_fields_cross_and_one_more_is_refused(receiver: Receiver, watch: Watch) -> None:
    with watch.gateway.connect() as client:
        assert client.ask(many(request(), 100)).status == 200
        assert len(receiver.received[-1].values("a")) > 90
        watch.again()
        watch.refused(client.ask(many(request(), 101)), "head-too-large")


def test_trailers_at_their_limit_cross_and_one_octet_over_is_refused(
    receiver: Receiver, watch: Watch
) -> None:
    whole = request(FILES, [b"few"], kind="a/b").removesuffix(b"\r\n")
    line = b"X-Pad: "
    for over in (0, 1):
        watch.again()
        trailers = line + b"p" * (LIMIT - len(line) - 4 + over) + b"\r\n\r\n"
        with watch.gateway.connect() as client:
            answer = client.ask(whole + trailers)
            if over:
                watch.refused(answer, "head-too-large", reached=True)
            else:
                assert answer.status == 200
                assert receiver.received[-1].trailers[0][0] == "x-pad"


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("fits", "over"),
    [(padded(ANSWER, LIMIT), padded(ANSWER, LIMIT + 1)), (many(ANSWER, 100), many(ANSWER, 101))],
    ids=["octets", "fields"],
)
def test_an_answers_head_at_its_limit_crosses_and_one_over_is_refused(
    receiver: Receiver, watch: Watch, fits: bytes, over: bytes
) -> None:
    with watch.gateway.connect() as client:
        receiver.behave = partial(say, head=fits[9:].partition(b"\r\n\r\n")[0], body=b"{}")
        answer = client.ask(request())
        assert (answer.status, answer.body) == (200, b"{}")
        watch.again()
        receiver.behave = partial(say, head=over[9:].partition(b"\r\n\r\n")[0], body=b"{}")
        answer = client.ask(request())
        watch.refused(answer, "upstream-malformed", "indeterminate", reached=True)
    assert "too large" in watch.logged_one()["reason"] or "fields" in watch.logged_one()["reason"]


# --- what people and their tools see -------------------------------------------------------------

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ([f"00-{TRACE}-00f067aa0ba902b7-01"], True),
        ([f"cc-{TRACE}-00f067aa0ba902b7-01-what the future brings"], True),
        ([f"00-{TRACE}-00f067aa0ba902b7-01-more"], False),
        ([f"ff-{TRACE}-00f067aa0ba902b7-01"], False),
        ([f"00-{TRACE.upper()}-00f067aa0ba902b7-01"], False),
        ([f"00-{'0' * 32}-00f067aa0ba902b7-01"], False),
        ([f"00-{TRACE}-{'0' * 16}-01"], False),
        ([f"00-{TRACE}-00f067aa0ba902b7-01"] * 2, False),
        (["the name of a patient"], False),
    ],
)
def test_a_trace_is_passed_on_as_it_came_and_logged_where_it_is_valid(
    watch: Watch, receiver: Receiver, values: list[str], known: bool
) -> None:
    fields = [f"traceparent: {value}" for value in values]
    with watch.gateway.connect() as client:
        assert client.ask(request("/orders/1", b"{}", *fields, "tracestate: a=b")).status == 200
    came = receiver.received[-1]
    assert (came.values("traceparent"), came.value("tracestate")) == (values, "a=b")
    line = watch.logged_one()
    assert line.get("trace_id") == (TRACE if known else None)
    assert known or values[0] not in json.dumps(line)


def test_curl_shows_nothing_odd(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = lambda exchange: exchange.answer(
        200, OK, "Server: warehouse", "ETag: x", "www-authenticate: a", "set-cookie: a", "X-a_b: c"
    )
    pki = gateway.pki
    common = ["-sv", "-o", "/dev/null", "--cacert", pki / "ca.pem"]
    common += ["--cert", pki / "client.pem", "--key", pki / "client.key"]
    first, second = gateway.url("/orders/1"), gateway.url("/search/1")
    command = ["curl", *common, "--json", "{}", first, "--next", *common, second]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    said = done.stderr
    assert said.count("< HTTP/1.1 200 OK") == 2
    names = [line[2:].partition(":")[0] for line in said.splitlines() if line.startswith("< ")]
    assert set(names) - {""} == {
        "HTTP/1.1 200 OK", "Content-Type", "Content-Length", "Server", "ETag", "WWW-Authenticate",
        "Set-Cookie", "X-A_B", "Via", "Transfer-Id", "Transfer-Receipt", "Transfer-Receipt-Key",
        "Link", "Date", "Data-Sensitivity",
    }  # fmt: skip
    assert names.count("Date") == names.count("Server") == 2
    assert "Re-using existing connection" in said or "Reusing existing" in said
    for odd in ("Excess", "closing connection", "Closing connection", "assume close", "HTTP 1.0",
                "error", "failed", "Illegal", "warning"):  # fmt: skip
        assert odd not in said, said
