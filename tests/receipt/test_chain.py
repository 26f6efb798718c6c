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
from proxy.receipt.measure import Measured, measure
from proxy.receipt.neighbours import POINTS, Point
from tests.receipt.outcomes import ORIGIN, START, outcome

SENT, MASKED, ANSWER = b'{"ssn":"536"}', b'{"ssn":"*"}', b'{"ok":true}'
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
TRANSFER_KEYS = [bytes([16 * number]) * 32 for number in range(1, 5)]
SPKIS = [f"{number:02x}" * 32 for number in range(1, 6)]
TARGET = "/orders/7?x=y"
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


def subject(said: Said) -> list[Said]:
    """Of a receipt that says this: a lie is to be told well."""
    name = f"{said['kind']}:{said['transferId']}"
    delivered = ((said["content"] or {}).get("delivered") or {}).get("sha256")
    if said["kind"] != "delivered" or delivered is None:
        delivered = hashlib.sha256(name.encode()).hexdigest()
    return [{"name": name, "digest": {"sha256": delivered}}]


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
        predicate["sender"] = {
            "name": "x",
            "spkiSha256": SPKIS[number - 1] if number else "00" * 32,
        }
        predicate["receiver"] = {"spkiSha256": SPKIS[number + 1]}
        target = hmac.digest(TRANSFER_KEYS[number], TARGET.encode(), "sha256").hex()
        predicate["request"]["target"] = {"hmacSha256": target}
        if changes and number + 1 in changes:
            changes[number + 1](predicate)
        said["subject"] = subject(predicate)
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


def passed(at: str, data: bytes) -> Change:
    """As it came, so it went: a content of which both sides are said in plain."""
    side = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": str(len(data))}
    sides = {"received": side, "delivered": side, "changed": False}
    return lambda said: said[at].update(copy.deepcopy(sides))


def torn(at: str, came: int, went: int | None = None) -> Change:
    """A content that ended in the middle: sizes alone."""
    delivered = None if went is None else {"bytes": str(went)}
    sides = {"received": {"bytes": str(came)}, "delivered": delivered, "changed": False}
    return lambda said: said[at].update(copy.deepcopy(sides))


def all_of(*changes: Change) -> Change:
    def change(said: Said) -> None:
        for each in changes:
            each(said)

    return change


EARLY = all_of(put("kind", "failed"), torn("content", len(SENT), len(SENT)))
"""Answered before the end of the request had gone: no digest of it, and not delivered."""


def of(content: bytes) -> Measured:
    """Content, measured as the command does it: in pieces."""
    return measure([content[:3], content[3:]], [*TRANSFER_KEYS, None])


def fault(hops: list[Hop], content: bytes = SENT, target: str = TARGET) -> str:
    with pytest.raises(EvidenceError) as caught:
        require_chain(hops, of(content), target)
    return str(caught.value)


def points(links: tuple[Link, ...]) -> dict[tuple[int, str], Point]:
    return {(link.number, point.name): point for link in links for point in link.points}


def missed(links: tuple[Link, ...]) -> dict[tuple[int, str], str]:
    return {at: point.text for at, point in points(links).items() if not point.proven}


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_a_chain_of_any_length_holds(hops: int) -> None:
    links = require_chain(chain(hops=hops), of(SENT), TARGET)
    assert [link.number for link in links] == list(range(1, hops + 1))
    assert links[-1].points == ()
    assert all(tuple(point.name for point in link.points) == POINTS for link in links[:-1])
    assert missed(links) == {}


def test_what_is_keyed_is_compared_by_content_and_key() -> None:
    shown = points(require_chain(chain(), of(SENT)))[1, "request"].text
    assert shown.endswith(f"HMAC-SHA256 {hmac.digest(TRANSFER_KEYS[1], SENT, 'sha256').hex()}")


def test_what_there_is_nothing_to_compare_with_is_not_shown_and_says_what_it_takes() -> None:
    hops = [Hop(hop.envelope, hop.key) for hop in chain(hops=2)]
    texts = missed(require_chain(hops))
    assert {name for _, name in texts} == {"receiver", "sender", "target", "request"}
    assert texts[1, "receiver"] == "no certificate of hop 2 is here (--certificate)"
    assert texts[1, "sender"] == "no certificate of hop 1 is here (--certificate)"
    assert "hop 1 says the target under its receipt key, which is not here" in texts[1, "target"]
    assert "--target" in texts[1, "target"]
    size = f"it delivered {len(SENT)} bytes and hop 2 received as many, but "
    keyless = "hop 2 says their digest under its receipt key, which is not here"
    assert texts[1, "request"] == size + keyless
    assert "--content" in missed(require_chain(chain()))[1, "request"]
    assert "is not what it was" in missed(require_chain(chain(), of(MASKED)))[1, "request"]


OTHER_TARGET = put("request.target.hmacSha256", "00" * 32)


@pytest.mark.parametrize("masked", [{"query email": "1"}, {"$.a": "2", "others": "3"}])
def test_behind_a_gateway_that_masked_the_query_targets_are_not_compared(masked: Said) -> None:
    lying = all_of(put("content.masked", masked), OTHER_TARGET)
    first = {1: put("content.masked", masked), 2: OTHER_TARGET, 3: OTHER_TARGET}
    texts = missed(require_chain(chain(first), of(SENT), TARGET))
    assert texts[1, "target"] == "hop 1 masked the query, which hop 2 got masked"
    assert "hop 1 masked the query, which hop 3 got masked" in texts[2, "target"]
    second = {2: put("content.masked", masked), 3: OTHER_TARGET}
    texts = missed(require_chain(chain(second), of(SENT), TARGET))
    assert {hop for hop, point in texts if point == "target"} == {2}
    assert fault(chain({1: lying})) == "hop 1 was asked for another target"
    other = {1: put("content.masked", {"header x-user": "1"}), 2: OTHER_TARGET}
    assert fault(chain(other)) == "hop 2 was asked for another target"


UNSAID: dict[str, tuple[int, Change, str, str]] = {
    "no-method": (2, put("request.method", None), "method", "hop 2 does not say the method"),
    "no-target": (1, put("request.target", None), "target", "hop 1 does not say the target"),
    "no-digest-of-what-came": (
        2, put("content.received", {"bytes": str(len(SENT))}), "request",
        f"it delivered {len(SENT)} bytes and hop 2 received as many, but hop 2 says no digest of "
        "them",
    ),
    "no-status": (
        2, put("disposition.status", None), "status", "hop 2 does not say what it answered"
    ),
    "no-answer-of-the-inner": (
        2, lambda said: put("answer", {"status": 201, "receipts": None})(said), "answer",
        "hop 2 does not say the content of the answer",
    ),
    "no-answer-of-the-outer": (
        1, lambda said: said["answer"].pop("received"), "answer",
        "hop 1 does not say the content of the answer",
    ),
    "no-digest-of-the-answer": (
        1, all_of(put("answer.received", {"bytes": str(len(ANSWER))}), put("answer.changed", True)),
        "answer",
        f"hop 2 answered {len(ANSWER)} bytes and it received as many, but hop 1 says no digest of "
        "them",
    ),
    "a-part-of-the-answer": (
        1, all_of(torn("answer", 1), put("disposition.problem", "answer-refused")), "answer",
        f"it received 1 of the {len(ANSWER)} bytes of the answer",
    ),
    "a-part-of-the-answer-since-the-sender-left": (
        1, all_of(torn("answer", 1), put("disposition.status", None)), "answer",
        f"it received 1 of the {len(ANSWER)} bytes of the answer",
    ),
    "an-answer-of-its-own": (
        2, put("disposition.problem", "answer-refused"), "answer",
        "hop 2 answered by itself (answer-refused), and does not say with what content",
    ),
    "less-than-delivered": (
        1, put("kind", "failed"), "verdict", "it says failed, and hop 2 says delivered"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("hop", "change", "name", "text"), UNSAID.values(), ids=UNSAID)
def test_what_a_hop_does_not_say_is_not_shown_and_is_named(
    hop: int, change: Change, name: str, text: str
) -> None:
    links = require_chain(chain({hop: change}, hops=2), of(SENT), TARGET)
    assert missed(links) == {(1, name): text}


def test_what_went_in_part_has_no_digest_to_compare() -> None:
    links = require_chain(chain({1: EARLY, 2: EARLY}, hops=2), of(SENT), TARGET)
    text = f"it delivered {len(SENT)} bytes and hop 2 received as many, but it says no digest of"
    assert missed(links) == {(1, "request"): f"{text} them"}


def test_no_content_is_the_same_as_no_content() -> None:
    empty = all_of(passed("content", b""), passed("answer", b""))
    links = require_chain(chain({1: empty, 2: empty}, hops=2), of(b""), TARGET)
    assert missed(links) == {}


def test_less_than_two_are_no_chain() -> None:
    assert "two receipts at least" in fault(chain()[:1])
    assert "two receipts at least" in fault([])
    first, other = chain(hops=2)
    named = hashlib.sha256(other.envelope).hexdigest()
    assert f"hop 1 names receipts further on that are not here: {named}" in fault([first])


REFUSED = {"status": 422, "problem": "finding-rejected", "duplicateOf": None}
NOTHING = {"received": {"bytes": "3"}, "delivered": None}
LIES: dict[str, tuple[int, Change, str]] = {
    "another-transfer": (2, put("transferId", "two"), "hop 1 and hop 2 are about two transfers"),
    "delivered-other": (
        2, put("content.delivered", {"sha256": "00" * 32, "bytes": str(len(MASKED))}),
        "what hop 2 delivered is not what hop 3 received",
    ),
    "received-other": (
        3, passed("content", MASKED[::-1]),
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
        1, all_of(put("kind", "failed"), torn("content", len(SENT))),
        "what hop 1 delivered is not what hop 2 received",
    ),
    "answered-other": (
        3, passed("answer", ANSWER[::-1]),
        "what hop 3 answered is not what hop 2 received",
    ),
    "answered-longer": (
        3, torn("answer", 99, 99), "what hop 3 answered is not what hop 2 received"
    ),
    "answered-nothing": (
        3, torn("answer", 0), "what hop 3 answered is not what hop 2 received"
    ),
    "was-answered-less": (
        1, passed("answer", ANSWER[:3]), "what hop 2 answered is not what hop 1 received"
    ),
    "was-answered-less-without-a-digest": (
        1, torn("answer", 3), "what hop 2 answered is not what hop 1 received"
    ),
    "was-answered-nothing": (
        1, passed("answer", b""), "what hop 2 answered is not what hop 1 received"
    ),
    "failed-and-was-answered-more": (
        1, all_of(put("kind", "failed"), torn("answer", 99)),
        "what hop 2 answered is not what hop 1 received",
    ),
    "another-method": (2, put("request.method", "PUT"), "hop 1 says POST, and hop 2 says PUT"),
    "another-target": (
        3, put("request.target.hmacSha256", "00" * 32), "hop 3 was asked for another target"
    ),
    "refused": (3, put("kind", "rejected"), "hop 2 says delivered, and hop 3 says rejected"),
    "failed": (2, put("kind", "failed"), "hop 1 says delivered, and hop 2 says failed"),
    "unsure": (2, put("kind", "indeterminate"), "hop 1 says delivered, and hop 2 says indeterm"),
    "another-status": (
        2, all_of(put("disposition.status", 200), put("answer.status", 200)),
        "hop 2 answered 200, and hop 1 was told 201"
    ),
    "another-receiver": (
        1, put("receiver.spkiSha256", "00" * 32), "hop 1 forwarded to another than hop 2"
    ),
    "no-receiver": (2, put("receiver", None), "hop 2 forwarded to another than hop 3"),
    "another-sender": (
        3, put("sender.spkiSha256", "00" * 32), "hop 3 received it from another than hop 2"
    ),
    "named-more-than-the-next": (
        1, lambda said: said["answer"]["receipts"].insert(0, "00" * 32),
        "hop 1 names others behind hop 2 than that does",
    ),
    "named-another": (
        2, put("answer.receipts", ["00" * 32]), "hop 2 names another receipt than that of hop 3"
    ),
    "named-none": (2, put("answer.receipts", None), "hop 2 names no receipt, but hop 3 follows"),
    "named-no-digest": (
        2, put("answer.receipts", ["x"]), "hop 2: answer is missing, or is not what a transfer"
    ),
    "without-content": (3, put("content", None), "hop 3: nothing is said of a content"),
    "without-size": (
        2, put("content.received.bytes", "many"), "hop 2: content is missing, or is not what a"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("hop", "change", "why"), LIES.values(), ids=LIES)
def test_a_hop_that_does_not_fit_is_named(hop: int, change: Change, why: str) -> None:
    assert why in fault(chain({hop: change}))


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
    links = require_chain(chain({1: lambda said: said["answer"]["receipts"].pop(0)}), of(SENT))
    assert len(links) == 3


def test_what_the_last_one_names_behind_it_is_not_shown() -> None:
    links = require_chain(chain({3: put("answer.receipts", ["00" * 32])}), of(SENT), TARGET)
    text = f"it names a receipt further on that is not here: SHA-256 {'00' * 32}"
    assert missed(links) == {(3, "receipt"): text}


def test_a_refusal_on_the_way_is_part_of_a_chain() -> None:
    def refused(said: Said) -> None:
        said.update(kind="rejected", disposition=REFUSED)
        said["content"].update(NOTHING)
        said["answer"] = None

    def told(said: Said) -> None:
        said["kind"] = "failed"
        said["answer"]["status"] = said["disposition"]["status"] = 422

    links = require_chain(chain({1: told, 2: refused}, hops=2), of(SENT), TARGET)
    texts = missed(links)
    assert set(texts) == {(1, "request"), (1, "answer")}
    assert texts[1, "request"].startswith(f"hop 2 received 3 of {len(SENT)} bytes before it ended")
    neither = "neither says delivered: it says failed, hop 2 rejected"
    assert points(links)[1, "verdict"] == Point("verdict", True, neither)


def repeated(said: Said) -> None:
    passed("answer", b"")(said)
    said["answer"]["duplicate"] = True


def test_a_repetition_is_believed_where_the_hop_before_says_that_it_was_told_so() -> None:
    first, again = chain(), chain({1: repeated}, hops=2)
    of_then = first[1]
    said = orjson.loads(dsse.parse(again[0].envelope).payload)
    said["predicate"]["answer"]["receipts"] = [hashlib.sha256(of_then.envelope).hexdigest()]
    now = Hop(dsse.sign(orjson.dumps(said), KEYS[0]), again[0].key, SPKIS[0], TRANSFER_KEYS[0])
    keyless = Hop(of_then.envelope, of_then.key, of_then.spki_sha256)
    links = require_chain([now, keyless], of(SENT), TARGET)
    texts = missed(links)
    assert set(texts) == {(1, "target"), (1, "request"), (1, "answer"), (2, "receipt")}
    assert "which went out with the answer of then" in texts[1, "request"]
    assert "answered a repetition, as hop 1 says" in texts[1, "answer"]
    (named,) = reading.further(reading.parse(dsse.parse(of_then.envelope).payload))
    assert texts[2, "receipt"].endswith(f"SHA-256 {named}, which came with its answer of then")
    assert missed(require_chain([now, *first[1:]], of(SENT), TARGET)).keys() == {(1, "answer")}


def test_who_refused_did_not_receive_more_than_was_delivered() -> None:
    def refused(said: Said) -> None:
        said["kind"] = "rejected"
        said["content"]["received"] = {"bytes": "99"}

    hops = chain({1: put("kind", "failed"), 2: refused}, hops=2)
    assert "what hop 1 delivered is not what hop 2 received" in fault(hops)


def test_a_repetition_of_an_answer_without_content_lacks_nothing_of_it() -> None:
    nothing = passed("answer", b"")
    links = require_chain(chain({1: repeated, 2: nothing}, hops=2), of(SENT), TARGET)
    assert missed(links) == {}


def test_a_repetition_whose_content_came_all_the_same_is_a_contradiction() -> None:
    lying = all_of(passed("answer", ANSWER[::-1]), put("answer.duplicate", True))

    assert "what hop 2 answered is not what hop 1 received" in fault(chain({1: lying}, hops=2))


def test_the_receipts_of_before_there_were_chains_name_none() -> None:
    said = {"predicate": {"answer": {"status": 200}}}
    assert reading.further(said) == reading.further({"predicate": {"answer": None}}) == ()
