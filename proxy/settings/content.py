"""What may cross in one direction of a route: formats, masks, detection."""

import difflib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from proxy.settings.detected import DETECTED_TYPES
from proxy.settings.values import Model, Name


class Partial(Model):
    keep_first: int = Field(default=0, ge=0)
    keep_last: int = Field(default=0, ge=0)


class Hmac(Model):
    key: Name


class Action(Model):
    """Exactly one of them; `drop` and `redact` are written as a bare word."""

    drop: bool = False
    redact: bool = False
    partial: Partial | None = None
    hmac: Hmac | None = None


def _action(value: object) -> object:
    if isinstance(value, Action):
        return value
    if isinstance(value, str) and value in ("drop", "redact"):
        return {value: True}
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"partial", "hmac"}:
        return value
    raise ValueError("expected drop, redact, {partial: {keep_last: N}} or {hmac: {key: NAME}}")


_ACTION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": ["drop", "redact"]},
        {
            "type": "object",
            "required": ["partial"],
            "additionalProperties": False,
            "properties": {"partial": Partial.model_json_schema()},
        },
        {
            "type": "object",
            "required": ["hmac"],
            "additionalProperties": False,
            "properties": {"hmac": Hmac.model_json_schema()},
        },
    ]
}


class MaskRule(Model):
    path: str = Field(
        description="RFC 9535 JSONPath: names, wildcards, indexes, unions, descendants"
    )
    action: Annotated[Action, BeforeValidator(_action), WithJsonSchema(_ACTION_SCHEMA)]


def _known(name: str) -> str:
    if name in DETECTED_TYPES:
        return name
    near = difflib.get_close_matches(name, DETECTED_TYPES, n=1)
    raise ValueError(
        f"no type that can be detected; did you mean {near[0]}?"
        if near
        else "no type that can be detected; docs/masking.md lists them"
    )


DetectedType = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"enum": list(DETECTED_TYPES)}),
]


class DetectRule(Model):
    type: DetectedType
    action: Literal["reject", "redact", "flag"]
    label: Name | None = Field(
        default=None, description="flag raises to it; the highest if omitted"
    )


class ContentPolicy(Model):
    """What may cross in one direction. An empty `content` admits empty bodies only."""

    content: list[Literal["json", "ndjson", "opaque"]] = Field(default=[])
    codings: list[Literal["gzip", "zstd"]] = Field(
        default=[], description="in which content that is looked into may come; none if omitted"
    )
    label: Name | None = Field(default=None, description="missing means the highest")
    label_from: str | None = Field(default=None, description="a header that names the label")
    mask: list[MaskRule] = Field(default=[])
    detect: list[DetectRule] = Field(default=[])
    on_error: Literal["reject"] = "reject"
