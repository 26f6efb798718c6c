"""`receipts verify` of receipts that others wrote: judged, whatever they say, and not obeyed."""

import copy
import hashlib
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cli import main
from proxy.receipt import dsse
from proxy.receipt.chain import Hop
from proxy.receipt.header import item
from proxy.tls.keys import public_pem
from tests.notary.test_verifier import verify as by_the_page
from tests.receipt.test_agreement import mutated
from tests.receipt.test_chain import (
    KEYS,
    SENT,
    TARGET,
    TRANSFER_KEYS,
    Change,
    Said,
    all_of,
    chain,
    passed,
    put,
)


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*words: str | Path) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["receipts", "verify", *map(str, words)])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public keys of four gateways, and what was sent."""
    folder = tmp_path_factory.mktemp("lies")
    for number, key in enumerate(KEYS, 1):
        (folder / f"{number}.pub").write_bytes(public_pem(key))
    (folder / "sent").write_bytes(SENT)
    return folder


def saved(folder: Path, hops: list[Hop], name: str = "answer.headers") -> Path:
    """The headers of an answer that brought these."""
    lines = [("Transfer-Receipt", hop.envelope) for hop in reversed(hops)]
    lines += [("Transfer-Receipt-Key", hop.receipt_key or b"") for hop in reversed(hops)]
    path = folder / name
    path.write_bytes(b"".join(b"%s: %s\n" % (name.encode(), item(each)) for name, each in lines))
    return path


def keys(folder: Path, many: int = 3) -> list[str | Path]:
    return [word for number in range(1, many + 1) for word in ("--key", folder / f"{number}.pub")]


def verify_chain(folder: Path, hops: list[Hop], *words: str | Path, many: int = 3) -> Done:
    path = saved(folder, hops)
    content = ("--content", folder / "sent", "--target", TARGET)
    return run(path, "--chain", *keys(folder, many), *content, *words)


def signed(folder: Path, said: Said, key: Ed25519PrivateKey = KEYS[0]) -> Path:
    path = folder / "receipt.json"
    path.write_bytes(dsse.sign(orjson.dumps(said), key))
    return path


def said_by(hop: Hop) -> Said:
    said: Said = orjson.loads(dsse.parse(hop.envelope).payload)
    return said


# --- a receipt that cannot be true ---------------------------------------------------------------

EVIL = b'{"ssn":"evil"}'
LIES: dict[str, tuple[dict[int, Change], str]] = {
    "delivered-other-than-it-received": (
        {
            2: all_of(
                passed("content", SENT), put("content.delivered", {"bytes": "14"}),
                put("content.delivered.sha256", hashlib.sha256(EVIL).hexdigest()),
            ),
            3: passed("content", EVIL),
        },
        "hop 2: content: what was received in plain is not what was delivered",
    ),
    "answered-other-than-it-was-told": (
        {2: put("answer.delivered", {"bytes": "1", "sha256": "00" * 32})},
        "hop 2: answer: what was received in plain is not what was delivered",
    ),
    "delivered-and-404": (
        {
            1: all_of(put("answer.status", 404), put("disposition.status", 404)),
            2: all_of(put("answer.status", 404), put("disposition.status", 404)),
            3: all_of(put("answer.status", 404), put("disposition.status", 404)),
        },
        "hop 1: it says delivered, and the upstream answered 404",
    ),
    "verdicts-that-are-none": (
        {1: put("kind", "failed"), 2: put("kind", "dellivered"), 3: put("kind", "Delivered")},
        "hop 2: kind is missing, or is not what a transfer receipt says there",
    ),
    "of-no-transfer": (
        {number: put("transferId", None) for number in (1, 2, 3)}, "hop 1: transferId is missing"
    ),
    "a-number-in-other-words": (
        {2: put("content.delivered.bytes", " 1_1 ")}, "hop 2: content."
    ),
}  # fmt: skip


def test_an_honest_chain_is_verified(folder: Path) -> None:
    done = verify_chain(folder, chain())
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("changes", "why"), LIES.values(), ids=LIES)
def test_a_chain_with_a_receipt_that_cannot_be_true_does_not_hold(
    folder: Path, changes: dict[int, Change], why: str
) -> None:
    done = verify_chain(folder, chain(changes))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"does not verify: {why}")


def test_a_subject_of_something_else_is_believed_by_neither_verifier(folder: Path) -> None:
    said = said_by(chain()[0])
    said["subject"][0]["digest"]["sha256"] = hashlib.sha256(b"another").hexdigest()
    (folder / "another").write_bytes(b"another")
    path = signed(folder, said)
    for content in ("sent", "another"):
        done = run(path, "--key", folder / "1.pub", "--content", folder / content)
        assert (done.code, done.out) == (1, "")
        assert "its subject is another than what it is about" in done.err
        with pytest.raises(ValueError, match="delivered"):
            by_the_page(folder / "1.pub", path, folder / content)
    honest = signed(folder, said_by(chain()[0]))
    assert run(honest, "--key", folder / "1.pub", "--content", folder / "sent").code == 0
    assert by_the_page(folder / "1.pub", honest, folder / "sent") == "delivered:one"


@pytest.mark.parametrize("words", [[], ["--chain"]], ids=["one", "chain"])
def test_a_size_that_is_not_that_of_the_content_is_a_contradiction(
    folder: Path, words: list[str]
) -> None:
    """Said by every hop alike, so that nothing but the content itself contradicts it."""
    size = str(len(SENT) + 1)
    hops = chain(
        {
            1: all_of(put("content.received.bytes", size), put("content.delivered.bytes", size)),
            2: put("content.received.bytes", size),
        },
        hops=2,
    )
    path = saved(folder, hops)
    done = run(path, *words, *keys(folder, 2 if words else 1), "--content", folder / "sent")
    assert (done.code, done.out) == (1, "")
    assert f"received: it says {size} bytes, and the content has {len(SENT)}" in done.err


# --- any JSON in any place -----------------------------------------------------------------------


@settings(max_examples=60)
@given(mutated(), st.integers(1, 3))
def test_any_json_in_any_place_is_verified_or_refused_in_one_line(
    folder: Path, said: Said, place: int
) -> None:
    path = signed(folder, copy.deepcopy(said), KEYS[place - 1])
    alone = run(path, "--key", folder / f"{place}.pub", "--content", folder / "sent")
    hops = chain()
    hops[place - 1] = Hop(path.read_bytes(), hops[place - 1].key)
    for done in (alone, verify_chain(folder, hops), verify_chain(folder, hops, "--json")):
        assert done.code in (0, 1)
        assert len(done.err.splitlines()) == done.code
        assert bool(done.out) is (done.code == 0)


def forged(said: Said, way: tuple[str, ...], value: object) -> None:
    for step in way[:-1]:
        said = said[step]
    said[way[-1]] = value


@pytest.mark.parametrize("value", ["x", 5, [], ["x"], {}, True, None], ids=repr)
@pytest.mark.parametrize(
    "way",
    [("content", "received"), ("content", "delivered"), ("content",), ("answer",), ("request",)],
    ids=".".join,
)
def test_any_json_for_a_content_is_refused_in_one_line(
    folder: Path, way: tuple[str, ...], value: object
) -> None:
    hops = chain()
    said = said_by(hops[0])
    forged(said["predicate"], way, value)
    path = signed(folder, said)
    hops[0] = Hop(path.read_bytes(), hops[0].key)
    alone = run(path, "--key", folder / "1.pub", "--content", folder / "sent")
    for done in (alone, verify_chain(folder, hops)):
        assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)


# --- lines of their own --------------------------------------------------------------------------

LINE = "verified: 3 receipts of one transfer, each by the key of its gateway; every point is proven"
LOUD = f"x\n{LINE}\x1b[2J\u2028hop 9 to 10: verdict: proven"


@pytest.mark.parametrize(
    "change",
    [
        put("request.method", LOUD),
        put("transferId", LOUD),
        put("kind", LOUD),
        put("sender.name", LOUD),
        put("log.origin", LOUD),
        put("answer.receipts", [LOUD]),
        put("sequence.stream", LOUD),
        put("content.masked", {LOUD: "1"}),
        put("disposition.problem", LOUD),
    ],
    ids=["method", "id", "kind", "sender", "log", "receipts", "stream", "rule", "problem"],
)
@pytest.mark.parametrize("hop", [1, 2])
def test_a_hop_writes_no_line_of_its_own(folder: Path, hop: int, change: Change) -> None:
    hops = chain({hop: change})
    alone = signed(folder, said_by(hops[hop - 1]), KEYS[hop - 1])
    for done in (
        verify_chain(folder, hops),
        verify_chain(folder, hops, "--require", "all"),
        run(alone, "--key", folder / f"{hop}.pub"),
    ):
        printed = done.out + done.err
        assert not any(line.startswith((LINE, "hop 9")) for line in printed.splitlines())
        assert "\x1b" not in printed
        assert "\u2028" not in printed


# --- more receipts than keys ---------------------------------------------------------------------


def behind(envelope: bytes) -> list[Hop]:
    """Two honest hops and what somebody without a gateway has answered."""
    made: list[Hop] = []
    named: tuple[bytes, ...] = (hashlib.sha256(envelope).digest(),)
    for number, hop in reversed(list(enumerate(chain(hops=2)))):
        said = said_by(hop)
        said["predicate"]["answer"]["receipts"] = [each.hex() for each in named]
        signed_anew = dsse.sign(orjson.dumps(said), KEYS[number])
        named = (*named, hashlib.sha256(signed_anew).digest())
        made.insert(0, Hop(signed_anew, hop.key, hop.spki_sha256, hop.receipt_key))
    return [*made, Hop(envelope, KEYS[3].public_key())]


def foreign(transfer_id: str = "another\n") -> bytes:
    said = said_by(chain()[2])
    said["predicate"]["transferId"] = transfer_id
    return dsse.sign(orjson.dumps(said), KEYS[3])


FOREIGN = {
    "of-another-transfer": (foreign(), ", which by its own words is about another transfer: anoth"),
    "of-this-one": (foreign("one"), ""),
    "no-receipt-at-all": (b"\0\0", ", and it is none that can be read"),
}


@pytest.mark.parametrize(("envelope", "told"), FOREIGN.values(), ids=FOREIGN)
def test_who_has_no_gateway_spoils_no_chain_of_those_who_have(
    folder: Path, envelope: bytes, told: str
) -> None:
    hops = behind(envelope)
    done = verify_chain(folder, hops, many=2)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("partly verified: 2 receipts of one transfer")
    digest = hashlib.sha256(envelope).hexdigest()
    line = "hop 2 to 3: receipt: not shown: it names a receipt further on, for which no key is here"
    assert f"{line} (--key): SHA-256 {digest}{told}" in done.out
    assert "hop 3" not in done.out.replace(line, "")
    demanded = verify_chain(folder, hops, "--require", "request", many=2)
    assert demanded.code == 0
    missed = verify_chain(folder, hops, "--require", "receipt", many=2)
    assert (missed.code, missed.out) == (1, "")
    assert line in missed.err
    program = orjson.loads(verify_chain(folder, hops, "--json", many=2).out)
    assert (program["proven"], len(program["hops"])) == (False, 2)


def test_one_key_verifies_the_nearest_of_several(folder: Path) -> None:
    done = verify_chain(folder, chain(), many=1)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("partly verified: 1 receipt of one transfer")
    assert "hop 1 to 2: receipt: not shown" in done.out


def test_what_is_behind_the_last_key_must_be_what_that_gateway_names(folder: Path) -> None:
    hops = behind(foreign())
    hops[2] = Hop(foreign("one"), hops[2].key)
    done = verify_chain(folder, hops, many=2)
    assert (done.code, done.out) == (1, "")
    assert "hop 2 names another receipt than that of hop 3" in done.err


def test_more_keys_than_receipts_are_no_chain(folder: Path) -> None:
    done = verify_chain(folder, chain(), many=4)
    assert (done.code, done.out) == (1, "")
    assert "3 receipts are here, and --key was given 4 times" in done.err


# --- the receipt key by hand ---------------------------------------------------------------------


def test_the_receipt_key_of_the_nearest_gateway_can_be_given_by_hand(folder: Path) -> None:
    """Where its receipt is a file of its own, and no headers were kept."""
    files = []
    for number, hop in enumerate(chain(hops=2), 1):
        files.append(folder / f"hop-{number}.json")
        files[-1].write_bytes(hop.envelope)
    words = [*files, "--chain", *keys(folder, 2), "--target", TARGET]
    without = run(*words)
    assert "hop 1 says the target under its receipt key, which is not here" in without.out
    given = item(TRANSFER_KEYS[0]).decode()
    done = run(*words, "--receipt-key", given)
    assert (done.code, done.err) == (0, "")
    assert "hop 1 says the target under its receipt key" not in done.out
    assert "hop 2 says the target under its receipt key, which is not here" in done.out
    other = run(*words, "--receipt-key", item(TRANSFER_KEYS[1]).decode())
    assert (other.code, other.out) == (1, "")
    assert other.err == "does not verify: hop 1 was asked for another target\n"
