"""A chain of receipts holds, or says which hop does not: hops that lie, however well they sign."""

import copy
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.errors import EvidenceError
from proxy.model import Content, Digest, Outcome, Report
from proxy.receipt import dsse, reading, statement
from proxy.receipt.chain import Hop, Link, require_chain
from tests.receipt.outcomes import ORIGIN, START, outcome

SENT, MASKED, ANSWER = b'{"ssn":"536"}', b'{"ssn":"*"}', b'{"ok":true}'
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
TRANSFER_KEYS = [bytes([16 * number]) * 32 for number in range(1, 5)]
SPKIS = [f"{number:02x}" * 32 for number in range(1, 6)]
PLACE = statement.Place(1, "sender/orders", 1, None)
Said = dict[str, Any]
Change = Callable[[Said], object]


def plain(data: bytes) -> Content:
    digest = Digest(len(data), sha256=hashlib.sha256(data).digest())
    return Content(digest, digest, Report("json", 1), "internal")


def masked(key: bytes) -> Content:
    keyed = Digest(len(SENT), hmac_sha256=hmac.digest(key, SENT, "sha256"))
    delivered = Digest(len(MASKED), sha256=hashlib.sha256(MASKED).digest())
    return Content(keyed, delivered, Report("json", 1, {"$.ssn": 1}, changed=True), "internal")


def outcomes() -> list[Outcome]:
    """A sidecar, a gateway that masks, a sidecar and one more, as they would freeze it."""
    contents = [plain(SENT), masked(TRANSFER_KEYS[1]), plain(MASKED), plain(MASKED)]
    return [
        outcome(transfer_id="one", request=content, answer=plain(ANSWER), status=201)
        for content in contents
    ]


def chain(changes: dict[int, Change] | None = None, hops: int = 3) -> list[Hop]:
    """Each names those behind it, whatever `changes` make of what it says beside that."""
    made: list[Hop] = []
    named: tuple[bytes, ...] = ()
    for number in reversed(range(hops)):
        found = outcomes()[number]
        said = orjson.loads(
            statement.build(statement.submission(found), PLACE, origin=ORIGIN, completed=START)
        )
        predicate = said["predicate"]
        predicate["answer"]["receipts"] = [each.hex() for each in named] or None
        predicate["sender"] = {"name": "x", "spkiSha256": SPKIS[number - 1] if number else "00"}
        predicate["receiver"] = {"spkiSha256": SPKIS[number + 1]}
        if changes and number + 1 in changes:
            changes[number + 1](predicate)
        envelope = dsse.sign(orjson.dumps(said), KEYS[number])
        named = (*named, hashlib.sha256(envelope).digest())
        made.insert(
            0, Hop(envelope, KEYS[number].public_key(), SPKIS[number], TRANSFER_KEYS[number])
        )
    return made


def put(path: str, value: object) -> Change:
    def change(said: Said) -> None:
        *way, last = path.split(".")
        for step in way:
            said = said[step]
        said[last] = copy.deepcopy(value)

    return change


def fault(hops: list[Hop], content: bytes | None = None) -> str:
    with pytest.raises(EvidenceError) as caught:
        require_chain(hops, content)
    return str(caught.value)


def agreed(links: tuple[Link, ...]) -> list[str]:
    return [line for link in links for line in link.agreed]


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_a_chain_of_any_length_holds(hops: int) -> None:
    links = require_chain(chain(hops=hops), SENT)
    assert [link.number for link in links] == list(range(1, hops + 1))
    assert links[-1].agreed == ()
    assert all("by the keys of their certificates" in link.agreed[0] for link in links[:-1])


def test_what_is_keyed_is_compared_by_content_and_key_and_else_by_size_which_it_says() -> None:
    hops = chain()
    assert agreed(require_chain(hops, SENT))[1].endswith(
        f"HMAC-SHA256 {hmac.digest(TRANSFER_KEYS[1], SENT, 'sha256').hex()}"
    )
    assert "takes the content to compare" in agreed(require_chain(hops))[1]
    hops[1] = Hop(hops[1].envelope, hops[1].key)
    assert "the key is not here" in agreed(require_chain(hops, SENT))[0]


def test_less_than_two_are_no_chain() -> None:
    assert "two receipts at least" in fault(chain()[:1])
    assert "two receipts at least" in fault([])


NOTHING = {"received": {"bytes": "3"}, "delivered": None}
LIES: dict[str, tuple[int, Change, str]] = {
    "another-transfer": (2, put("transferId", "two"), "hop 1 and hop 2 are about two transfers"),
    "delivered-other": (
        2, put("content.delivered", {"sha256": "00" * 32, "bytes": str(len(MASKED))}),
        "what hop 2 delivered is not what hop 3 received",
    ),
    "received-other": (
        3, put("content.received", {"sha256": "00" * 32, "bytes": str(len(MASKED))}),
        "what hop 2 delivered is not what hop 3 received",
    ),
    "received-other-under-the-key": (
        2, put("content.received", {"hmacSha256": "00" * 32, "bytes": str(len(SENT))}),
        "what hop 1 delivered is not what hop 2 received",
    ),
    "received-more": (
        2, put("content.received.bytes", "999"), "what hop 1 delivered is not what hop 2 received"
    ),
    "received-less": (
        2, put("content.received.bytes", "1"), "what hop 1 delivered is not what hop 2 received"
    ),
    "delivered-nothing": (
        1, put("content.delivered", None), "what hop 1 delivered is not what hop 2 received"
    ),
    "answered-other": (
        3, put("answer.delivered", {"sha256": "00" * 32, "bytes": str(len(ANSWER))}),
        "what hop 3 answered is not what hop 2 received",
    ),
    "answered-longer": (
        3, put("answer.delivered.bytes", "99"), "what hop 3 answered is not what hop 2 received"
    ),
    "another-status": (
        2, put("disposition.status", 200), "hop 2 answered 200, and hop 1 was told 201"
    ),
    "another-receiver": (
        1, put("receiver.spkiSha256", "00"), "hop 1 forwarded to another than hop 2"
    ),
    "no-receiver": (2, put("receiver", None), "hop 2 forwarded to another than hop 3"),
    "another-sender": (
        3, put("sender.spkiSha256", "00"), "hop 3 received it from another than hop 2"
    ),
    "named-more-than-the-next": (
        1, lambda said: said["answer"]["receipts"].insert(0, "00" * 32),
        "hop 1 names others behind hop 2 than that does",
    ),
    "named-another": (
        2, put("answer.receipts", ["00" * 32]), "hop 2 names another receipt than that of hop 3"
    ),
    "named-none": (2, put("answer.receipts", None), "hop 2 names no receipt, but hop 3 follows"),
    "named-one-more": (
        3, put("answer.receipts", ["00" * 32]),
        f"hop 3 names a receipt further on that is not here: {'00' * 32}",
    ),
    "named-no-digest": (
        2, put("answer.receipts", ["x"]), "hop 2: the receipts that it names are no digests"
    ),
    "without-content": (3, put("content", None), "a receipt lacks what every transfer receipt has"),
    "without-size": (
        2, put("content.received.bytes", "many"), "a receipt lacks what every transfer receipt has"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("hop", "change", "why"), LIES.values(), ids=LIES)
def test_a_hop_that_does_not_fit_is_named(hop: int, change: Change, why: str) -> None:
    assert why in fault(chain({hop: change}), SENT)


@pytest.mark.parametrize("hop", [1, 2, 3])
def test_a_receipt_that_was_altered_is_named(hop: int) -> None:
    hops = chain()
    found = dsse.parse(hops[hop - 1].envelope)
    altered = found.payload.replace(b"confidential", b"public").replace(b"internal", b"public")
    assert altered != found.payload
    forged = dsse.sign(altered, KEYS[3])
    envelope = forged.replace(
        orjson.dumps(orjson.loads(forged)["signatures"]),
        orjson.dumps(orjson.loads(hops[hop - 1].envelope)["signatures"]),
    )
    hops[hop - 1] = Hop(envelope, hops[hop - 1].key)
    assert fault(hops).startswith(f"hop {hop}: ")


def test_an_event_is_no_hop() -> None:
    event = dsse.sign(
        orjson.dumps(
            {"_type": statement.STATEMENT_TYPE, "predicateType": statement.EVENT_TYPE,
             "subject": [], "predicate": {}}
        ),
        KEYS[1],
    )  # fmt: skip
    hops = chain()
    hops[1] = Hop(event, hops[1].key)
    assert fault(hops).startswith("hop 2: the statement is not a Lockgate transfer receipt")


def test_a_hop_that_left_out_the_furthest_does_not_break_the_chain() -> None:
    links = require_chain(chain({1: lambda said: said["answer"]["receipts"].pop(0)}), SENT)
    assert len(links) == 3


def test_a_refusal_on_the_way_is_part_of_a_chain() -> None:
    def refused(said: Said) -> None:
        said.update(kind="rejected", disposition={"status": 422, "problem": "finding-rejected"})
        said["content"].update(NOTHING)
        said["answer"] = None

    def told(said: Said) -> None:
        said["kind"] = "failed"
        said["answer"]["status"] = 422

    links = require_chain(chain({1: told, 2: refused}, hops=2), SENT)
    assert f"hop 2 received 3 of {len(SENT)} bytes before it refused" in links[0].agreed


def test_a_gateway_that_had_delivered_it_before_repeats_no_answer() -> None:
    links = require_chain(chain({1: put("answer.received", {"bytes": "0"})}, hops=2), SENT)
    assert "did not repeat its answer of then" in links[0].agreed[-1]


def test_the_receipts_of_before_there_were_chains_name_none() -> None:
    said = {"predicate": {"answer": {"status": 200}}}
    assert reading.further(said) == reading.further({"predicate": {"answer": None}}) == ()
