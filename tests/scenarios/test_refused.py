"""What a stop refuses: told with a code, receipted, logged, counted, and never at the upstream."""

import uuid
from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import STRANGER, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import OK, Receiver

FLAG = [{"type": "us_ssn", "action": "flag", "raises": "restricted"}]


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    """The usual policy, and a route for each stop."""
    small = {"body": 4096, "document": 1024, "record": 512, "hold": 2048}
    labels = {"content": ["json"], "label_from": "X-Label"}
    config = with_routes(
        policy(parties, shared_receiver.endpoint),
        route("strangers", allow=[STRANGER]),
        route("nobody", allow=[]),
        route("denied", deny=[{"spiffe": "spiffe://lockgate.example/*"}]),
        route("small", limits=small),
        route("secret", request={"content": ["json"], "label": "restricted"}),
        route("unlabelled", request={"content": ["json"]}),
        route("labelled", request=labels),
        route("digested", integrity={"require": "content-digest"}),
        route("once", replay={"require": "transfer-id", "window": "5m"}),
        route("empty", request={"label": "internal"}),
    )  # fmt: skip
    config["listeners"]["ingest"]["limits"] = {"head": 8192}
    return start_gateway(config)


# --- by the head ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sent"),
    {
        "not granted": ("not-allowed", request("/strangers/1")),
        "nobody is granted": ("not-allowed", request("/nobody/1")),
        "denied though allowed": ("not-allowed", request("/denied/1")),
        "no such path": ("no-route", request("/nowhere")),
        "no such method": ("no-route", request("/orders/1", method="PATCH")),
        "two slashes": ("path-not-normal", request("/orders//1")),
        "a dot segment": ("path-not-normal", request("/orders/../files/1")),
        "an encoded dot segment": ("path-not-normal", request("/orders/%2e%2e/files/1")),
        "an encoded slash": ("path-not-normal", request("/orders/a%2fb")),
        "an encoded letter": ("path-not-normal", request("/orders/%41")),
        "a large head": ("head-too-large", request("/orders/1", b"{}", "A: " + "a" * 9000)),
        "too many fields": ("head-too-large", request("/orders/1", b"{}", *["A: b"] * 101)),
        "announced too large": ("content-too-large", request("/small/1", b" " * 4097)),
        "no content type": ("content-not-allowed", request(kind="")),
        "an unknown type": ("content-not-allowed", request(kind="text/plain")),
        "a type of another route": ("content-not-allowed", request(kind="text/csv")),
        "compressed": ("content-not-allowed", request("/orders/1", b"x", "Content-Encoding: gzip")),
        "a part of a document": (
            "content-not-allowed", request("/orders/1", b"{}", "Content-Range: bytes 0-1/9")),
        "content where none may cross": ("content-not-allowed", request("/empty/1")),
        "a label above": ("above-clearance", request("/secret/1")),
        "no label": ("above-clearance", request("/unlabelled/1")),
        "no label in the head": ("above-clearance", request("/labelled/1")),
        "a label above in the head": (
            "above-clearance", request("/labelled/1", b"{}", "X-Label: restricted")),
        "an unknown label": ("above-clearance", request("/labelled/1", b"{}", "X-Label: low")),
        "two labels": (
            "above-clearance", request("/labelled/1", b"{}", "X-Label: public", "X-Label: public")),
        "no digest": ("digest-required", request("/digested/1")),
        "a digest of another kind": (
            "digest-required", request("/digested/1", b"{}", "Content-Digest: md5=:AAAA:")),
        "a malformed digest": (
            "digest-malformed", request("/digested/1", b"{}", "Content-Digest: sha-256")),
        "no Transfer-Id": ("transfer-id-required", request("/once/1")),
        "a malformed Transfer-Id": (
            "transfer-id-malformed", request("/orders/1", b"{}", "Transfer-Id: 1")),
        "two Transfer-Ids": (
            "transfer-id-malformed",
            request("/orders/1", b"{}", *[f"Transfer-Id: {uuid.UUID(int=1)}"] * 2)),
        "a loop": ("loop", request("/orders/1", b"{}", "Via: 1.1 x, 1.1 Gateway-A (me)")),
    }.values(),
)  # fmt: skip
def test_a_head_that_no_stop_admits(watch: Watch, code: str, sent: bytes) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(sent), code)


def test_a_refused_transfer_leaves_the_connection_for_the_next(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(request("/nowhere")), "no-route")
        answer = client.ask(request())
    assert (answer.status, answer.body) == (200, OK)
    assert receipt_of(watch.gateway, answer)["kind"] == "delivered"
