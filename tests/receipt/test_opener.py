"""Envelopes as a signer makes them are opened without JSON; all others are left to `verify_by`."""

import base64

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from proxy.receipt import dsse
from proxy.receipt.opener import opener

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}\xc3\xbf>>??'
ENVELOPE = dsse.sign(PAYLOAD, KEY)
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group (RFC 8032, section 5.1)."""


@given(st.binary(max_size=300))
def test_what_a_signer_made_is_opened(payload: bytes) -> None:
    assert opener(KEY.public_key())(dsse.sign(payload, KEY)) == payload


def test_no_octet_of_an_envelope_can_be_changed_added_or_missed() -> None:
    opened = opener(KEY.public_key())
    for at in range(len(ENVELOPE)):
        for wrong in {*b'"\\ =,{-_A', ENVELOPE[at] ^ 1, ENVELOPE[at] ^ 0x80} - {ENVELOPE[at]}:
            assert opened(ENVELOPE[:at] + bytes([wrong]) + ENVELOPE[at + 1 :]) is None
        for extra in (b"=", b" ", b"A", b'"'):
            assert opened(ENVELOPE[:at] + extra + ENVELOPE[at:]) is None
        assert opened(ENVELOPE[:at] + ENVELOPE[at + 1 :]) is None
        assert opened(ENVELOPE[:at]) is None


def test_a_payload_that_is_not_there_is_not_taken_for_an_empty_one() -> None:
    empty = dsse.sign(b"", KEY)
    assert opener(KEY.public_key())(empty) == b""
    overlapping = empty.replace(b':"","payloadType', b':","payloadType')
    assert len(overlapping) < len(empty)
    assert opener(KEY.public_key())(overlapping) is None


def test_an_envelope_by_another_key_or_spelt_otherwise_is_left_to_the_others() -> None:
    opened = opener(KEY.public_key())
    spaced = orjson.dumps(orjson.loads(ENVELOPE), option=orjson.OPT_INDENT_2)
    assert dsse.verify(spaced, KEY.public_key()) == PAYLOAD
    claimed = dsse.sign(PAYLOAD, OTHER, keyid=dsse.key_id(KEY.public_key()))
    named = dsse.sign(PAYLOAD, KEY, keyid="x")
    assert [opened(each) for each in (spaced, claimed, named, b"", b"{}")] == [None] * 5


def resigned(signature: bytes) -> bytes:
    value = orjson.loads(ENVELOPE)
    value["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return orjson.dumps(value)


def test_a_signature_that_is_not_canonical_or_of_another_length_opens_nothing() -> None:
    opened = opener(KEY.public_key())
    right = KEY.sign(dsse.pae(dsse.PAYLOAD_TYPE, PAYLOAD))
    assert opened(resigned(right)) == PAYLOAD
    scalar = int.from_bytes(right[32:], "little") + ORDER
    for wrong in (right[:32] + scalar.to_bytes(32, "little"), right[:-1], right + b"D"):
        assert opened(resigned(wrong)) is None


@pytest.mark.parametrize(
    "point", [b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", bytes(32)]
)
def test_a_key_of_small_order_opens_nothing(point: bytes) -> None:
    """Such a key has signatures for any message at all."""
    key = Ed25519PublicKey.from_public_bytes(point)
    for r in (b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", bytes(32)):
        value = orjson.loads(ENVELOPE)
        sig = base64.b64encode(r + bytes(32)).decode()
        value["signatures"] = [{"keyid": dsse.key_id(key), "sig": sig}]
        assert opener(key)(orjson.dumps(value)) is None
