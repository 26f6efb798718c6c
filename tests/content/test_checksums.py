"""Check digits and wallets, held to examples that others have published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.checksums import CHECKSUMS
from proxy.content.wallets import base58check, bech32, eip55, keccak256

PUBLISHED = [
    ("luhn", "79927398713"),  # the usual example of the algorithm
    ("luhn", "046454286"),  # a SIN that is given to nobody
    ("mod97", "GB82WEST12345698765432"),  # SWIFT IBAN registry
    ("mod97", "DE89370400440532013000"),
    ("verhoeff", "2363"),  # 236 and its check digit, as in Verhoeff's example
    ("npi", "1234567893"),  # CMS, "NPI check digit"
    ("nhs", "9434765919"),  # NHS Data Dictionary
    ("tfn", "123456782"),
    ("pesel", "44051401359"),
    ("nif_spain", "12345678Z"),
    ("nif_spain", "X1234567L"),
    ("nif_portugal", "123456789"),
    ("fiscal_code", "RSSMRA85T10A562S"),
]


@pytest.mark.parametrize(("name", "text"), PUBLISHED)
def test_a_published_example_holds_and_no_other_last_character_does(name: str, text: str) -> None:
    holds = CHECKSUMS[name]
    assert holds(text.encode())
    last = "0123456789" if text[-1].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert [end for end in last if holds((text[:-1] + end).encode())] == [text[-1]]


@pytest.mark.parametrize("name", ["luhn", "verhoeff", "npi", "pesel", "aba", "nhs", "tfn"])
@given(data=st.data())
def test_a_single_wrong_digit_never_holds(name: str, data: st.DataObject) -> None:
    length = {"npi": 10, "pesel": 11, "nhs": 10}.get(name, 9)
    start = data.draw(st.text("0123456789", min_size=length - 1, max_size=length - 1))
    holds = CHECKSUMS[name]
    whole = [start + end for end in "0123456789" if holds((start + end).encode())]
    for right in whole:
        place = data.draw(st.integers(0, length - 1))
        other = data.draw(st.sampled_from([d for d in "0123456789" if d != right[place]]))
        assert not holds((right[:place] + other + right[place + 1 :]).encode())


@given(st.sampled_from(sorted(CHECKSUMS)), st.binary(max_size=20) | st.text("0A9-").map(str.encode))
def test_whatever_is_no_number_does_not_hold_and_raises_nothing(name: str, octets: bytes) -> None:
    if not octets.isalnum():
        assert not CHECKSUMS[name](octets)
    else:
        assert CHECKSUMS[name](octets) in (True, False)


@pytest.mark.parametrize(
    "address",
    [
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",  # Bitcoin wiki, "Address"
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "1111111111111111111114oLvT2",  # twenty zeros
    ],
)
def test_base58check_holds_for_published_addresses_only(address: str) -> None:
    assert base58check(address.encode())
    for place in range(len(address)):
        other = "2" if address[place] != "2" else "3"
        assert not base58check((address[:place] + other + address[place + 1 :]).encode())
    assert not base58check(b"1" + address.encode())
    assert not base58check(b"0" * 30)
    assert not base58check(b"z" * 200_000)


@pytest.mark.parametrize(
    ("address", "holds"),
    [  # BIP 350, "Test vectors for v0-v16 native segregated witness addresses"
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
        ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", True),
        ("BC1SW50QGDZ25J", True),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", True),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", True),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", False),
        ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", False),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", False),
        ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", False),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", False),
        ("bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", False),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", False),
        ("bc1gmk9yu", False),
    ],
)
def test_bech32_holds_for_what_bip_350_calls_valid(address: str, holds: bool) -> None:
    assert bech32(address.encode()) is holds


@pytest.mark.parametrize(
    "address",
    [  # EIP-55, "Test cases"
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_eip_55_holds_for_its_examples_and_no_other_case(address: str) -> None:
    assert eip55(address.encode())
    for place in range(2, 42):
        if address[place].isalpha():
            other = address[:place] + address[place].swapcase() + address[place + 1 :]
            assert not eip55(other.encode())


def test_keccak_is_that_of_ethereum_and_not_sha3() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty  # Ethereum yellow paper, appendix on the empty string
    with pytest.raises(ValueError, match="one block"):
        keccak256(b"x" * 136)
