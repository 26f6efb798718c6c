"""The values of a configuration that are written as one word: sizes, durations, references, pins.

Each type refuses what it cannot read with a sentence of plain words, and carries the JSON Schema
that editors see. Secrets are references (`file:` or `env:`), never values.
"""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_SIZES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_NO_SIZE = "expected a size such as 64KiB, 8MiB or 1GiB"
PIN = r"sha256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
SECRET_REF = r"file:[^\x00-\x1f\x7f]{1,4096}|env:[A-Za-z_][A-Za-z0-9_]{0,127}"  # noqa: S105
MOST_WORKERS = 256
COMPONENT = r"^(@(method|target-uri|authority|scheme|path|query|request-target)|[a-z0-9-]{1,64})$"
FIELD = r"^[a-z0-9-]{1,64}$"
TAG = r"^[\x20-\x7e]{1,64}$"
FIELD_NAME = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"
PARAMETER = r"^[^\x00-\x20\[\x7f]([^\x00-\x1f\[\x7f]*[^\x00-\x20\[\x7f])?$"
MOMENT = (
    r"^[2-8][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(_NO_SIZE)
    return parse_size(value)


def parse_size(text: str) -> int:
    """Octets, at least one. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,12}) ?([A-Za-z]*)", text)
    if match is None or match[2] not in _SIZES or int(match[1]) == 0:
        raise ValueError(_NO_SIZE)
    return int(match[1]) * _SIZES[match[2]]


def _duration(value: object) -> object:
    pattern = r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([a-z]+)"
    match = re.fullmatch(pattern, value) if isinstance(value, str) else None
    if match is None or match[2] not in _DURATIONS or float(match[1]) == 0:
        raise ValueError("expected a duration such as 500ms, 30s, 5m or 24h")
    return float(match[1]) * _DURATIONS[match[2]]


def looks_like_key_material(value: str) -> bool:
    """True for PEM and for long base64 or hex, with or without a `file:` or `env:` before it."""
    rest = value.removeprefix("file:").removeprefix("env:").strip()
    if "-----BEGIN" in rest or "PRIVATE KEY" in rest:
        return True
    if not re.fullmatch(r"[A-Za-z0-9+/_\s-]{40,}={0,2}", rest):
        return False
    if re.search(r"[+\s]|=$", rest) or re.fullmatch(r"[0-9A-Fa-f]+", rest):
        return True
    return "/" not in rest and all(re.search(kind, rest) for kind in ("[a-z]", "[A-Z]", "[0-9]"))


def _secret(value: object) -> object:
    if isinstance(value, str) and looks_like_key_material(value):
        raise ValueError(
            "this looks like key material; put it in a file and write file:PATH or env:NAME here"
        )
    if not isinstance(value, str) or not re.fullmatch(SECRET_REF, value):
        raise ValueError("expected a reference, file:PATH or env:NAME, never the secret itself")
    return value


def _pin(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(PIN, value):
        raise ValueError("expected sha256:<base64 of 32 octets>; `lockgate certs pin` prints it")
    return value


def require_version(value: object) -> object:
    if type(value) is not int or value != 1:
        raise ValueError("expected 1, the only version there is")
    return value


def require_workers(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS
    if value != "auto" and not whole:
        raise ValueError(f"expected auto, or a whole number from 1 to {MOST_WORKERS}")
    return value


def require_user(value: object) -> object:
    if value == "" or not isinstance(value, int | str) or isinstance(value, bool):
        raise ValueError("expected the name of a user, or its number")
    if isinstance(value, int) and value < 0:
        raise ValueError("expected the name of a user, or its number")
    return value


def _poll(value: object) -> object:
    if value == "off":
        return value
    try:
        return _duration(value)
    except ValueError:
        raise ValueError("expected off, or a duration such as 10s") from None


def _many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Size = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": r"^(?!0+ ?[A-Za-z]*$)[0-9]{1,12} ?(B|[kMGT]B|[KMGT]iB)?$",
            "minimum": 1,
        }
    ),
]
"""Octets."""
Duration = Annotated[
    float,
    Field(gt=0),
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?![0.]+ ?[a-z]*$)[0-9]{1,9}(\.[0-9]{1,6})? ?(ms|s|m|h|d)$",
        }
    ),
]
"""Seconds."""
Poll = Annotated[
    Annotated[float, Field(gt=0)] | Literal["off"],
    BeforeValidator(_poll),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(off|(?![0.]+ ?[a-z]*$)[0-9]{1,9}(\.[0-9]{1,6})? ?(ms|s|m|h|d))$",
        }
    ),
]
"""Seconds, or `off`."""
SecretRef = Annotated[
    str,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": f"^({SECRET_REF})$"}),
]
"""`file:PATH` (relative to the configuration file) or `env:NAME`."""
Pin = Annotated[
    str,
    BeforeValidator(_pin),
    WithJsonSchema({"type": "string", "pattern": f"^{PIN}$"}),
]
"""`sha256:` and the base64 of SHA-256 over the SubjectPublicKeyInfo."""
Patterns = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(min_length=1),
    BeforeValidator(_many),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        }
    ),
]
"""One pattern or several, any of which may match."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
WORDS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a name: letters, digits, . _ and -, at most 64",
    r"^[A-Za-z0-9._-]{1,32}$": "a key id: letters, digits, . _ and -, at most 32",
    FIELD_NAME: "the name of a field: letters, digits and -, such as X-User",
    COMPONENT: "a part of the message, such as @method or content-type, in lower case",
    FIELD: "the name of a field in lower case, such as content-encoding",
    TAG: "a tag: printable ASCII, at most 64",
    PARAMETER: "the name of a parameter, decoded, without [",
    MOMENT: "a date, or a date and time, such as 2027-01-01 or 2027-01-01T06:00Z",
    r"^[A-Z]+$": "a method in capitals, such as POST",
    r"^/": "a path that begins with /",
    r"^file:.+$": "file: and the path of a file",
    r"^[^\s+:]+$": "a log name without scheme, port, plus sign or space, such as log.example/a",
}
"""What each pattern of these models means, for messages."""


class Model(BaseModel):
    """Frozen, converts nothing (`"12"` is no number), and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
