"""How a process of ours keeps its memory, and takes turns, once it has started."""

import gc
import sys
from typing import Final

_YOUNG: Final = 20_000
"""New containers between two looks for cycles among them. A transfer has some thirty at a time, so
Python's own 700 would look at every transfer under way again and again; these are a few megabytes.
"""
_OLDER: Final = 20
_TURN: Final = 2e-4
"""Seconds that one thread may keep the interpreter while another waits for it. With Python's own
5 ms a thread that came back from the disk waited so long for a loop that was busy, and a loop that
came back from the kernel for a thread that was: three times in a transfer made 15 ms.
"""


def settle() -> None:
    """All that is there now stays: it is not looked at again, nor unshared by looking."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
    sys.setswitchinterval(_TURN)
