"""`SigningAuth` and `verify_receipt` with httpx, against a gateway and a receiver as processes."""

import ssl
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.cli.demo.site import Site
from proxy.client import Evidence, SigningAuth, receipt_link, verify_receipt
from proxy.client.auth import digest_headers
from proxy.errors import CredentialError, EvidenceError
from proxy.tls.keys import make_key, private_pem
from proxy.wire.signature import Demands, Message, verify
from tests.cli.gateway import ONCE, gateway

ORDER = b'{"customer": {"ssn": "x", "email": "a@b.example"}, "n": 1.10}'
BACK = """
  - name: back
    listener: ingest
    match: {path: /back/**}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request: {content: [opaque], label: internal}
    response: {content: [opaque], label: internal}
"""
LONG = b"0123456789abcdef" * 16384


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with gateway(tmp_path_factory.mktemp("site"), ONCE + BACK) as running:
        yield running


@pytest.fixture(scope="module")
def auth(site: Site) -> SigningAuth:
    return SigningAuth(site.folder / "certs" / "client.key")


@pytest.fixture(scope="module")
def client(site: Site, auth: SigningAuth) -> Iterator[httpx.Client]:
    with httpx.Client(verify=tls(site), auth=auth, base_url=f"https://{site.gateway}") as running:
        yield running


def tls(site: Site) -> ssl.SSLContext:
    certs = site.folder / "certs"
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(certs / "client.pem", certs / "client.key")
    return context


def key(site: Site) -> Path:
    return site.folder / "certs" / "receipts.pub"


def judged(site: Site, answer: httpx.Response) -> Evidence:
    assert answer.is_success, answer.text
    return verify_receipt(answer, key(site))


def as_received(request: httpx.Request) -> Message:
    """The request as a gateway reads it."""
    fields = tuple((name.lower(), value) for name, value in request.headers.raw)
    target, host = request.url.raw_path.decode(), request.headers["host"]
    return Message(fields, request.method, target, request.url.scheme, host)


def test_a_signed_request_is_delivered_and_its_receipt_is_about_it(
    site: Site, client: httpx.Client
) -> None:
    answer = client.post("/orders/1", content=ORDER, headers={"Content-Type": "application/json"})
    receipt = judged(site, answer)
    assert receipt.verdict == "delivered"
    assert receipt.proven
    assert receipt.statement["predicate"]["transferId"] == answer.request.headers["transfer-id"]


def test_what_is_sent_is_signed_by_the_key_of_the_client(
    client: httpx.Client, auth: SigningAuth
) -> None:
    request = client.post("/files/a b?x=1&y=%20", content=ORDER).request
    names = ("@method", "@target-uri", "content-digest", "transfer-id")
    held = verify(
        as_received(request), [auth.signer.key.verifying], Demands(names), datetime.now(UTC)
    )
    assert held.tag == "lockgate"


def test_a_request_that_is_sent_again_is_signed_again_under_the_same_id(
    site: Site, client: httpx.Client
) -> None:
    request = client.build_request("PUT", "/once/1", content=ORDER)
    first, again = client.send(request), client.send(request)
    assert judged(site, first).verdict == "delivered"
    assert judged(site, again).duplicate
    assert request.headers.get_list("signature-input") == [request.headers["signature-input"]]


def test_a_task_that_runs_again_delivers_once_by_the_id_of_its_parts(
    site: Site, auth: SigningAuth, client: httpx.Client
) -> None:
    headers = {"Transfer-Id": auth.transfer_id("orders", "2026-11-23")}
    answers = [client.put("/once/2", content=ORDER, headers=headers) for _ in range(2)]
    assert [judged(site, each).duplicate for each in answers] == [False, True]


def test_an_answer_is_asked_for_as_the_receipt_is_about_it_unless_a_coding_is_named(
    client: httpx.Client,
) -> None:
    assert client.get("/files/1").request.headers["accept-encoding"] == "identity"
    named = client.get("/files/1", headers={"Accept-Encoding": "gzip"})
    assert named.request.headers["accept-encoding"] == "gzip"


async def test_the_same_without_waiting(site: Site) -> None:
    auth = SigningAuth(site.folder / "certs" / "client.key")
    async with httpx.AsyncClient(
        verify=tls(site), auth=auth, base_url=f"https://{site.gateway}"
    ) as client:
        answer = await client.post("/files/1", content=ORDER)
    assert judged(site, answer).proven


def test_a_file_is_streamed_when_its_digest_goes_along(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "long"
    path.write_bytes(LONG)
    with path.open("rb") as file:
        answer = client.put("/files/long", content=file, headers=digest_headers(path))
    assert answer.is_success, answer.text
    assert verify_receipt(answer, key(site), content=path).proven
    with pytest.raises(EvidenceError, match="streamed"):
        verify_receipt(answer, key(site))
    path.write_bytes(LONG[::-1])
    with pytest.raises(EvidenceError, match="content"):
        verify_receipt(answer, key(site), content=path)


def test_of_several_receipts_it_is_the_gateways_own_and_an_id_may_be_in_capitals(
    site: Site, client: httpx.Client
) -> None:
    headers = {"Transfer-Id": str(uuid.uuid4()).upper()}
    answer = client.post("/files/6", content=ORDER, headers=headers)
    further = ("transfer-receipt", ":e30=:")
    answer.headers = httpx.Headers([further, *answer.headers.multi_items()])
    assert judged(site, answer).proven


def test_a_refusal_has_a_receipt_too(site: Site, client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/orders/2", content=b"no order", headers=headers)
    assert answer.status_code == 422
    assert verify_receipt(answer, key(site)).verdict == "rejected"


def test_the_receipt_of_another_gateway_or_request_does_not_hold(
    site: Site, client: httpx.Client
) -> None:
    answer = client.post("/files/2", content=ORDER)
    with pytest.raises(EvidenceError):
        verify_receipt(answer, site.folder / "certs" / "other.pub")
    with pytest.raises(EvidenceError, match="content"):
        verify_receipt(answer, key(site), content=ORDER[::-1])
    for changed in ({"transfer-id": "x"}, {}):
        answer.request.headers["transfer-id"] = changed.get("transfer-id", "")
        with pytest.raises(EvidenceError, match="another transfer"):
            verify_receipt(answer, key(site))


def test_a_receipt_does_not_hold_with_another_answer_or_request(
    site: Site, client: httpx.Client
) -> None:
    answer = client.post("/files/7", content=ORDER)

    given = {name: getattr(answer, name) for name in ("headers", "content", "request")}

    def told(**changes: Any) -> httpx.Response:
        return httpx.Response(answer.status_code, **given | changes)

    assert judged(site, told()).proven
    forged = told(content=b'{"stored":"forged"}')
    with pytest.raises(EvidenceError, match="answer"):
        verify_receipt(forged, key(site))
    with pytest.raises(EvidenceError, match="answer"):
        verify_receipt(answer, key(site), answered=forged.content)
    assert verify_receipt(forged, key(site), answered=answer.content).proven
    headers = [pair for pair in answer.headers.raw if pair[0].lower() != b"transfer-receipt-key"]
    moved = httpx.Request("PUT", answer.request.url, headers=answer.request.headers, content=ORDER)
    with pytest.raises(EvidenceError, match="another request"):
        verify_receipt(told(headers=headers, request=moved), key(site))
    with pytest.raises(EvidenceError, match="no key"):
        verify_receipt(told(headers=headers), key(site))


def test_what_httpx_has_changed_or_not_read_of_an_answer_has_to_be_said(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    answer = client.post("/files/8", content=ORDER)
    path = tmp_path / "answer"
    path.write_bytes(answer.content)
    coded = httpx.Headers([("content-encoding", "br-x"), *answer.headers.multi_items()])
    packed = httpx.Response(
        answer.status_code, headers=coded, content=answer.content, request=answer.request
    )
    with pytest.raises(EvidenceError, match="Content-Encoding"):
        verify_receipt(packed, key(site))
    assert verify_receipt(packed, key(site), answered=path).proven
    with client.stream("POST", "/files/9", content=ORDER) as streamed:
        with pytest.raises(EvidenceError, match="streamed"):
            verify_receipt(streamed, key(site))
        octets = b"".join(streamed.iter_raw())
        assert verify_receipt(streamed, key(site), answered=octets).proven


def test_an_answer_without_a_receipt_says_where_it_is_if_it_says_so(
    site: Site, client: httpx.Client
) -> None:
    answer = client.post("/files/3", content=ORDER)
    envelope = client.get(receipt_link(answer) or "").content
    del answer.headers["transfer-receipt"]
    with pytest.raises(EvidenceError, match="behind"):
        verify_receipt(answer, key(site))
    assert verify_receipt(answer, key(site), envelope=envelope).proven
    del answer.headers["link"]
    assert receipt_link(answer) is None
    with pytest.raises(EvidenceError, match=r"answer$"):
        verify_receipt(answer, key(site))


def test_a_key_that_signs_no_receipts_is_refused(site: Site, client: httpx.Client) -> None:
    answer = client.post("/files/4", content=ORDER)
    for pem in (b"", private_pem(make_key("p256")), (site.folder / "certs/ca.pem").read_bytes()):
        with pytest.raises(CredentialError):
            verify_receipt(answer, pem)


def test_a_request_without_content_is_signed_without_a_digest(
    site: Site, client: httpx.Client, auth: SigningAuth
) -> None:
    stored = client.post("/once/5", content=ORDER).json()["stored"]
    answer = client.get(f"/back/{stored}")
    assert answer.content == ORDER
    assert "content-digest" not in answer.request.headers
    demands = Demands(("@method", "@target-uri", "transfer-id"))
    said = as_received(answer.request)
    verify(said, [auth.signer.key.verifying], demands, datetime.now(UTC))
    assert judged(site, answer).verdict == "delivered"
    assert judged(site, client.head(f"/back/{stored}")).verdict == "delivered"
