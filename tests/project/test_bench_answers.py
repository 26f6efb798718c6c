"""No bench takes a wrong answer for a right one."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loadtest.judge import Judge, link_in
from loadtest.work import Found, Work, digests, expecting, pieces, read_found, read_work
from proxy.cli.certs import make_folder
from proxy.receipt import dsse


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "pki"
    make_folder(folder)
    return folder


# --- what is sent, and what is taken for an answer -----------------------------------------------


def test_work_and_findings_travel_as_text() -> None:
    work = Work("pki", 1, "paced", "/plain/1", 2, rate=3.5)
    assert read_work(work.text()) == work
    found = Found(1.5, (0.25, 0.5), 0.75)
    assert read_found(found.text()) == found


def test_bulk_is_as_long_as_it_is_asked_to_be_and_its_digests_are_known() -> None:
    assert [sum(map(len, pieces(size))) for size in (0, 1, 300_000)] == [0, 1, 300_000]
    work = expecting(Work("pki", 1, "up", "/files/1", 300_000))
    assert (work.sha256, work.crc32) == digests(300_000)
    assert expecting(Work("pki", 1, "small", "/orders/1", 5)).sha256 == ""


SHA = "ab" * 32
SAID = b'{"octets": 7, "digest": "sha256:%b"}' % SHA.encode()
CREATED = b"HTTP/1.1 201 Created\r\n"


def envelope(pki: Path, digest: str, *, key: Ed25519PrivateKey | None = None) -> bytes:
    """A receipt as a header has it."""
    signer = key or load_pem_private_key((pki / "receipts.key").read_bytes(), None)
    assert isinstance(signer, Ed25519PrivateKey)
    payload = b'{"subject":[{"digest":{"sha256":"%b"}}]}' % digest.encode()
    signature = signer.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
    told = {
        "payloadType": dsse.PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    return base64.b64encode(json.dumps(told).encode())


def judge(pki: Path, receipts: str = "signed", sha256: str = "") -> Judge:
    return Judge(Work(str(pki), 1, "small", "/orders/1", 1, receipts, sha256=sha256))


def test_an_answer_counts_when_status_digest_and_receipt_are_right(pki: Path) -> None:
    right = CREATED + b"transfer-receipt: :%b:\r\n" % envelope(pki, SHA)
    judge(pki, sha256=SHA).require_answer(right, SAID)
    judge(pki, "none", SHA).require_answer(CREATED, SAID)


def test_every_wrong_answer_is_noticed(pki: Path) -> None:
    receipt = b"Transfer-Receipt: :%b:\r\n"
    for head, body in (
        (b"HTTP/1.1 503 Busy\r\n", SAID),
        (CREATED, b"{}"),
        (CREATED, SAID.replace(b"7", b"0")),
        (CREATED, SAID),  # no receipt
        (CREATED + receipt % envelope(pki, "cd" * 32), SAID),
    ):
        with pytest.raises(ValueError, match=r"answer|said|receipt"):
            judge(pki).require_answer(head, body)
    with pytest.raises(ValueError, match="other octets"):
        judge(pki, sha256="cd" * 32).require_answer(CREATED, SAID)
    forged = envelope(pki, SHA, key=Ed25519PrivateKey.generate())
    with pytest.raises(InvalidSignature):
        judge(pki).require_answer(CREATED + receipt % forged, SAID)


def test_a_link_leads_to_a_receipt() -> None:
    head = b'HTTP/1.1 200 OK\r\nLink: </.well-known/x/7>; rel="receipt"\r\n'
    assert link_in(head) == b"/.well-known/x/7"
    assert link_in(b"HTTP/1.1 200 OK\r\n") is None
