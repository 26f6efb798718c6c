"""What may cross in one direction of a route: formats, masks, detection."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from proxy.settings.actions import WrittenAction
from proxy.settings.detected import CHECKSUM_NAMES, DETECTED_GROUPS, DETECTED_TYPES
from proxy.settings.tables import Csv, Tsv
from proxy.settings.values import FIELD_NAME, PARAMETER, Model, Name

_PLACES = ("path", "type", "header", "query")

DetectedType = Annotated[
    Name,
    WithJsonSchema(
        {"anyOf": [{"enum": [*DETECTED_GROUPS, *DETECTED_TYPES]}, {"type": "string"}]},
    ),
]
"""A type, a group or one of `detectors`; `detection.py` checks which."""


class MaskRule(Model):
    """Exactly one place, and what becomes of what is there."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [place]} for place in _PLACES]}
    )

    path: str | None = Field(
        default=None,
        description="in the content: RFC 9535 JSONPath with names, wildcards, indexes, unions, "
        "descendants",
    )
    type: DetectedType | None = Field(
        default=None, description="in the content: whatever of a type or group is found"
    )
    header: str | None = Field(
        default=None, pattern=FIELD_NAME, description="a header field, and a trailer field"
    )
    query: str | None = Field(
        default=None, pattern=PARAMETER, description="a parameter of the query, of requests"
    )
    action: WrittenAction
    shadow: bool = Field(
        default=False, description="masks nothing; what it would have masked is reported"
    )

    @model_validator(mode="after")
    def _require_one_place(self) -> "MaskRule":
        if len(self.model_fields_set - {"action", "shadow"}) != 1:
            raise ValueError("give exactly one of path, type, header and query")
        return self

    @model_validator(mode="after")
    def _require_something_left(self) -> "MaskRule":
        if self.type is not None and self.action.drop:
            raise ValueError("what is found is not a field that could be dropped; redact it")
        return self

    @property
    def beside(self) -> str | None:
        """`header x-user` or `query email`: what is not in the content; None for what is."""
        if self.header is not None:
            return f"header {self.header.lower()}"
        return None if self.query is None else f"query {self.query}"


class DetectRule(Model):
    type: DetectedType = Field(description="a type, a group, or one of `detectors`")
    action: Literal["reject", "redact", "flag"]
    raises: Name | None = Field(
        default=None,
        description="the label that a finding raises the content to; flag: the highest if omitted",
    )
    shadow: bool = Field(
        default=False, description="decides nothing; what it would have found is reported"
    )


Likely = Literal["very_unlikely", "unlikely", "possible", "likely", "very_likely"]


def _require_letter(text: str) -> str:
    if not any(character.isalpha() for character in text):
        raise ValueError("holds no letter: only words are context")
    return text


ContextWords = Annotated[str, Field(min_length=1), AfterValidator(_require_letter)]


class OwnType(Model):
    """A type of the configuration's own."""

    pattern: str = Field(
        min_length=1,
        max_length=1024,
        description="what hyperscan and RE2 both read: PCRE without back-references, look-around "
        "and anchors",
    )
    context: list[ContextWords] = Field(
        default=[], description="whole words that make a find very likely"
    )
    checksum: Annotated[str, WithJsonSchema({"enum": list(CHECKSUM_NAMES)})] | None = Field(
        default=None, description="what must hold of the characters that were found"
    )
    likelihood: Likely = Field(default="likely", description="of a find without context")
    allow: list[str] = Field(default=[], description="values that are no finding, exactly")

    @field_validator("checksum")
    @classmethod
    def _require_checksum(cls, name: str | None) -> str | None:
        if name is not None and name not in CHECKSUM_NAMES:
            raise ValueError(f"expected one of {', '.join(CHECKSUM_NAMES)}")
        return name


class ContentPolicy(Model):
    """What may cross in one direction. An empty `content` admits empty bodies only."""

    content: list[Literal["json", "ndjson", "csv", "tsv", "form", "text", "opaque"]] = Field(
        default=[]
    )
    csv: Csv = Csv()
    tsv: Tsv = Tsv()
    allow_only: list[str] = Field(
        default=[],
        min_length=1,
        description="JSONPath of each field that may cross; every other one is dropped",
    )
    codings: list[Literal["gzip", "zstd"]] = Field(
        default=[], description="in which content that is looked into may come; none if omitted"
    )
    label: Name | None = Field(default=None, description="missing means the highest")
    label_from: str | None = Field(default=None, description="a header that names the label")
    on_violation: Literal["reject", "redact"] = Field(
        default="reject",
        description="what becomes of a finding that would raise the label above what may go there",
    )
    mask: list[MaskRule] = Field(default=[])
    fold_names: bool = Field(
        default=False,
        description="names in `mask` and `allow_only` match whatever case and width they come in",
    )
    detect: list[DetectRule] = Field(default=[])
    likelihood: Likely = Field(
        default="likely", description="what is less likely than this is no finding"
    )
    decode: list[Literal["json", "base64"]] = Field(
        default=[],
        description="looked into inside strings by `detect`; counted as not looked into otherwise",
    )
    on_error: Literal["reject"] = "reject"

    @property
    def searches(self) -> bool:
        """True where some rule says what becomes of what is found."""
        return bool(self.detect) or any(rule.type is not None for rule in self.mask)

    @property
    def hides(self) -> bool:
        """True where content may go on as other octets than came, so that nothing which was said of
        those may go on with it. Masks beside the content change none of it, nor do rules in
        shadow."""
        inside = any(rule.beside is None and not rule.shadow for rule in self.mask)
        found = any(not rule.shadow for rule in self.detect)
        return inside or found or bool(self.allow_only)
