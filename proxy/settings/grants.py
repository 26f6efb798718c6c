"""The shape of an entry of `allow` or `deny`: whom it names, and within what it holds."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from proxy.settings.pace import Rate, Volume
from proxy.settings.values import MOMENT, Duration, Model, Name, Patterns, Pin, Size


class Principal(Model):
    """Whom an entry names: every key of one must hold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    spiffe: Patterns | None = None
    uri: Patterns | None = None
    dns: Patterns | None = None
    ip: Patterns | None = Field(
        default=None, description="an address of the certificate: address or CIDR"
    )
    cn: Patterns | None = Field(default=None, description="CN of the subject; weaker than a SAN")
    ou: Patterns | None = Field(default=None, description="OU of the subject; weaker than a SAN")
    pins: list[Pin] | None = Field(default=None, min_length=1)
    networks: Patterns | None = Field(default=None, description="CIDR")
    local: "Local | None" = None

    @model_validator(mode="after")
    def _require_a_key(self) -> "Principal":
        if not self.model_fields_set - {"shadow"}:
            raise ValueError("an empty entry would name everybody; name at least one key")
        return self


class Local(Model):
    """A process on this machine, by SO_PEERCRED on a unix socket."""

    uid: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)


class When(Model):
    """The time in which an entry holds: every key that is given narrows it."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    not_before: Annotated[str, Field(pattern=MOMENT)] | None = Field(
        default=None, description="a date, or a date and time: the first moment of it"
    )
    until: Annotated[str, Field(pattern=MOMENT)] | None = Field(
        default=None, description="a date, or a date and time: the first moment after it"
    )
    days: Patterns | None = Field(default=None, description="mon-fri, or a list: days of the week")
    hours: Patterns | None = Field(
        default=None,
        description="06:00-20:00, or a list; 22:00-06:00 belongs to the day on which it begins",
    )
    timezone: str = Field(default="UTC", min_length=1, description="as in Europe/Berlin")

    @model_validator(mode="after")
    def _require_a_bound(self) -> "When":
        if not self.model_fields_set - {"timezone"}:
            raise ValueError("name a time: not_before, until, days or hours")
        return self


class Grant(Principal):
    """An entry of `allow` or `deny`: every key must hold, those of the peer and these."""

    methods: list[Annotated[str, Field(pattern=r"^[A-Z]+$")]] | None = Field(
        default=None, min_length=1
    )
    paths: Patterns | None = Field(default=None, description="as `match.path`")
    content: list[Literal["json", "ndjson", "csv", "tsv", "form", "text", "opaque"]] | None = Field(
        default=None, min_length=1, description="formats of a request's content"
    )
    label: Name | None = Field(
        default=None, description="allow: this label and below; deny: this one and above"
    )
    size: Size | None = Field(
        default=None, description="allow: so many octets at most; deny: more than so many"
    )
    rate: Rate | None = Field(
        default=None, description="allow: transfers that it gives each peer, such as 10/s"
    )
    volume: Volume | None = Field(
        default=None, description="allow: content that it gives each peer, such as 1GiB/h"
    )
    when: When | None = None
    shadow: bool = Field(
        default=False, description="decides nothing; what it would have decided is reported"
    )


class Policy(Model):
    """What every grant has to be like."""

    grants_expire_within: Duration | None = Field(
        default=None, description="every entry of `allow` needs `when.until`, no later than this"
    )


OF_PEERS = tuple(Principal.model_fields)
"""Keys that say who it is; the others of a `Grant` say what, when and how much."""
