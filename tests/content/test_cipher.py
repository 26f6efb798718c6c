"""Encrypted values: the documented construction, rotation, binding, and what cannot be smuggled."""

import base64
import hashlib
import hmac
import json
import re
import string
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.cipher import Cipher, Sealed
from proxy.content.values import Masked, Scalar
from proxy.errors import CredentialError
from tests.content.policies import compiled, masked, sent

OLD, NEW = ("k1", b"k" * 32), ("k2", b"n" * 32)
VAULT = {"vault": [NEW, OLD]}
ENCRYPT = {"encrypt": {"key": "vault", "tenant": "acme"}}
PLACE = "$['ssn']"
SSN = Scalar("string", b"078-05-1120")


def cipher(*keys: tuple[str, bytes], tenant: str | None = "acme", place: str = PLACE) -> Cipher:
    return Cipher("vault", keys or (NEW, OLD), tenant, place)


def test_the_worked_example_of_the_manual_is_true() -> None:
    """HKDF by hand (RFC 5869), and its output as the key of AES-256-SIV."""
    manual = (Path(__file__).resolve().parents[2] / "docs" / "masking.md").read_text("utf-8")
    extracted = hmac.digest(b"\0" * 64, b"\x6b" * 32, "sha512")
    key = hmac.digest(extracted, b"lockgate/encrypt/v1\x01", "sha512")
    assert len(key) == hashlib.sha512().digest_size == 64
    sealed = AESSIV(key).encrypt(b"s078-05-1120", [b"acme", PLACE.encode()])
    token = "enc:k1:" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    assert cipher(OLD).seal(SSN) == token.encode()
    assert token in manual


def test_aes_siv_is_that_of_rfc_5297() -> None:
    """Appendix A.1: a key of 256 bits, one string of associated data."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    data = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    sealed = AESSIV(key).encrypt(bytes.fromhex("112233445566778899aabbccddee"), [data])
    assert sealed.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


values = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])).map(lambda t: Scalar("string", t.encode())),
    st.integers().map(lambda n: Scalar("number", str(n).encode())),
)


@given(values)
def test_whoever_has_the_key_gets_the_value_and_its_kind_back(value: Scalar) -> None:
    token = cipher().seal(value)
    assert re.fullmatch(rb"enc:k2:[A-Za-z0-9_-]+", token)
    assert cipher().open(token) == Masked(value.kind, value.text)  # type: ignore[arg-type]
    assert cipher().seal(value) == token


def test_the_newest_key_writes_and_all_that_are_listed_read() -> None:
    before = cipher(OLD).seal(SSN)
    assert before.startswith(b"enc:k1:")
    assert cipher(NEW, OLD).seal(SSN).startswith(b"enc:k2:")
    assert cipher(NEW, OLD).open(before) == Masked("string", SSN.text)
    with pytest.raises(Sealed, match="key k1 is not listed"):
        cipher(NEW).open(before)


@pytest.mark.parametrize(
    "other",
    [
        cipher(tenant="other"),
        cipher(tenant=None),
        cipher(place="$['snn']"),
        cipher(tenant="acme$", place="['ssn']"),
        cipher(("k2", b"f" * 32)),
    ],
)
def test_a_token_opens_with_its_own_key_tenant_and_path_only(other: Cipher) -> None:
    token = cipher().seal(SSN)
    assert cipher().made(token)
    assert not other.made(token)
    with pytest.raises(Sealed, match="another key, for another tenant or path"):
        other.open(token)


def test_a_token_changed_in_any_character_does_not_open() -> None:
    token = cipher().seal(SSN)
    for at in range(len(token)):
        changed = token[:at] + (b"A" if token[at : at + 1] != b"A" else b"B") + token[at + 1 :]
        assert not cipher().made(changed), changed
    for other in (token[:-1], token + b"A", token + b"=", b" " + token, token + b"\n"):
        assert not cipher().made(other), other


def test_a_token_has_one_spelling() -> None:
    """The last character may say more bits than there are."""
    token = cipher().seal(SSN)
    letters = string.ascii_letters + string.digits + "-_"
    assert len(token.rpartition(b":")[2]) % 4
    assert [c for c in letters if cipher().made(token[:-1] + c.encode())] == [chr(token[-1])]


def test_masking_leaves_own_tokens_and_encrypts_what_looks_like_one() -> None:
    rules = compiled({"$.ssn": ENCRYPT}, keys=VAULT)
    once, _ = sent(rules, "json", [b'{"ssn":"078-05-1120"}'])
    assert sent(rules, "json", [once])[0] == once
    moved = compiled({"$.other": ENCRYPT}, keys=VAULT)
    token = json.loads(once)["ssn"]
    again = json.loads(sent(moved, "json", [json.dumps({"other": token}).encode()])[0])["other"]
    assert again != token
    assert again.startswith("enc:k2:")


def test_one_path_in_two_spellings_is_one_place() -> None:
    def token(path: str) -> Any:
        out = masked('{"a":{"b":"x"}}', {path: ENCRYPT}, keys=VAULT)
        return json.loads(out)["a"]["b"]

    assert token("$.a.b") == token("$['a'][\"b\"]") == token("$.a['\\u0062']")
    assert token("$.a.b") != token("$..b")


def test_a_secret_is_not_the_key_itself() -> None:
    """So that one secret that is used for two purposes is two keys."""
    sealed = AESSIV(OLD[1] * 2).encrypt(b"s078-05-1120", [b"acme", PLACE.encode()])
    assert not cipher(OLD).made(b"enc:k1:" + base64.urlsafe_b64encode(sealed).rstrip(b"="))


@pytest.mark.parametrize(
    "keys", [[], [("k1", b"k" * 31)], [OLD, ("k1", b"n" * 32)], [("k:1", b"k" * 32)]]
)
def test_keys_that_cannot_be_used_are_refused(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(CredentialError) as caught:
        Cipher("vault", keys, None, PLACE)
    assert "kkk" not in str(caught.value)
