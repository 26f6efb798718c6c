"""What went on, read by parsers that are not ours: Python's json, csv, urllib, gzip and zstd."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from backports import zstd

_TOKEN: Final = re.compile(r"tok:[A-Za-z0-9._-]{1,32}:[A-Za-z0-9_-]{22,64}")
_REDACTED: Final = "[REDACTED]"


def is_masked(name: str, value: object) -> bool:
    """Whether this is what the policy of the targets makes of a member of this name."""
    if name == "ssn":
        return value == _REDACTED
    if name == "email":
        return value == _REDACTED or (isinstance(value, str) and bool(_TOKEN.fullmatch(value)))
    return True


def _require_json(data: bytes) -> None:
    if data:
        json.loads(data.decode(), object_pairs_hook=_require_members, parse_int=str)


def _require_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Every member, also those whose name comes twice."""
    for name, value in pairs:
        assert is_masked(name, value), f"an unmasked {name}"
        assert name != "drop"
    return dict(pairs)


def _require_ndjson(data: bytes) -> None:
    for line in data.split(b"\n"):
        if line.strip(b" \t\r"):
            _require_json(line)


def _require_only(data: bytes) -> None:
    """Of the outermost, nothing stands there that may not cross."""
    _require_ndjson(data)
    for line in filter(bytes.strip, data.split(b"\n")):
        whole = json.loads(line)
        assert whole == [] or whole.keys() <= {"a", "ssn", "email"}, "more than may cross"


def _table(delimiter: str) -> Callable[[bytes], None]:
    def require(data: bytes) -> None:
        text = data.decode().removeprefix("\ufeff")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        header = rows[0] if rows else []
        for row in rows[1:]:
            assert len(row) == len(header) or not row, "a ragged row"
            for name, cell in zip(header, row, strict=False):
                assert is_masked(name, cell), f"an unmasked {name}"

    return require


def _require_form(data: bytes) -> None:
    for pair in filter(None, data.split(b"&")):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        text = unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()
        assert is_masked(*text), f"an unmasked {text[0]}"


def _require_text(data: bytes) -> None:
    assert b"-----BEGIN PRIVATE " + b"KEY-----" not in data
    data.decode()


READERS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "json": _require_json,
    "ndjson": _require_ndjson,
    "csv": _table(","),
    "tsv": _table("\t"),
    "form": _require_form,
    "text": _require_text,
    "gzip": _require_ndjson,
    "zstd": _require_ndjson,
    "only": _require_only,
}


def decoded(coding: str, data: bytes) -> bytes:
    """Members or frames, all of them."""
    if coding == "gzip":
        return gzip.decompress(data)
    return zstd.decompress(data)
