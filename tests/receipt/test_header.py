"""Receipts in saved answers: ours is the last, and what is not a receipt is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import header


def test_items_are_read_as_they_are_written() -> None:
    value = header.item(b"one") + b", " + header.item(b"") + b';a="1" ,\t' + header.item(b"\xff")
    assert header.parse_items(value.decode()) == [b"one", b"", b"\xff"]


@pytest.mark.parametrize(
    "value", ["", "x", ":", "abc", ":abc", ":a:", ":YQ==:,", ":Y Q==:", ":YQ:"]
)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(EvidenceError):
        header.parse_items(value)


def test_receipts_are_found_in_what_curl_saved() -> None:
    saved = (
        "HTTP/1.1 100 Continue\r\nTransfer-Receipt: :b2xk:\r\n\r\n"
        "HTTP/1.1 201 Created\r\ntransfer-receipt: :Zmlyc3Q=:\r\n"
        "TRANSFER-RECEIPT:  :b3Vycw==: \r\nTransfer-Receipt-Key: :a2V5:\r\n"
        "Content-Type: text/plain\r\n\r\n"
    )
    assert header.from_saved_headers(saved) == ([b"first", b"ours"], [b"key"])
    assert header.from_saved_headers("") == ([], [])


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (header.parse_items, header.from_saved_headers):
        try:
            read(text)
        except EvidenceError:
            continue
