"""How a value that is made for every transfer is declared: `@value(frozen=True, slots=True)`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen, slots):
        """A frozen dataclass to the type checker, and a plain one at run time.

        A dozen of these are made for every transfer, and making one that is frozen costs four
        times as much. Nothing that passes `make check` assigns to their fields.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)
