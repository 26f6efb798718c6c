"""Pseudonyms: the documented construction, rotation, and what cannot be smuggled."""

import base64
import hashlib
import hmac
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import tokens
from proxy.content.tokens import Tokenizer
from proxy.errors import CredentialError
from tests.content.policies import HMAC, KEYS, compiled, masked, sent

OLD, NEW = ("k1", b"k" * 32), ("k2", b"n" * 32)


def check_of(secret: bytes, key_id: bytes, value: bytes) -> bytes:
    key = hmac.digest(secret, b"lockgate/token/v1/check\0" + key_id, "sha256")
    cipher = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # noqa: S305 (single blocks)
    return cipher.update(value)[:8]


def value_of(secret: bytes, algorithm: str, canonical: bytes) -> bytes:
    message = b"lockgate/token/v1/value\0" + canonical
    if algorithm == "blake2b":
        key = hmac.digest(secret, b"lockgate/token/v1/blake2b", "sha256")
        return hashlib.blake2b(message, key=key, digest_size=16).digest()
    return hmac.digest(secret, message, "sha256")[:16]


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "blake2b"])
def test_the_worked_examples_of_the_manual_are_true(algorithm: str) -> None:
    manual = Path(__file__).resolve().parents[2] / "docs" / "masking.md"
    secret, canonical = b"\x6b" * 32, b"078-05-1120"
    value = value_of(secret, algorithm, canonical)
    body = base64.urlsafe_b64encode(value + check_of(secret, b"k1", value)).decode()
    token = Tokenizer("pseudonym", [("k1", secret)], algorithm).token(canonical)
    assert token == f"tok:k1:{body}"
    for page in (manual.read_text("utf-8"), str(tokens.__doc__)):
        assert re.search(rf"^ *{token} +{algorithm}$", page, re.M)


@given(
    st.binary(min_size=16, max_size=200),
    st.sampled_from(["hmac-sha256", "blake2b"]),
    st.lists(st.binary(max_size=300), max_size=5),
)
def test_many_tokens_at_once_are_the_documented_ones(
    secret: bytes, algorithm: str, texts: list[bytes]
) -> None:
    values = [value_of(secret, algorithm, text) for text in texts]
    expected = [
        b"<tok:id:%b<" % base64.urlsafe_b64encode(value + check_of(secret, b"id", value))
        for value in values
    ]
    assert Tokenizer("n", [("id", secret)], algorithm).tokens(texts, b"<") == expected


def test_either_algorithm_recognises_what_the_other_has_made_with_the_same_key() -> None:
    old, new = (Tokenizer("n", [OLD], algorithm) for algorithm in ("hmac-sha256", "blake2b"))
    assert old.token(b"x") != new.token(b"x")
    assert old.recognises(new.token(b"x"))
    assert new.recognises(old.token(b"x"))


def test_threads_share_a_tokenizer() -> None:
    tokenizer = Tokenizer("n", [OLD])
    texts = [b"%d" % n for n in range(2000)]
    expected = tokenizer.tokens(texts)
    with ThreadPoolExecutor(4) as pool:
        assert all(made == expected for made in pool.map(tokenizer.tokens, [texts] * 16))


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
    "keys",
    [
        [],
        [("k1", b"short")],
        [("k1", b"fifteen-octets:")],
        [OLD, ("k1", b"n" * 32)],
        [("k:1", b"k" * 32)],
    ],
)
def test_keys_that_cannot_be_used_are_refused(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(CredentialError) as caught:
        compiled({"$.a": HMAC}, keys={"pseudonym": keys})
    assert "short" not in str(caught.value)
    assert "fifteen" not in str(caught.value)


def test_a_key_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="not listed"):
        compiled({"$.a": HMAC}, keys={})
