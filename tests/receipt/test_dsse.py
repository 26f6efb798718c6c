"""Envelopes: others verify ours, and ours are refused when anything about them is wrong."""

import base64
import hashlib

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from proxy.errors import EvidenceError
from proxy.receipt import dsse

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}\xc3\xbf>>??'
ENVELOPE = dsse.sign(PAYLOAD, KEY)


def test_the_encoding_that_is_signed_is_that_of_the_specification() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_securesystemslib_verifies_our_envelopes_and_no_changed_one() -> None:
    public = KEY.public_key()
    key = SSlibKey.from_crypto(public, dsse.key_id(public))
    theirs = Envelope.from_dict(orjson.loads(ENVELOPE))
    assert theirs.verify([key], 1) == {dsse.key_id(public): key}
    assert (theirs.payload, theirs.payload_type) == (PAYLOAD, dsse.PAYLOAD_TYPE)
    theirs.payload += b" "
    with pytest.raises(VerificationError):
        theirs.verify([key], 1)


def test_the_key_id_is_the_openssh_fingerprint() -> None:
    line = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert load_ssh_public_key(line) == KEY.public_key()
    blob = base64.b64decode(line.split()[1])
    fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()
    assert dsse.key_id(KEY.public_key()) == f"SHA256:{fingerprint}"


def test_an_envelope_is_the_same_every_time_and_names_one_signature() -> None:
    assert dsse.sign(PAYLOAD, KEY) == ENVELOPE
    assert len(dsse.parse(ENVELOPE).signatures) == 1
    assert dsse.verify(ENVELOPE, KEY.public_key()) == PAYLOAD


@given(st.binary(max_size=300))
def test_a_signer_makes_what_dsse_says(payload: bytes) -> None:
    signature = KEY.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
    keyid = dsse.key_id(KEY.public_key())
    plain = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": dsse.PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    assert dsse.signer(KEY)(payload) == orjson.dumps(plain)
    assert dsse.signer(KEY, keyid=keyid)(payload) == dsse.sign(payload, KEY)


def test_both_alphabets_of_base64_verify() -> None:
    value = orjson.loads(ENVELOPE)
    value["payload"] = base64.urlsafe_b64encode(PAYLOAD).decode()
    value["signatures"][0]["sig"] = base64.urlsafe_b64encode(
        base64.b64decode(value["signatures"][0]["sig"])
    ).decode()
    assert "_" in value["payload"] or "-" in value["payload"]
    assert dsse.verify(orjson.dumps(value), KEY.public_key()) == PAYLOAD


def test_another_key_does_not_verify_even_under_our_key_id() -> None:
    claimed = dsse.sign(PAYLOAD, OTHER, keyid=dsse.key_id(KEY.public_key()))
    with pytest.raises(EvidenceError):
        dsse.verify(claimed, KEY.public_key())
    with pytest.raises(EvidenceError):
        dsse.verify(ENVELOPE, OTHER.public_key())


def test_signatures_by_others_are_skipped() -> None:
    value, other = orjson.loads(ENVELOPE), orjson.loads(dsse.sign(PAYLOAD, OTHER))
    value["signatures"] = other["signatures"] + value["signatures"]
    value["unknown"] = True
    assert dsse.verify(orjson.dumps(value), KEY.public_key()) == PAYLOAD


def test_another_payload_type_is_refused_though_it_is_signed() -> None:
    value = orjson.loads(ENVELOPE)
    value["payloadType"] = "application/json"
    signature = KEY.sign(dsse.pae("application/json", PAYLOAD))
    value["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    with pytest.raises(EvidenceError, match="payload type"):
        dsse.verify(orjson.dumps(value), KEY.public_key())


@pytest.mark.parametrize("field", ["payload", "payloadType", "signatures"])
@pytest.mark.parametrize("value", [None, 7, "ä", [], {}, [7], [{}], [{"sig": 7}]])
def test_an_envelope_of_another_shape_is_refused(field: str, value: object) -> None:
    changed = orjson.loads(ENVELOPE) | {field: value}
    with pytest.raises(EvidenceError):
        dsse.verify(orjson.dumps(changed), KEY.public_key())


@given(st.one_of(st.binary(max_size=200), st.sampled_from([b"[]", b"{}", b"null", b'"x"'])))
def test_any_octets_are_an_envelope_or_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        dsse.parse(data)
