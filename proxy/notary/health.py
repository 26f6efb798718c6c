"""Whether the notary takes intents, why not, and who wants to know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Health:
    __slots__ = ("_ids", "_journal", "_publication", "_reserve", "_running", "_watchers")

    def __init__(self) -> None:
        self._running = False
        self._journal: str | None = None
        self._publication: str | None = None
        self._ids: str | None = None
        self._reserve: str | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def ready(self) -> bool:
        """True while intents may be taken. Fails closed."""
        return self._running and self.failing is None

    @property
    def failing(self) -> str | None:
        """Why nothing new may cross; None where all works."""
        return self._journal or self._publication or self._ids or self._reserve

    @property
    def journal(self) -> str | None:
        """Why the journal is spoilt; None while it is not."""
        return self._journal

    @property
    def ids(self) -> str | None:
        """Why the table of ids cannot be written; None while it can."""
        return self._ids

    @property
    def impaired(self) -> bool:
        """True where something that the journal can do without is to be tried again."""
        return self._ids is not None or self._reserve is not None

    @contextmanager
    def watching(self, on_change: Callable[[], None]) -> Iterator[None]:
        """Call `on_change` whenever `ready` has changed."""
        self._watchers.append(on_change)
        try:
            yield
        finally:
            self._watchers.remove(on_change)

    def running(self, running: bool) -> None:
        """Whether the notary takes anything at all."""
        was, self._running = self.ready, running
        self._tell(was)

    def journal_is(self, reason: str | None) -> None:
        """The journal is spoilt; None: it is not, or not any more."""
        was, self._journal = self.ready, reason
        self._tell(was)

    def publication_is(self, reason: str | None) -> None:
        """The last publication failed; None: it did not."""
        was, self._publication = self.ready, reason
        self._tell(was)

    def ids_are(self, reason: str | None) -> None:
        """The table of ids cannot be written; None: it can."""
        was, self._ids = self.ready, reason
        self._tell(was)

    def reserve_is(self, reason: str | None) -> None:
        """There is no space for the verdicts of what would be forwarded; None: there is."""
        was, self._reserve = self.ready, reason
        self._tell(was)

    def _tell(self, was: bool) -> None:
        if self.ready is not was:
            for on_change in list(self._watchers):
                on_change()


def reason(error: Exception) -> str:
    """What a failing disk is said to fail of."""
    return (error.strerror or "no reason given") if isinstance(error, OSError) else str(error)
