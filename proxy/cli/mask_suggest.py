"""`lockgate mask --suggest`: a policy for a sample, from what detection finds and what names say.

The sample is looked at as NDJSON, whatever it is: a row of CSV, a form and a line of text are
records like any other, and their columns and names are paths. What was found is proposed; what only
a name suggests, such as `first_name`, stands in a comment: nothing but a person knows.
"""

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final
from urllib.parse import parse_qsl

import orjson

from proxy.cli.mask_format import SUFFIXES, by_name
from proxy.cli.survey import MOST, Survey, masked_paths, may_be_named, survey
from proxy.cli.wording import count
from proxy.errors import Refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SAMPLE: Final = 16 * 2**20
"""Octets, decoded, that are looked at."""
_DELIMITERS: Final = ",;\t|"
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NAMED: Final[dict[str, frozenset[str]]] = {
    "a person's name": frozenset({"name", "surname", "forename", "fullname", "username"}),
    "an address": frozenset({"address", "street", "postcode", "zip", "city"}),
    "a birth date": frozenset({"birth", "birthday", "dob", "born"}),
    "a phone number": frozenset({"phone", "mobile", "fax", "tel", "telephone"}),
    "a secret": frozenset({"password", "passwd", "secret", "token", "pin", "cvv", "cvc"}),
    "a number of a person": frozenset({"ssn", "passport", "licence", "license", "tax", "iban"}),
}
"""What the last name of a path suggests, by whole words."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, as NDJSON or one JSON document."""

    format: str
    data: bytes
    suffix: str
    """By which the survey knows it."""
    whole: bool
    delimiter: str = ","


def suggest(name: str) -> str:
    """The policy as YAML. Raises Refusal for what is no sample, OSError, ValueError."""
    sample = read_sample(name)
    try:
        found = survey(sample.data, sample.suffix)
    except Refusal as refusal:
        raise Refusal(refusal.code, f"{name}: {refusal.reason}") from None
    return "\n".join([*_preface(name, sample, found), *_policy(sample, found), ""])


def read_sample(name: str) -> Sample:
    """The beginning of a file, at most `SAMPLE` octets; whole records where there are several."""
    suffix, coding = by_name(name)
    octets = _octets(name, coding)
    whole = len(octets) <= SAMPLE
    kind = SUFFIXES.get(suffix, "")
    if not whole and kind == "json":
        raise ValueError(f"{name}: a document over {SAMPLE} octets; give a smaller sample")
    if not whole:
        octets = octets[: octets.rfind(b"\n", 0, SAMPLE) + 1]
    if kind in ("", "json", "ndjson"):
        lines = kind == "ndjson" or not whole
        return Sample(kind, octets, ".ndjson" if lines else ".json", whole)
    try:
        return _as_records(kind, octets.decode(), whole)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name}: not {kind}: {error}") from None


def _octets(name: str, coding: str | None) -> bytes:
    """One more than `SAMPLE` where there are more."""
    if name == "-":
        return sys.stdin.buffer.read(SAMPLE + 1)
    if coding == "gzip":
        with gzip.open(name) as file:
            return file.read(SAMPLE + 1)
    if coding == "zstd":
        with zstd.open(name) as frame:
            return bytes(frame.read(SAMPLE + 1))
    with open(name, "rb") as plain:
        return plain.read(SAMPLE + 1)


def _as_records(kind: str, text: str, whole: bool) -> Sample:
    """A table, a form or a text, as NDJSON with the same paths."""
    delimiter = ","
    rows: Iterable[object]
    if kind == "form":
        rows = [dict(parse_qsl(text, keep_blank_values=True))]
    elif kind == "text":
        rows = text.splitlines()
    else:
        delimiter = "\t" if kind == "tsv" else _delimiter(text)
        source = io.StringIO(text.removeprefix("\ufeff"), newline="")
        rows = csv.DictReader(source, restkey="", delimiter=delimiter, strict=True)
    data = b"\n".join(map(orjson.dumps, rows))
    return Sample(kind, data, ".ndjson", whole, delimiter)


def _delimiter(text: str) -> str:
    """What stands most often in the first line."""
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


# --- what is proposed ----------------------------------------------------------------------------


def _preface(name: str, sample: Sample, found: Survey) -> Iterator[str]:
    looked = "" if sample.whole else f" in the first {SAMPLE >> 20} MiB"
    yield f"# For {_printable(PurePath(name).name)}: {count(found.records, 'record')}{looked}."
    yield "# Detection knows formats and checksums, not names, addresses or secrets of your own."
    yield "# Uncomment what you know to be sensitive, and add what you know better, by path."


def _policy(sample: Sample, found: Survey) -> Iterator[str]:
    masked = masked_paths(found)
    if any("pseudonym" in action for action in masked.values()):
        yield "# keys: {pseudonym: [{id: k1, secret: file:pseudonym.key}]}   # 32 random octets"
    yield "request:"
    yield f"  content: [{sample.format or found.format}]"
    if sample.delimiter != "," and sample.format == "csv":
        yield f"  csv: {{delimiter: {json.dumps(sample.delimiter)}}}"
    yield "  label: confidential"
    named = {path: why for path, why in _named(found) if path not in masked}
    yield "  mask:" if masked else "  # mask:"
    for path, action in masked.items():
        kinds = ", ".join(
            f"{kind} in {number:,} of {found.values[path]:,}"
            for (at, kind), number in found.whole.most_common()
            if at == path
        )
        yield f"    - {{path: {_quoted(path)}, action: {action}}}   # {kinds}"
    for path, why in named.items():
        yield f"    # - {{path: {_quoted(path)}, action: redact}}   # named like {why}"
    yield "  detect:"
    for kind in found.types:
        places = [(at, n) for (at, each), n in found.inside.most_common() if each == kind]
        where = "; ".join(f"{n:,} in {_printable(at)}" for at, n in places[:3] if at not in masked)
        yield f"    - {{type: {kind}, action: redact}}" + (f"   # {where}" if where else "")
    yield "    - {type: default, action: redact}"


def _named(found: Survey) -> Iterator[tuple[str, str]]:
    """Paths whose last name suggests something, at most as many as a policy has masks."""
    proposed = 0
    for path in found.values:
        words = {word.lower() for word in _WORDS.findall(path.rpartition(".")[2])}
        why = next((why for why, known in _NAMED.items() if words & known), None)
        if why is not None and may_be_named(found, path) and proposed < MOST:
            proposed += 1
            yield path, why


def _quoted(path: str) -> str:
    return json.dumps(path, ensure_ascii=False)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
