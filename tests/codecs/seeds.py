"""Small bodies of each format, good and bad, from which a fuzzer finds the others."""

import gzip
import json
from collections.abc import Callable, Iterator

from backports import zstd

FORMATS = ("json", "ndjson", "csv", "tsv", "form", "text")
CODINGS = ("gzip", "zstd")
CODECS = (*FORMATS, *CODINGS, "only")
"""`only` is NDJSON of which little may cross."""

SSN = "-".join(("536", "90", "4399"))
CARD = "4111" * 4
_JSON = (
    '{"ssn":"%s","a":1}',
    '{"a":{"ssn":"A"},"email":["x@y.example",{"email":1.10}],"n":18446744073709551616}',
    '{"\\u0073sn":"B","ssn":"C","ssn":{"deep":[1,[2,{"email":null}]]}}',
    '[{"ssn":true,"note":"call %s"},-0,1e400,"\\ud83d\\ude00",""]',
    '{"note":"\\u0035\\u0033\\u0036-90-4399","drop":[1,2],"k":"tok:k1:AAAA"}',
    ' {"drop":1 , "b" : 2 , "drop" : 3 }\r\n',
    '{"a":1}}', '{"a":1,}', "[01]", '"\\ud800"', "NaN", '{"a":"\x01"}', "", "\ufeff{}", "[" * 40,
)  # fmt: skip
_CSV = (
    "id,ssn,email\r\n1,%s,a@b.example\r\n2,,\r\n",
    'id,"ssn",email\n"1","%s ""x""","a@b.example\n"\n',
    "ssn\n=1+1\n",
    "id,ssn,email,drop\n1,2\n",
    'id,ssn,email,drop\n1,2#d,"sn",kept\n',
    'id,ssn,email\n1,"2"3,4\n',
    "\ufeffid,ssn,email\n1,2,3",
    "id,email\n1,2\n",
    "ssn,ssn,email\r1,2,3\r",
)
_FORM = ("ssn=%s&email=a%%40b.example&a=+", "ssn=%%zz", "a&b==&ssn=", "%%73sn=1;x", "ssn=%%ff")
_TEXT = (
    "call %s or mail a@b.example\nnext\r\n",
    "x" * 300 + " %s",
    "-----BEGIN PRIVATE " + "KEY-----\nAAAA\n-----END PRIVATE " + "KEY-----\n",
    "\xff",
    "",
)


def seeds(codec: str) -> Iterator[bytes]:
    """Bodies for one codec."""
    match codec:
        case "json":
            yield from map(_filled, _JSON)
        case "ndjson" | "only":
            lines = [_filled(text) for text in _JSON]
            yield b"\n".join(lines[:3])
            yield b"\r\n\r\n".join(lines[:5]) + b"\n"
            yield from (line + b"\n{}" for line in lines[4:])
        case "csv":
            yield from map(_filled, _CSV)
        case "tsv":
            yield from (_filled(text).replace(b",", b"\t") for text in _CSV)
        case "form":
            yield from map(_filled, _FORM)
        case "text":
            yield from map(_filled, _TEXT)
        case "gzip" | "zstd":
            yield from _coded(gzip.compress if codec == "gzip" else zstd.compress)


def _filled(text: str) -> bytes:
    done = text % SSN if "%s" in text else text.replace("%%", "%")
    return done.encode("latin-1" if text == "\xff" else "utf-8")


def _coded(code: Callable[[bytes], bytes]) -> Iterator[bytes]:
    line = json.dumps({"ssn": SSN, "email": "a@b.example"}).encode() + b"\n"
    whole = code(line * 3)
    yield whole
    yield whole + code(b"") + code(line)
    yield whole[:-3]
    yield whole + b"\0"
    yield code(b" " * 2**21)
