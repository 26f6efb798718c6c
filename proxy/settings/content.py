"""What may cross in one direction of a route: formats, masks, detection."""

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from proxy.settings.actions import WrittenAction
from proxy.settings.detected import DETECTED_TYPES
from proxy.settings.values import Model, Name


class MaskRule(Model):
    path: str = Field(
        description="RFC 9535 JSONPath: names, wildcards, indexes, unions, descendants"
    )
    action: WrittenAction


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
