"""What an action sees and what it makes of it, whatever the format of the body is.

A format turns the octets of a value into a Scalar, and a Masked into octets in its own spelling:

    JSON  "r\\u0065d"    Scalar("string", b"red")     Masked("string", b"r*d")   "r*d"
    JSON  -1.50          Scalar("number", b"-1.50")   Masked("number", b"0")     0
    JSON  [1, 2], true   Scalar("other", b"")         Masked("null", b"")        null
    CSV   "a ""b"        Scalar("string", b'a "b')    Masked("null", b"")        an empty cell

Cells, form values and plain text are strings. The same text gives the same result in every format.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple


class Scalar(NamedTuple):
    """One value as it was sent, decoded."""

    kind: Literal["string", "number", "other"]
    """`other` is true, false, null, an array or an object."""
    text: bytes
    """UTF-8 of the decoded string, or the literal text of the number; empty for `other`."""


class Masked(NamedTuple):
    """What stands in its place."""

    kind: Literal["string", "number", "null"]
    """How the format spells it. A number is one by RFC 8259; null is empty where there is none."""
    text: bytes
    """UTF-8, neither quoted nor escaped."""


Replace = Callable[[Scalar], Masked | None]
"""None leaves the value exactly as it was sent, because it is masked already."""

MARK: Final = b"[REDACTED]"
REDACTED: Final = Masked("string", MARK)
