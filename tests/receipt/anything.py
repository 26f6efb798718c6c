"""Whatever may come: outcomes, intents, places and events as hypothesis draws them."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import strategies as st

from proxy.model import (
    Certificate,
    Channel,
    Content,
    Digest,
    Event,
    Intent,
    Outcome,
    Peer,
    Report,
    Verdict,
)
from proxy.model.signed import Verified
from proxy.receipt.statement import Place

T = TypeVar("T")

TEXT = st.text(max_size=40) | st.sampled_from(
    ['","sender":{', '"', "\\", "\x7f\x00\n", "ä€😀", "<&>"]
)
LONG = TEXT | st.integers(200, 1100).map("ä".__mul__) | st.just("\x01" * 3000)
WORD = (
    st.sampled_from(["orders", "sender", "others", "us_ssn", "$.a['b']", "json", "opaque"]) | TEXT
)
NUMBER = st.integers(0, 2**70)
INDEX = st.integers(0, 2**63 - 1)
"""Of a leaf."""
HASH = st.binary(min_size=32, max_size=32)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
STATUS = st.integers(100, 599)
COUNTS = st.dictionaries(WORD | LONG, st.integers(1, 2**40), max_size=3) | st.builds(
    lambda name, most: {f"{name}{number}": number for number in range(1, most)},
    st.sampled_from(["$.field", "ä" * 500]),
    st.integers(32, 45),
)
ORIGIN = st.text(min_size=1, max_size=60)


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


DIGEST = st.builds(Digest, NUMBER, maybe(HASH), maybe(HASH))
PATHS = st.dictionaries(WORD | st.just("…"), st.integers(1, 2**40), min_size=1, max_size=20)
PLACES = st.dictionaries(WORD, PATHS, max_size=4)
REPORT = st.builds(
    Report, WORD, maybe(NUMBER), COUNTS, COUNTS, maybe(WORD), st.booleans(), PLACES, NUMBER, COUNTS
)
CERTIFICATE = st.builds(
    Certificate,
    der=st.just(b""),
    chain=st.just(()),
    sha256=HASH,
    spki_sha256=HASH,
    subject=st.just(""),
    issuer=st.just(""),
    serial=st.just(1),
    not_before=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    not_after=st.just(datetime(2027, 1, 1, tzinfo=UTC)),
    spiffe=maybe(LONG),
    uris=st.lists(LONG, max_size=3).map(tuple)
    | st.integers(30, 40).map(
        lambda most: tuple("ä" * number for number in range(490, 490 + most))
    ),
    dns=st.lists(TEXT, max_size=3).map(tuple),
)
CHANNEL = st.builds(Channel, TEXT, TEXT, TEXT, HASH)
PEER = st.builds(
    Peer, maybe(st.just("127.0.0.1")), maybe(st.just(7)), maybe(CERTIFICATE), maybe(CHANNEL)
)
ID = st.uuids().map(str)
ATTEMPT = st.binary(min_size=16, max_size=16)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """As often as not the very same digest on both sides."""
    received = draw(DIGEST)
    delivered = draw(st.sampled_from([None, received]) | DIGEST)
    fields = draw(st.dictionaries(WORD, st.integers(1, 9), max_size=2))
    shadow = draw(st.dictionaries(WORD, st.integers(1, 9), max_size=2))
    return Content(received, delivered, draw(maybe(REPORT)), draw(maybe(WORD)), fields, shadow)


VERIFIED = st.builds(
    Verified,
    label=WORD,
    keyid=TEXT,
    key=LONG,
    algorithm=st.sampled_from(["ed25519", "ml-dsa-65"]),
    created=maybe(st.integers(-(10**15), 10**15)),
    expires=maybe(st.integers(0, 10**15)),
    nonce=maybe(TEXT),
    tag=maybe(TEXT),
    components=st.just(()),
)
OUTCOME = st.builds(
    Outcome,
    attempt_id=ATTEMPT,
    transfer_id=ID,
    verdict=st.sampled_from(list(Verdict)),
    status=maybe(STATUS),
    problem=maybe(st.sampled_from(["not-allowed", "replayed"])),
    listener=TEXT,
    route=maybe(WORD),
    upstream=maybe(WORD),
    method=maybe(LONG),
    target_hmac=maybe(HASH),
    content_length=maybe(NUMBER),
    request=contents(),
    answer_status=maybe(STATUS),
    answer=maybe(contents()),
    sender=PEER,
    receiver=maybe(CERTIFICATE),
    policy_sha256=HASH,
    received_at=TIME,
    duplicate_of=maybe(INDEX),
    rule=maybe(st.integers(0, 99).map("allow[{}]".format)),
    further=st.lists(HASH, max_size=16).map(tuple),
    signature=maybe(VERIFIED),
    answer_repeated=st.booleans(),
)
INTENT = st.builds(Intent, ATTEMPT, ID, LONG, WORD, TIME)
PLACE = st.builds(
    Place,
    st.integers(1, 2**63),
    st.tuples(TEXT, WORD).map("/".join),
    st.integers(1, 2**63),
    maybe(HASH),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
_DECIMAL = st.integers(1, 2**63).map(str)
_HEX = HASH.map(bytes.hex)
_KEYID = st.from_regex(r"\ASHA256:[A-Za-z0-9+/]{43}\Z")
_KEY = st.fixed_dictionaries({"keyid": _KEYID, "spki": st.just("MCowBQYDK2VwAyEA")})
_STAMP = st.just("2026-05-01T12:00:00.000001Z")
SHAPES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "start": {"version": TEXT, "policySha256": _HEX, "workers": _DECIMAL, "receiptKey": _KEY},
    "stop": {"clean": st.booleans()},
    "recovery": {"interrupted": _DECIMAL, "truncatedOctets": st.just("0")},
    "reload": {"from": _HEX, "to": _HEX},
    "key": {"from": _KEYID, "to": _KEY},
    "refused-handshakes": {
        "since": _STAMP,
        "until": _STAMP,
        "counts": st.dictionaries(TEXT, _DECIMAL, min_size=1, max_size=3),
    },
    "refused-transfers": {
        "since": _STAMP,
        "until": _STAMP,
        "counts": st.dictionaries(TEXT, _DECIMAL, min_size=1, max_size=3),
    },
}
EVENT = st.sampled_from(list(SHAPES)).flatmap(
    lambda kind: st.builds(Event, st.just(kind), st.fixed_dictionaries(SHAPES[kind]))
)
ANY_EVENT = st.builds(Event, st.sampled_from(list(SHAPES)), st.dictionaries(TEXT, JSON, max_size=4))
