"""Whether the notary takes intents, why not, and who wants to know."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from proxy.errors import EvidenceError
from proxy.model import Trouble, named_trouble

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk that is full answers."""


class Health:
    __slots__ = ("_ids", "_journal", "_past", "_publication", "_reserve", "_running", "_watchers")

    def __init__(self) -> None:
        self._running = False
        self._journal: Trouble | None = None
        self._publication: Trouble | None = None
        self._ids: Trouble | None = None
        self._reserve: Trouble | None = None
        self._past: Trouble | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def ready(self) -> bool:
        """True while intents may be taken. Fails closed."""
        return self._running and self._failing is None

    @property
    def trouble(self) -> Trouble | None:
        """Why no intents are taken; None while they are."""
        if self._failing is None and not self._running:
            return named_trouble("stopping")
        return self._failing

    @property
    def failing(self) -> str | None:
        """What does not work, in words; None where all works."""
        return None if self._failing is None else self._failing.text

    @property
    def _failing(self) -> Trouble | None:
        return self._journal or self._publication or self._ids or self._reserve or self._past

    @property
    def journal(self) -> str | None:
        """Why the journal is spoilt, in words; None while it is not."""
        return None if self._journal is None else self._journal.text

    @property
    def ids(self) -> Trouble | None:
        """Why the table of ids cannot be written; None while it can."""
        return self._ids

    @property
    def impaired(self) -> bool:
        """True where something that the journal can do without is to be tried again."""
        return self._ids is not None or self._reserve is not None

    @contextmanager
    def watching(self, on_change: Callable[[], None]) -> Iterator[None]:
        """Call `on_change` whenever `trouble` has changed."""
        self._watchers.append(on_change)
        try:
            yield
        finally:
            self._watchers.remove(on_change)

    def running(self, running: bool) -> None:
        """Whether the notary takes anything at all."""
        was, self._running = self.trouble, running
        self._tell(was)

    def journal_is(self, trouble: Trouble | None) -> None:
        """The journal is spoilt; None: it is not, or not any more."""
        was, self._journal = self.trouble, trouble
        self._tell(was)

    def publication_is(self, trouble: Trouble | None) -> None:
        """The last publication failed; None: it did not."""
        was, self._publication = self.trouble, trouble
        self._tell(was)

    def ids_are(self, trouble: Trouble | None) -> None:
        """The table of ids cannot be written; None: it can."""
        was, self._ids = self.trouble, trouble
        self._tell(was)

    def reserve_is(self, trouble: Trouble | None) -> None:
        """There is no space for the verdicts of what would be forwarded; None: there is."""
        was, self._reserve = self.trouble, trouble
        self._tell(was)

    def past_is(self, trouble: Trouble | None) -> None:
        """What was written does not read, though somebody asks for a receipt; None: it does."""
        was, self._past = self.trouble, trouble
        self._tell(was)

    def _tell(self, was: Trouble | None) -> None:
        if self.trouble != was:
            for on_change in list(self._watchers):
                on_change()


def trouble_with(what: str, error: Exception) -> Trouble:
    """What cannot be done, and what it failed of."""
    if isinstance(error, OSError):
        full, sealed = error.errno in FULL, error.errno == errno.EROFS
        code = "disk-full" if full else "read-only" if sealed else "disk-failing"
    else:
        code = "inconsistent" if isinstance(error, EvidenceError) else "ids-failing"
    return Trouble(code, f"{what}: {reason(error)}")


def reason(error: Exception) -> str:
    """What a failing disk is said to fail of."""
    return (error.strerror or "no reason given") if isinstance(error, OSError) else str(error)
