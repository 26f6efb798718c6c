"""A signature is demanded, found, and holds, or it is refused for one stable reason."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.model.signed import SIGNATURE_FAILURES, Verified
from proxy.wire.jwk import VerifyingKey
from proxy.wire.sfv import Bare
from proxy.wire.signature import (
    MOST,
    Demands,
    Message,
    SignatureFailure,
    has_signature,
    sign,
    verify,
)
from proxy.wire.signature import sign_as as sign_as_said
from proxy.wire.signing_key import SigningKey, parse_signing_key
from tests.client.keys import KEYS

NOW = 1_800_000_000
COVERED = ("@method", "@target-uri", "content-digest", "transfer-id")
BARE = Message(
    (
        (b"host", b"gateway.example"),
        (b"content-type", b"application/json"),
        (b"content-digest", b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
        (b"transfer-id", b"195c8dee-d4dc-8cad-9762-c67c047daee9"),
    ),
    "POST",
    "/orders/1?day=1",
    "https",
    "gateway.example",
)


@cache
def key(algorithm: str = "ed25519", number: int = 0) -> SigningKey:
    return parse_signing_key(KEYS[algorithm]())


def signed(
    message: Message = BARE,
    by: SigningKey | None = None,
    components: tuple[str, ...] = COVERED,
    *,
    label: str = "sig1",
    **parameters: Bare,
) -> Message:
    """The message with a signature more; a parameter that is False is left out."""
    by = by or key()
    said: dict[str, Bare] = {
        "created": NOW,
        "expires": NOW + 60,
        "nonce": "n",
        "keyid": by.keyid,
        "tag": "lockgate",
        **parameters,
    }
    said = {name: value for name, value in said.items() if value is not False}
    return replace(
        message, fields=message.fields + sign_as_said(message, by, components, said, label)
    )


def verified(
    message: Message, *by: SigningKey, demands: Demands | None = None, at: float = NOW
) -> Verified:
    keys = [each.verifying for each in by or (key(),)]
    return verify(message, keys, demands or Demands(COVERED), datetime.fromtimestamp(at, UTC))


def reason(
    message: Message, *by: SigningKey, demands: Demands | None = None, at: float = NOW
) -> str:
    with pytest.raises(SignatureFailure) as failure:
        verified(message, *by, demands=demands, at=at)
    assert failure.value.reason in SIGNATURE_FAILURES
    return failure.value.reason


# --- it holds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_was_signed_with_any_algorithm_holds_and_says_by_whom(algorithm: str) -> None:
    by = key(algorithm)
    fields = sign(BARE, by, COVERED, created=NOW, expires=NOW + 60, nonce="n-1", tag="t")
    held = verified(replace(BARE, fields=BARE.fields + fields), by)
    assert held == Verified(
        label="sig1",
        keyid=by.keyid,
        key=by.verifying.name,
        algorithm=algorithm,
        created=NOW,
        expires=NOW + 60,
        nonce="n-1",
        tag="t",
        components=tuple(f'"{name}"' for name in COVERED),
    )


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_flipped_bit_of_any_signature_does_not(algorithm: str, place: int) -> None:
    by = key(algorithm)
    said = b'"x": 1'
    octets = bytearray(by.sign(said))
    assert by.verifying.verify(said, bytes(octets))
    octets[place] ^= 1
    assert not by.verifying.verify(said, bytes(octets))
    for other in (octets[:-1], octets + b"\0", b""):
        assert not by.verifying.verify(said, bytes(other))


def test_two_numbers_of_ecdsa_have_thirty_two_octets_each() -> None:
    by = key("ecdsa-p256-sha256")
    signature = next(made for _ in range(100_000) if (made := by.sign(b"x"))[32] == 0)
    assert by.verifying.verify(b"x", signature)
    assert not by.verifying.verify(b"x", signature[:32] + signature[33:])


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"target": "/orders/2?day=1"},
        {"target": "/orders/1"},
        {"scheme": "http"},
        {"authority": "other.example"},
    ],
)
def test_another_request_is_not_the_one_that_was_signed(changed: dict[str, str]) -> None:
    assert reason(replace(signed(), **changed)) == "invalid"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [b"content-digest", b"transfer-id"])
def test_a_field_that_changed_came_twice_or_went_does_not_hold(name: bytes) -> None:
    said = signed()
    others = tuple(field for field in said.fields if field[0] != name)
    assert reason(replace(said, fields=(*others, (name, b"x")))) == "invalid"
    assert reason(replace(said, fields=(*said.fields, (name, b"x")))) == "invalid"
    assert reason(replace(said, fields=others)) == "component-absent"


def test_what_is_not_covered_may_change() -> None:
    said = signed()
    assert verified(replace(said, fields=((b"x", b"1"), *said.fields))).nonce == "n"


def test_spaces_that_the_strict_form_has_not_are_no_matter() -> None:
    said = signed()
    fields = tuple(
        (name, value.replace(b'" "', b'"   "') if name == b"signature-input" else value)
        for name, value in said.fields
    )
    assert fields != said.fields
    assert verified(replace(said, fields=fields)).nonce == "n"


# --- which one counts ----------------------------------------------------------------------------


def test_signatures_of_others_may_be_there() -> None:
    other = key("ecdsa-p256-sha256")
    said = signed(signed(by=other, label="theirs", tag="other"))
    assert verified(said).label == "sig1"
    assert verified(said, other).label == "theirs"
    assert verified(said, key(), other, demands=Demands(tag="other")).label == "theirs"


def test_two_that_could_count_are_refused() -> None:
    assert reason(signed(signed(), label="sig2")) == "ambiguous"
    other = key("ecdsa-p256-sha256")
    assert reason(signed(signed(by=other, label="sig2")), key(), other) == "ambiguous"


def test_more_signatures_than_anybody_needs_are_refused() -> None:
    others = signed()
    for number in range(MOST - 1):
        others = signed(others, label=f"x{number}", tag="other")
    demands = Demands(tag="lockgate")
    assert verified(others, demands=demands).label == "sig1"
    assert reason(signed(others, label="y", tag="other"), demands=demands) == "malformed"


def test_two_keys_of_one_name_are_refused_and_one_key_twice_is_not() -> None:
    twin = replace(key("ecdsa-p256-sha256").verifying, keyid=key().keyid)
    with pytest.raises(SignatureFailure, match="ambiguous"):
        verify(signed(), [key().verifying, twin], Demands(), datetime.fromtimestamp(NOW, UTC))
    assert verified(signed(), key(), key()).label == "sig1"


def test_a_key_is_found_by_its_kid_or_its_thumbprint() -> None:
    named = replace(key().verifying, keyid="etl-1")
    for keyid in ("etl-1", named.thumbprint):
        held = verify(signed(keyid=keyid), [named], Demands(), datetime.fromtimestamp(NOW, UTC))
        assert (held.keyid, held.key) == (keyid, named.thumbprint)


def test_a_key_of_nobody_here_is_refused() -> None:
    assert reason(signed(), key("ecdsa-p256-sha256")) == "key-unknown"
    with pytest.raises(SignatureFailure, match="key-unknown"):
        verify(signed(), [], Demands(), datetime.fromtimestamp(NOW, UTC))


def test_without_a_keyid_a_single_key_will_do_where_none_is_demanded() -> None:
    said = signed(keyid=False)
    lenient = Demands(parameters=frozenset({"created"}))
    assert verified(said, demands=lenient).keyid == ""
    assert reason(said) == "parameter-missing"
    assert reason(said, key(), key("rsa-pss-sha512"), demands=lenient) == "parameter-missing"
    assert reason(said, key("rsa-pss-sha512"), demands=lenient) == "invalid"


def test_the_wrong_tag_does_not_count() -> None:
    assert reason(signed(tag="other"), demands=Demands(tag="lockgate")) == "tag"
    assert reason(signed(tag=False), demands=Demands(tag="lockgate")) == "tag"
    assert verified(signed(tag=False)).tag is None


# --- what it must say ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["created", "expires", "nonce"])
def test_what_is_demanded_must_be_said(name: str) -> None:
    without: dict[str, Any] = {name: False}
    assert reason(signed(**without)) == "parameter-missing"
    lenient = Demands(parameters=frozenset({"keyid"}))
    assert verified(signed(**without), demands=lenient).label == "sig1"


@pytest.mark.parametrize(
    ("components", "missing"),
    [
        (COVERED[1:], "@method"),
        (("@method", "content-digest", "transfer-id"), "@target-uri"),
        (("@method", "@target-uri", "transfer-id"), "content-digest"),
        (("@method", "@target-uri", 'content-digest";key="sha-256'), "content-digest"),
        (("@method", "@authority", "@path", "content-digest", "transfer-id"), "@target-uri"),
        ((), "@method"),
    ],
)
def test_what_is_demanded_must_be_covered(components: tuple[str, ...], missing: str) -> None:
    said = tuple(f'"{name}"' if ";" in name else name for name in components)
    with pytest.raises(SignatureFailure, match=f"component-missing: {missing} "):
        verified(signed(components=said))


@pytest.mark.parametrize(
    ("components", "covered", "not_covered"),
    [
        (("@target-uri",), ("@path", "@query", "@authority", "@scheme"), ("@method",)),
        (("@request-target",), ("@path", "@query"), ("@target-uri", "@authority")),
        (("@authority", "@request-target"), ("@target-uri",), ("@scheme",)),
        (("@authority", "@path", "@query"), ("@target-uri",), ("@request-target",)),
        (("@path",), ("@path",), ("@query", "@target-uri")),
        (('"content-digest";sf',), ("content-digest",), ()),
        (('"content-digest";bs',), ("content-digest",), ()),
        (('"content-digest";key="sha-256"',), (), ("content-digest",)),
        (('"@query-param";name="day"',), (), ("@query", "@query-param")),
    ],
)
def test_a_whole_may_be_covered_by_itself_or_in_parts(
    components: tuple[str, ...], covered: tuple[str, ...], not_covered: tuple[str, ...]
) -> None:
    held = verified(signed(components=components), demands=Demands())
    assert all(map(held.covers, covered))
    assert not any(map(held.covers, not_covered))


def test_a_trailer_or_the_request_of_an_answer_is_not_the_field_itself() -> None:
    with_trailer = replace(BARE, trailers=((b"content-digest", b"x"),))
    held = verified(signed(with_trailer, components=('"content-digest";tr',)), demands=Demands())
    assert not held.covers("content-digest")


def test_the_algorithm_is_that_of_the_key_and_admitted() -> None:
    assert verified(signed(alg="ed25519")).algorithm == "ed25519"
    assert reason(signed(alg="hmac-sha256")) == "key-kind"
    assert reason(signed(alg="none")) == "key-kind"
    only = Demands(algorithms=frozenset({"ml-dsa-44"}))
    assert reason(signed(), demands=only) == "algorithm"


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    public = key().verifying.public
    assert not isinstance(public, bytes)
    forged = VerifyingKey("hmac-sha256", key().keyid, "", public.public_bytes_raw())  # type: ignore[union-attr]
    by = SigningKey(forged, forged.public)  # type: ignore[arg-type]
    assert reason(signed(by=by)) == "invalid"


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "expires", "at", "verdict"),
    [
        (NOW, NOW + 60, NOW - 30, None),
        (NOW, NOW + 60, NOW - 30.5, "not-yet"),
        (NOW, NOW + 60, NOW + 90, None),
        (NOW, NOW + 60, NOW + 90.5, "expired"),
        (NOW, NOW, NOW, None),
        (NOW, NOW - 1, NOW, "malformed"),
        (NOW, NOW + 300, NOW, None),
        (NOW, NOW + 301, NOW, "too-long"),
        (NOW, False, NOW + 330, None),
        (NOW, False, NOW + 331, "stale"),
        (False, NOW + 60, NOW, None),
        (False, NOW - 31, NOW, "expired"),
        (NOW, 10**15 - 1, NOW, "too-long"),
        (-(10**15) + 1, NOW, NOW, "too-long"),
    ],
)
def test_it_holds_between_created_and_expires_and_as_far_as_clocks_may_differ(
    created: int, expires: int, at: float, verdict: str | None
) -> None:
    demands = Demands(parameters=frozenset(), skew=30, window=300)
    said = signed(created=created, expires=expires)
    if verdict is None:
        assert verified(said, demands=demands, at=at).label == "sig1"
    else:
        assert reason(said, demands=demands, at=at) == verdict


# --- what is no signature ------------------------------------------------------------------------


def with_fields(given: bytes | None, signature: bytes | None) -> Message:
    fields = [*BARE.fields]
    fields += [(b"signature-input", given)] if given is not None else []
    fields += [(b"signature", signature)] if signature is not None else []
    return replace(BARE, fields=tuple(fields))


@pytest.mark.parametrize(
    ("given", "signature", "verdict"),
    [
        (None, None, "missing"),
        (b"sig1=()", None, "missing"),
        (None, b"sig1=:AA==:", "missing"),
        (b"", b"", "missing"),
        (b"sig1=()", b"sig2=:AA==:", "malformed"),
        (b"sig1=(), sig2=()", b"sig1=:AA==:", "malformed"),
        (b"sig1=(), sig1=()", b"sig1=:AA==:", "malformed"),
        (b"sig1=()", b"sig1=:AA==:, sig1=:AA==:", "malformed"),
        (b"sig1", b"sig1=:AA==:", "malformed"),
        (b"sig1=1", b"sig1=:AA==:", "malformed"),
        (b"sig1=()", b"sig1=()", "malformed"),
        (b"sig1=()", b'sig1="AA=="', "malformed"),
        (b"sig1=()", b"sig1=:AA==:;a", "malformed"),
        (b"sig1=(", b"sig1=:AA==:", "malformed"),
        (b"sig1=()", b"sig1=:AB==:", "malformed"),
        (b"sig1=();created=1.0", b"sig1=:AA==:", "malformed"),
        (b"sig1=();created=@1", b"sig1=:AA==:", "malformed"),
        (b"sig1=();created", b"sig1=:AA==:", "malformed"),
        (b'sig1=();created="1"', b"sig1=:AA==:", "malformed"),
        (b"sig1=();keyid=a", b"sig1=:AA==:", "malformed"),
        (b"sig1=();nonce=:AA==:", b"sig1=:AA==:", "malformed"),
        (b'sig1=();keyid="\xc3\xbc"', b"sig1=:AA==:", "malformed"),
        (b'sig1=();keyid="a"', b"sig1=:AA==:", "key-unknown"),
    ],
)
def test_what_is_no_signature_is_refused(
    given: bytes | None, signature: bytes | None, verdict: str
) -> None:
    said = with_fields(given, signature)
    assert reason(said) == verdict
    assert has_signature(said.fields) == (given is not None or signature is not None)


@pytest.mark.parametrize(
    "components", ["date", '"@method" "@method"', '"@none"', '"@status"', '"x-none"', '"Date"']
)
def test_a_signature_over_what_is_not_there_is_refused(components: str) -> None:
    keyid = key().keyid.encode()
    given = b'sig1=(%s);keyid="%s"' % (components.encode(), keyid)
    found = reason(with_fields(given, b"sig1=:AA==:"), demands=Demands(parameters=frozenset()))
    assert found in ("malformed", "component-malformed", "component-absent")


def test_what_has_no_form_is_not_signed() -> None:
    for bad in ({"nonce": "ü"}, {"tag": "\n"}):
        with pytest.raises(SignatureFailure, match="malformed"):
            sign(BARE, key(), COVERED, created=NOW, **bad)  # type: ignore[arg-type]
    with pytest.raises(SignatureFailure, match="malformed"):
        sign(BARE, key(), ['"@method'], created=NOW)
    with pytest.raises(SignatureFailure, match="absent"):
        sign(BARE, key(), ["x-none"], created=NOW)


@given(
    st.binary(max_size=60) | st.text('sig1=()"@method;keyid, 5:A', max_size=60).map(str.encode),
    st.binary(max_size=20) | st.sampled_from([b"sig1=:AA==:", b"a=::"]),
)
def test_whatever_comes_is_refused_with_a_reason_and_nothing_else(
    given: bytes, signature: bytes
) -> None:
    reason(with_fields(given, signature), demands=Demands(parameters=frozenset()))


@given(
    st.lists(st.sampled_from([*COVERED, "content-type", '"content-digest";sf']), unique=True),
    st.from_regex(r"\A[\x20-\x7e]{0,20}\Z"),
    st.integers(0, 10**11),
)
def test_what_was_signed_holds_whatever_is_covered_and_said(
    components: list[str], nonce: str, created: int
) -> None:
    said = signed(components=tuple(components), nonce=nonce, created=created, expires=created)
    held = verified(said, demands=Demands(), at=created)
    assert (held.nonce, held.created, len(held.components)) == (nonce, created, len(components))
