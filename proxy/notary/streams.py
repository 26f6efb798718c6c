"""Where each stream, `<sender>/<route>`, stands: the last number, and the digest of its envelope.

Senders come and go for ever, and a worker that is no longer ours invents them. So what was used of
late is in memory, the *warm* ones, and the others are in the table of ids, *cold*. They go there
when a new journal begins, and leave memory when the table has them durably: until then the journal
has them. A cold one that is used is warm again; its row is of no more account then, for it is
written anew before it is looked at. So no number is ever given twice, and none is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

WARM: Final = 65_536
State = tuple[int, bytes]
Find = Callable[[str], State | None]
"""The state of a cold stream; None where there is none. Raises `LogFailure`."""


def _none(name: str) -> None:
    return None


@dataclass(slots=True)
class Streams:
    _warm: dict[str, State] = field(default_factory=dict)
    """The one used last comes last."""
    cold: Find = field(default=_none, compare=False)

    def get(self, name: str) -> State | None:
        """The state of a stream; None for a new one. Raises `LogFailure`."""
        return self._warm.get(name) or self.cold(name)

    def is_warm(self, name: str) -> bool:
        return name in self._warm

    def items(self) -> Iterator[tuple[str, State]]:
        """The warm ones: what a journal begins with."""
        return iter(self._warm.items())

    def update(self, states: Mapping[str, State]) -> None:
        for name, state in states.items():
            self._warm.pop(name, None)
            self._warm[name] = state

    def surplus(self) -> dict[str, State]:
        """The warm ones that are to become cold: those used longest ago."""
        return dict(islice(self._warm.items(), max(0, len(self._warm) - WARM)))

    def chill(self, states: Mapping[str, State]) -> None:
        """The table has these, durably."""
        for name, state in states.items():
            if self._warm.get(name) == state:
                del self._warm[name]
