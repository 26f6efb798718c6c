"""gzip and zstd content through the running proxy: masked, never forwarded unseen, receipted."""

import gzip
from pathlib import Path

import pytest
from backports import zstd

from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256
from tests.scenarios.receiver import Exchange, Receiver

MASKED = {
    "content": ["json", "ndjson"],
    "codings": ["gzip", "zstd"],
    "label": "internal",
    "mask": [{"path": "$.ssn", "action": "redact"}],
    "detect": [{"type": "credit_card", "action": "reject"}],
}
RECORD = b'{"n": 1, "ssn": "536-90-4399"}\n'
SEEN = b'{"n": 1, "ssn": "[REDACTED]"}\n'
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    coded = route("coded", request=MASKED, response=MASKED, limits={"hold": 4096, "ratio": 50})
    return start_gateway(with_routes(config, coded))


@pytest.mark.parametrize("size", [1, 5000])
def test_gzip_from_curl_reaches_the_upstream_masked_and_as_gzip(
    gateway: Gateway, receiver: Receiver, tmp_path: Path, size: int
) -> None:
    """Held whole, and streamed."""
    sent = tmp_path / "orders.gz"
    sent.write_bytes(gzip.compress(RECORD * size))
    coding = ("-H", "Content-Encoding: gzip", "-H", f"Content-Type: {NDJSON}")
    answer = gateway.curl("/coded/1", "--data-binary", f"@{sent}", *coding)
    came = receiver.received[-1]
    assert answer.status == 200
    assert gzip.decompress(came.body) == SEEN * size
    assert came.values("content-encoding") == ["gzip"]
    content = receipt_of(gateway, answer)["content"]
    assert (content["codings"], content["changed"]) == (["gzip"], True)
    assert content["masked"] == {"$.ssn": str(size)}
    assert content["delivered"]["sha256"] == sha256(came.body)
    assert "sha256" not in content["received"]


def test_a_coded_answer_is_masked_for_a_sender_that_accepts_the_coding(
    gateway: Gateway, receiver: Receiver
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer(200, zstd.compress(RECORD), "Content-Encoding: zstd", kind=NDJSON)

    receiver.behave = behave
    with gateway.connect() as client:
        accepts = "Accept-Encoding: br, zstd;q=0.5"
        answer = client.ask(request("/coded/1", None, accepts, method="GET"))
    assert receiver.received[-1].values("accept-encoding") == ["zstd;q=0.5"]
    assert (answer.status, answer.value("content-encoding")) == (200, "zstd")
    assert zstd.decompress(answer.body) == SEEN


def test_a_finding_in_the_second_member_refuses_all(watch: Watch) -> None:
    data = gzip.compress(RECORD) + gzip.compress(b'{"n": "4111111111111111"}\n')
    with watch.gateway.connect() as client:
        answer = client.ask(request("/coded/1", data, "Content-Encoding: gzip", kind=NDJSON))
    watch.refused(answer, "finding-rejected")


def test_a_bomb_is_refused_before_anything_is_forwarded(watch: Watch) -> None:
    bomb = gzip.compress(b" " * 2**24)
    with watch.gateway.connect() as client:
        answer = client.ask(request("/coded/1", bomb, "Content-Encoding: gzip", kind=NDJSON))
    watch.refused(answer, "content-too-large")


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate"])
def test_another_coding_is_refused(watch: Watch, coding: str) -> None:
    with watch.gateway.connect() as client:
        field = f"Content-Encoding: {coding}"
        answer = client.ask(request("/coded/1", gzip.compress(RECORD), field, kind=NDJSON))
    watch.refused(answer, "content-not-allowed")


def test_a_stream_that_is_cut_in_a_member_never_ends_cleanly_upstream(watch: Watch) -> None:
    data = zstd.compress(b"".join(b'{"n": "%064x"}\n' % (n * 7919**9) for n in range(20000)))
    with watch.gateway.connect() as client:
        client.send(begun("/coded/1", "Content-Encoding: zstd", kind=NDJSON))
        for start in range(0, len(data) - 9, 4096):
            client.send(chunk(data[start : min(start + 4096, len(data) - 9)]))
        client.send(b"0\r\n\r\n")
        assert client.answer().status == 422
    watch.cut_short("rejected", "unparseable")
