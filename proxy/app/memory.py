"""How a process of ours keeps its memory once it has started."""

import gc
from typing import Final

_YOUNG: Final = 20_000
"""New containers between two looks for cycles among them. A transfer has some thirty at a time, so
Python's own 700 would look at every transfer under way again and again; these are a few megabytes.
"""
_OLDER: Final = 20


def settle() -> None:
    """All that is there now stays: it is not looked at again, nor unshared by looking."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
