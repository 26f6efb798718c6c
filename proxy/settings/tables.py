"""How the rows of tables are written."""

from typing import Literal

from pydantic import Field

from proxy.settings.values import Model


class Tsv(Model):
    """How rows of TSV are written: as CSV is, with a tab between cells."""

    quote: Literal['"', "'", "none"] = Field(
        default='"', description="none: a quote is an octet like any other"
    )
    header: bool = Field(
        default=True, description="the first row names the columns; else they are $[0], $[1] ..."
    )


class Csv(Tsv):
    """How rows of CSV are written (RFC 4180)."""

    delimiter: Literal[",", ";", "\t", "|", "inspect"] = Field(
        default=",", description="inspect: the one of the four that divides the first rows alike"
    )
