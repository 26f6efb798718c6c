"""What may become of a masked value, as it is written: a bare word, or one key with its options."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from proxy.settings.values import Model, Name


def _constant(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, str) and not number:
        raise ValueError("expected text, or a number")
    return value


class Redact(Model):
    """A constant in the place of the value: "[REDACTED]" where nothing else is asked for."""

    model_config = ConfigDict(json_schema_extra={"maxProperties": 1})

    with_: Annotated[
        str | int | float | None,
        BeforeValidator(_constant),
        WithJsonSchema({"type": ["string", "number"]}),
    ] = Field(default=None, alias="with", description="the constant")
    as_: Literal["number", "null", "kind"] | None = Field(
        default=None,
        alias="as",
        description="number: 0; null: null; kind: 0 for numbers, null for what is neither text nor "
        "number",
    )

    @model_validator(mode="after")
    def _require_one(self) -> "Redact":
        if self.with_ is not None and self.as_ is not None:
            raise ValueError("give `with` or `as`, not both")
        return self


class Partial(Model):
    keep_first: int = Field(default=0, ge=0)
    keep_last: int = Field(default=0, ge=0)
    preserve_class: bool = Field(
        default=False, description="9 for digits, X and x for letters; punctuation stays"
    )


class Hmac(Model):
    key: Name
    algorithm: Literal["hmac-sha256", "blake2b"] = Field(
        default="hmac-sha256", description="blake2b takes two thirds of the time"
    )


class Encrypt(Model):
    key: Name
    tenant: Name | None = Field(default=None, description="whose: only with it is a token opened")


def _bucket(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-6 <= value < 1e15:
        raise ValueError("expected the width of a bucket: a number from 0.000001 to below 1e15")
    return value


def networks(text: str) -> tuple[int, int]:
    """The lengths of prefix that `24/48` says, of IPv4 and IPv6. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,3})", text)
    if match is None or int(match[1]) > 32 or int(match[2]) > 128:
        raise ValueError("expected the lengths of prefix of IPv4 and IPv6, such as 24/48")
    return int(match[1]), int(match[2])


def _networks(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("expected the lengths of prefix of IPv4 and IPv6, such as 24/48")
    networks(value)
    return value


class Generalize(Model):
    """Exactly one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    date: Literal["month", "year"] | None = None
    bucket: Annotated[
        int | float | None,
        BeforeValidator(_bucket),
        WithJsonSchema({"type": "number", "minimum": 1e-6, "exclusiveMaximum": 1e15}),
    ] = Field(default=None, description="a number becomes the lower end of its bucket")
    ip: Annotated[
        str | None,
        BeforeValidator(_networks),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}/[0-9]{1,3}$"}),
    ] = Field(default=None, description="lengths of prefix, of IPv4 and IPv6: 24/48")
    prefix: Annotated[int, Field(ge=1, le=10)] | None = Field(
        default=None, description="letters and digits of a postcode that stay"
    )

    @model_validator(mode="after")
    def _require_one(self) -> "Generalize":
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of date, bucket, ip and prefix")
        return self


class Action(Model):
    """Exactly one of them; `drop` and `redact` may be written as a bare word."""

    drop: bool = False
    redact: Redact | None = None
    partial: Partial | None = None
    hmac: Hmac | None = None
    encrypt: Encrypt | None = None
    generalize: Generalize | None = None


_OPTIONS: dict[str, type[Model]] = {
    "redact": Redact,
    "partial": Partial,
    "hmac": Hmac,
    "encrypt": Encrypt,
    "generalize": Generalize,
}
_UNKEYED = re.compile(
    r"(?i)(?:un(?:keyed|salted)[_-]?)?(?:hash|sha|md|blake|digest|checksum|crc).*"
)
_UNKEYED_REFUSED = (
    "a hash without a key hides nothing: all the social security numbers and cards that there are "
    "can be hashed and compared; write {hmac: {key: NAME}}, whose tokens join as well"
)


def _action(value: object) -> object:
    if isinstance(value, Action):
        return value
    if value == "drop":
        return {"drop": True}
    if value == "redact":
        return {"redact": {}}
    word: object = value
    if isinstance(value, dict):
        word = next(iter(value)) if len(value) == 1 else None
        if word in _OPTIONS:
            return value
    if isinstance(word, str) and _UNKEYED.fullmatch(word):
        raise ValueError(_UNKEYED_REFUSED)
    raise ValueError(
        "expected drop, redact, {partial: {keep_last: N}}, {generalize: {date: month}}, "
        "{hmac: {key: NAME}} or {encrypt: {key: NAME}}"
    )


_ACTION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": ["drop", "redact"]},
        *(
            {
                "type": "object",
                "required": [name],
                "additionalProperties": False,
                "properties": {name: model.model_json_schema(by_alias=True)},
            }
            for name, model in _OPTIONS.items()
        ),
    ]
}
WrittenAction = Annotated[Action, BeforeValidator(_action), WithJsonSchema(_ACTION_SCHEMA)]
"""An action as a rule of the configuration has it."""
