"""What a receipt must say before `lockgate send` believes it, and where it looks for one."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.cli import main
from proxy.cli.send_exchange import Answer, Came
from proxy.cli.send_keep import Keeping
from proxy.cli.send_place import Payload, parse_url
from proxy.cli.send_plan import plan
from proxy.client.evidence import Evidence as Kept
from proxy.client.evidence import Sent, link, receipts, require_evidence
from proxy.edge.binding import bind
from proxy.edge.inbound import Inbound
from proxy.edge.listener import Listener, Serve
from proxy.edge.stream import Stream
from proxy.errors import EvidenceError
from proxy.model import Content, Digest, Framing, Peer, Report
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.receipt import dsse
from proxy.receipt.statement import PREDICATE_TYPE, STATEMENT_TYPE
from proxy.settings.schema import ListenerLimits
from proxy.tls.keys import public_pem
from proxy.wire.events import Data
from proxy.wire.evidence import Evidence, evidence_fields, key_field, receipt_field
from tests.patience import PATIENCE
from tests.receipt.honest import of, whole
from tests.receipt.outcomes import outcome
from tests.receipt.test_chain import passed, subject, torn

ID = "0b5e1f0c-5f0e-4a55-9d8c-5d2f6a3c1e77"
KEY = bytes(range(32))
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OURS = "ab" * 32
"""Of our certificate's key."""
CONTENT = b'{"n": 1.10}\n'
BY_ID = f'</.well-known/lockgate/receipts/{ID}>; rel="receipt"'.encode()
LINK = b'</.well-known/lockgate/receipts/7>; rel="receipt"'


def keyed(data: bytes) -> str:
    return hmac.digest(KEY, data, "sha256").hex()


def predicate(transfer_id: str = ID, content: bytes = CONTENT) -> dict[str, Any]:
    """A receipt that is true."""
    request = Content(
        Digest(len(content), hmac_sha256=hmac.digest(KEY, content, "sha256")),
        Digest(9, sha256=bytes(32)),
        Report("json", 1, {"$.n": 1}, changed=True),
        "internal",
    )
    target = hmac.digest(KEY, b"/orders/1", "sha256")
    found = outcome(transfer_id=transfer_id, request=request, target_hmac=target, answer=whole(b""))
    says: dict[str, Any] = of(found)["predicate"]
    says["sender"]["spkiSha256"] = OURS
    return says


def envelope(says: dict[str, Any], signer: Ed25519PrivateKey = SIGNER) -> bytes:
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": subject(says) if "kind" in says else [],
        "predicateType": PREDICATE_TYPE,
        "predicate": says,
    }
    return dsse.sign(orjson.dumps(statement), signer)


def answer(*envelopes: bytes, status: int = 201, key: bytes | None = KEY) -> Answer:
    keyed = () if key is None else (key_field((key,)),)
    return Answer(status, (*map(receipt_field, envelopes), *keyed), b"")


def file_of(sent: Sent) -> Path:
    assert isinstance(sent.content, Payload)
    return sent.content.path


@pytest.fixture
def sent(tmp_path: Path) -> Sent:
    file = tmp_path / "file.json"
    file.write_bytes(CONTENT)
    payload = Payload(file, len(CONTENT), hashlib.sha256(CONTENT).digest())
    return Sent(ID, "POST", "/orders/1", payload, OURS)


def test_a_receipt_that_is_true_is_believed(sent: Sent) -> None:
    evidence = require_evidence(envelope(predicate()), answer(), sent, SIGNER.public_key())
    assert (evidence.verdict, evidence.proven) == ("delivered", True)
    assert evidence.signer == dsse.key_id(SIGNER.public_key())


def test_content_that_did_not_change_is_known_by_its_plain_digest(sent: Sent) -> None:
    says = predicate()
    passed("content", CONTENT)(says)
    assert require_evidence(envelope(says), answer(), sent, None).proven
    with pytest.raises(EvidenceError, match="request cannot be compared"):
        require_evidence(envelope(says), answer(key=None), sent, None)


def test_a_receipt_is_about_the_content_of_the_answer(sent: Sent) -> None:
    says = predicate()
    passed("answer", b"stored")(says)
    stored = Came(6, hashlib.sha256(b"stored").digest())
    require_evidence(envelope(says), replace(answer(), content=stored), sent, None)
    for other in (Came(), Came(6, hashlib.sha256(b"forged").digest())):
        with pytest.raises(EvidenceError, match="content of this answer"):
            require_evidence(envelope(says), replace(answer(), content=other), sent, None)
    with pytest.raises(EvidenceError, match="no receipt names"):
        require_evidence(envelope(says), replace(again(), content=stored), sent, None)


LIES: list[Callable[[dict[str, Any]], object]] = [
    lambda says: says.update(transferId=ID.replace("0", "1")),
    lambda says: says.update(kind="failed"),
    lambda says: says.update(kind="rejected"),
    lambda says: says["disposition"].update(status=200),
    lambda says: says["request"].update(method="PUT"),
    lambda says: says["request"]["target"].update(hmacSha256=keyed(b"/orders/2")),
    lambda says: says["content"]["received"].update(bytes="13"),
    lambda says: says["content"]["received"].update(hmacSha256=keyed(b"other")),
    lambda says: says["content"]["received"].update(sha256="00" * 32),
    lambda says: says["content"]["received"].pop("hmacSha256"),
    lambda says: says["content"]["received"].update(hmacSha256=7),
    lambda says: says.update(content=None),
    lambda says: says.update(disposition=None),
    lambda says: says["sender"].update(spkiSha256="cd" * 32),
    lambda says: says.pop("kind"),
    lambda says: says["content"].update(changed=False),
    lambda says: says["answer"].update(status=500),
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_a_receipt_that_says_anything_else_is_not(
    sent: Sent, lie: Callable[[dict[str, Any]], object]
) -> None:
    says = predicate()
    lie(says)
    with pytest.raises(EvidenceError):
        require_evidence(envelope(says), answer(), sent, SIGNER.public_key())


def again(*envelopes: bytes, status: int = 201, key: bytes | None = None) -> Answer:
    """An answer to what has been delivered before."""
    first = answer(*envelopes, status=status, key=key)
    return Answer(status, (*first.headers, (b"transfer-duplicate", b"?1")), b"")


def test_the_receipt_of_an_earlier_delivery_is_believed_without_its_key(sent: Sent) -> None:
    says = predicate()
    evidence = require_evidence(envelope(says), again(), sent, SIGNER.public_key())
    assert (evidence.duplicate, evidence.proven, evidence.key) == (True, False, None)
    says["disposition"]["status"] = None
    assert require_evidence(envelope(says), again(), sent, None).duplicate
    with pytest.raises(EvidenceError):
        require_evidence(envelope(says), answer(key=None), sent, None)
    passed("content", CONTENT)(says)
    assert require_evidence(envelope(says), again(), sent, None).proven


@pytest.mark.parametrize("lie", [*LIES[:5], LIES[6], LIES[8], *LIES[11:]])
def test_the_receipt_of_an_earlier_delivery_says_nothing_else_either(
    sent: Sent, lie: Callable[[dict[str, Any]], object]
) -> None:
    says = predicate()
    lie(says)
    with pytest.raises(EvidenceError):
        require_evidence(envelope(says), again(), sent, SIGNER.public_key())


def test_a_duplicate_with_a_status_of_refusal_needs_a_receipt_of_delivery(sent: Sent) -> None:
    says = predicate()
    says["disposition"] |= {"status": 502, "problem": "answer-refused"}
    assert require_evidence(envelope(says), again(status=502), sent, None).duplicate
    says["kind"] = "failed"
    with pytest.raises(EvidenceError):
        require_evidence(envelope(says), again(status=502), sent, None)


def test_a_key_of_this_attempt_makes_it_like_any_other(sent: Sent) -> None:
    found = require_evidence(envelope(predicate()), again(key=KEY), sent, None)
    assert (found.duplicate, found.proven) == (False, True)


def test_a_receipt_that_another_key_signed_is_not(sent: Sent) -> None:
    forged = envelope(predicate(), Ed25519PrivateKey.generate())
    with pytest.raises(EvidenceError):
        require_evidence(forged, answer(), sent, SIGNER.public_key())


def test_without_its_key_a_keyed_receipt_proves_nothing(sent: Sent) -> None:
    with pytest.raises(EvidenceError):
        require_evidence(envelope(predicate()), answer(key=None), sent, None)


def test_a_file_that_changed_since_is_noticed(sent: Sent) -> None:
    file_of(sent).write_bytes(CONTENT.replace(b"1", b"2"))
    with pytest.raises(EvidenceError):
        require_evidence(envelope(predicate()), answer(), sent, None)


def test_a_refusal_in_the_middle_is_believed_but_proves_no_content(sent: Sent) -> None:
    says = predicate()
    refused = {"status": 413, "problem": "content-too-large", "duplicateOf": None}
    says.update(kind="rejected", disposition=refused, answer=None)
    torn("content", 0)(says)
    evidence = require_evidence(envelope(says), answer(status=413), sent, None)
    assert (evidence.verdict, evidence.proven) == ("rejected", False)


def test_receipts_are_found_in_the_head_and_in_the_trailers_ours_last() -> None:
    whole = Answer(200, (receipt_field(b"a"),), b"", (receipt_field(b"b"), receipt_field(b"c")))
    assert receipts(whole) == (b"a", b"b", b"c")
    with pytest.raises(EvidenceError):
        receipts(Answer(200, ((b"transfer-receipt", b"no list"),), b""))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (LINK, "/.well-known/lockgate/receipts/7"),
        (BY_ID, f"/.well-known/lockgate/receipts/{ID}"),
        (b'</a>; rel="next", ' + LINK, "/.well-known/lockgate/receipts/7"),
        (b'<https://evil.example/.well-known/lockgate/receipts/7>; rel="receipt"', None),
        (b'</.well-known/lockgate/receipts/../../x>; rel="receipt"', None),
        (b'</.well-known/lockgate/receipts/7>; rel="next"', None),
        (b"", None),
    ],
)
def test_only_a_link_to_a_receipt_of_this_very_server_is_followed(
    value: bytes, expected: str | None
) -> None:
    assert link(Answer(200, ((b"link", value),), b"")) == expected


# --- a server that says what it is told to -------------------------------------------------------


class Server:
    """Answers every upload with what `fields` makes of its id, and hands out one receipt."""

    def __init__(self, further: bytes | None = None) -> None:
        self.further = further
        """A receipt that stands before ours; None: our own is only linked."""

    async def serve(self, stream: Stream, peer: Peer) -> None:
        client = Inbound(stream, ListenerLimits())
        while await client.wait():
            head = await client.head()
            while isinstance(await client.body(PATIENCE), Data):
                pass
            if head.method == "POST":
                self.transfer_id = head.values(b"transfer-id")[0].decode()
                await client.send_whole(201, self.fields(), b"")
            else:
                await client.send_whole(200, [], self.receipt())
            client.next_cycle()

    def receipt(self) -> bytes:
        says = predicate(self.transfer_id)
        says["sender"] = {"name": "uid:0"}
        return envelope(says)

    def fields(self) -> list[tuple[bytes, bytes]]:
        if self.further is None:
            return [(b"link", LINK), key_field((KEY,))]
        return evidence_fields(Evidence((self.further,), (bytes(32),)), self.receipt(), KEY, 16384)


async def send(serve: Serve, folder: Path, *words: str | Path) -> int:
    """The exit code of `lockgate send` to somebody who answers by `serve`."""
    listener = Listener(
        "test",
        bind("127.0.0.1:0", folder),
        ListenerLimits(),
        lambda: None,
        metrics=Metrics(),
        log=Log(),
    )
    line = ["send", f"http://{listener.address}/orders/1", *map(str, words)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, serve)
        code = await trio.to_thread.run_sync(main, line)
        nursery.cancel_scope.cancel()
    return code


@pytest.mark.parametrize("server", [Server(), Server(b"{}")], ids=["linked", "second of two"])
async def test_our_receipt_is_fetched_where_only_its_link_came_and_is_the_last_of_a_list(
    sent: Sent, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "receipts.pub").write_bytes(public_pem(SIGNER))
    words = (file_of(sent), "--receipts-key", tmp_path / "receipts.pub")
    code = await send(server.serve, tmp_path, *words)
    assert code == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    assert "verified, signed by" in out
    assert ("1 more by gateways further on" in out) == (server.further is not None)
    headers = file_of(sent).with_name("file.json.receipt.headers")
    assert headers.exists() == (server.further is not None)


def test_a_receipt_that_makes_room_takes_its_key_and_those_of_others_along(tmp_path: Path) -> None:
    failed = predicate() | {"kind": "failed", "disposition": {"status": 502}}
    file = tmp_path / "file"
    names = [Path(f"{file}.receipt.{end}") for end in ("json", "key", "headers")]
    before = Kept(envelope(failed), KEY, {}, None, proven=True, headers=b"of all\n")
    assert Keeping(file, None, ID).save(before) == names[0]
    assert [path.exists() for path in names] == [True, True, True]
    after = Kept(envelope(predicate()), None, {}, None, proven=True)
    assert Keeping(file, None, ID).save(after) == names[0]
    assert names[0].read_bytes() == after.envelope
    assert [path.exists() for path in names] == [True, False, False]


def test_a_name_whose_headers_are_there_is_taken(tmp_path: Path) -> None:
    file, headers = tmp_path / "file", tmp_path / "file.receipt.headers"
    headers.write_bytes(b"somebody's")
    kept = Kept(envelope(predicate()), KEY, {}, None, proven=True, headers=b"of all\n")
    assert Keeping(file, None, ID).save(kept) == tmp_path / f"file.{ID}.receipt.json"
    assert headers.read_bytes() == b"somebody's"
    assert (tmp_path / f"file.{ID}.receipt.headers").read_bytes() == b"of all\n"


class Removing(Server):
    """Takes the folder away in which the receipt was to be kept, before it answers."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def receipt(self) -> bytes:
        self.folder.rmdir()
        return super().receipt()


async def test_a_receipt_that_was_not_saved_is_told_and_exits_1(
    sent: Sent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    words = (file_of(sent), "--receipt-out", tmp_path / "folder" / "receipt.json")
    code = await send(Removing(tmp_path / "folder").serve, tmp_path, *words)
    out = capsys.readouterr().out
    assert code == 1
    assert out.startswith("delivered, but the receipt could not be saved: 201")
    assert "cannot be written: No such file or directory" in out


async def test_an_early_answer_ends_the_sending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(32 * 2**20))

    async def serve(stream: Stream, peer: Peer) -> None:
        client = Inbound(stream, ListenerLimits())
        await client.wait()
        await client.head()
        await client.send_head(413, [], Framing(length=0))
        await client.send_end(b"", ())
        await stream.linger(5)

    code = await send(serve, tmp_path, large, "--json", "--no-receipt")
    told = orjson.loads(capsys.readouterr().out)
    assert (code, told["status"], told["early"], told["delivered"]) == (1, 413, True, False)


def test_what_is_kept_of_an_earlier_call_is_no_file_of_a_folder(tmp_path: Path) -> None:
    for name in ("a", "a.receipt.json", "a.receipt.key", f"a.{ID}.receipt.headers"):
        (tmp_path / name).touch()
    found = plan(parse_url("http://localhost/orders"), [str(tmp_path)], None)
    assert [item.path.name for item in found.items] == ["a"]
    assert found.left_out == ["receipts and keys of earlier calls: 3"]
