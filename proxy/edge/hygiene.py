"""What is done about a peer whose key is kept carelessly: refused, or told once, and counted."""

from collections.abc import Callable
from datetime import UTC, datetime

from proxy.errors import TlsFailure
from proxy.model import Certificate
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.policy.hygiene import KINDS, Keys, too_long
from proxy.settings.schema import Settings
from proxy.settings.trust import MAX_LIFETIME

Examine = Callable[[Certificate, str | None], None]
"""Certificate and address of a peer that has shaken hands. Raises `TlsFailure`: `hygiene`."""


def nothing(certificate: Certificate, address: str | None) -> None:
    """For a configuration that is only tried."""


class Hygiene:
    """Of one process, by the configuration that is in force."""

    def __init__(self, settings: Callable[[], Settings], metrics: Metrics, log: Log) -> None:
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._keys = Keys()

    def of(self, side: str, name: str) -> Examine:
        """What examines the peers of one listener or upstream."""

        def examine(certificate: Certificate, address: str | None) -> None:
            self._examine(side, name, certificate, address)

        return examine

    def know(self, certificate: Certificate) -> None:
        """One of ours: a peer that has its key has no business with it."""
        list(self._keys.note(certificate, None, datetime.now(UTC), 1))

    def _examine(self, side: str, name: str, certificate: Certificate, address: str | None) -> None:
        settings, now = self._settings(), datetime.now(UTC)
        rules, place = settings.hygiene, address if side == "listener" else None
        found = dict(self._keys.note(certificate, place, now, rules.addresses))
        longest = settings.identity.max_lifetime if settings.identity else MAX_LIFETIME
        lives = too_long(certificate, longest)
        if lives is not None:
            found["lifetime"] = lives
        for kind in KINDS:
            care = getattr(rules, kind)
            if kind not in found or care == "off":
                continue
            self._metrics.careless(side, name, kind)
            if care == "refuse":
                raise TlsFailure("hygiene", f"{kind}: {found[kind]}")
            self._log.once("careless_key", side=side, name=name, kind=kind, detail=found[kind])
