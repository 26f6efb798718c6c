"""Pseudonyms: the documented construction, rotation, and what cannot be smuggled."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.tokens import Tokenizer, _Key
from proxy.errors import CredentialError
from tests.content.policies import HMAC, KEYS, compiled, masked, sent

OLD, NEW = ("k1", b"k" * 32), ("k2", b"n" * 32)


def test_the_worked_example_of_the_manual_is_true() -> None:
    manual = Path(__file__).resolve().parents[2] / "docs" / "masking.md"
    secret, value = b"\x6b" * 32, "078-05-1120"
    digest = hmac.new(secret, b"lockgate/token/v1/value\0" + value.encode(), hashlib.sha256)
    check = hmac.new(
        secret, b"lockgate/token/v1/check\0k1\0" + digest.digest()[:16], hashlib.sha256
    )
    body = base64.urlsafe_b64encode(digest.digest()[:16] + check.digest()[:8]).decode()
    assert Tokenizer("pseudonym", [("k1", secret)]).token(value.encode()) == f"tok:k1:{body}"
    assert f"tok:k1:{body}" in manual.read_text("utf-8")


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_prepared_pads_give_hmac_sha256(secret: bytes, message: bytes) -> None:
    assert _Key("k", secret).mac(message) == hmac.digest(secret, message, "sha256")


def test_a_string_and_the_number_with_its_text_get_the_same_token() -> None:
    out = json.loads(masked(rb'["12.50", 12.50, "1\u0032.50", 12.5]', {"$[*]": HMAC}))
    assert len({*out[:3]}) == 1
    assert out[3] != out[0]
    assert all(re.fullmatch(r"tok:k2:[A-Za-z0-9_-]{32}", token) for token in out)


def test_the_newest_key_writes_and_older_tokens_stay() -> None:
    before = Tokenizer("n", [OLD]).token(b"secret")
    rotated = compiled({"$": HMAC}, keys={"pseudonym": [NEW, OLD]})
    assert sent(rotated, "json", [json.dumps(before).encode()])[0] == f'"{before}"'.encode()
    assert sent(rotated, "json", [b'"secret"'])[0].startswith(b'"tok:k2:')
    retired = compiled({"$": HMAC}, keys={"pseudonym": [NEW]})
    assert sent(retired, "json", [f'"{before}"'.encode()])[0].startswith(b'"tok:k2:')


@given(st.text(alphabet="ABCwxyz019_-", min_size=32, max_size=32), st.sampled_from(["k1", "k2"]))
def test_plain_data_in_the_look_of_a_token_is_masked(body: str, key: str) -> None:
    out = masked(f'"tok:{key}:{body}"', {"$": HMAC})
    assert body.encode() not in out


def test_a_genuine_token_changed_in_any_character_or_key_is_masked() -> None:
    token = Tokenizer("n", KEYS["pseudonym"]).token(b"value")
    assert masked(f'"{token}"', {"$": HMAC}) == f'"{token}"'.encode()
    changed = [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(39)]
    changed += [token + "A", token[:-1], token.replace("k2", "k1"), token.upper(), " " + token]
    for text in changed:
        assert masked(f'"{text}"', {"$": HMAC}) != f'"{text}"'.encode()
    foreign = Tokenizer("n", [("k2", b"f" * 32)]).token(b"value")
    assert masked(f'"{foreign}"', {"$": HMAC}) != f'"{foreign}"'.encode()


def test_an_escaped_genuine_token_is_left_as_spelt() -> None:
    token = Tokenizer("n", KEYS["pseudonym"]).token(b"value")
    spelt = '"\\u0074' + token[1:] + '"'
    assert masked(spelt, {"$": HMAC}) == spelt.encode()


@pytest.mark.parametrize(
    "keys", [[], [("k1", b"short")], [OLD, ("k1", b"n" * 32)], [("k:1", b"k" * 32)]]
)
def test_keys_that_cannot_be_used_are_refused(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(CredentialError) as caught:
        compiled({"$.a": HMAC}, keys={"pseudonym": keys})
    assert "short" not in str(caught.value)


def test_a_key_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="not listed"):
        compiled({"$.a": HMAC}, keys={})
