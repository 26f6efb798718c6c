"""What is counted of the content of transfers, in both directions."""

from prometheus_client import CollectorRegistry

from proxy.model import Content
from proxy.observe.instruments import Counts


class Contents:
    """The instruments of content; see `Metrics` for all others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counts(name: str, text: str, *labels: str) -> Counts:
            return Counts(registry, name, text, "route", "direction", *labels)

        self._bytes = counts("transfer_bytes", "Content octets, by direction and side", "side")
        self._masked = counts("masked_fields", "Fields that were masked")
        self._findings = counts("findings", "Sensitive data found, by type", "type")
        self._lowered = counts(
            "lowered", "Findings redacted since they would raise the label too high", "type"
        )
        self._shadow = counts(
            "shadow_transfers", "Transfers in which a rule in shadow would have acted", "rule"
        )
        self._unscanned = counts("unscanned", "Values with JSON or base64 not looked into")

    def count(self, route: str, direction: str, content: Content) -> None:
        """Count one body: `direction` is request or answer."""
        self._bytes[route, direction, "received"] += content.received.size
        if content.delivered is not None:
            self._bytes[route, direction, "delivered"] += content.delivered.size
        masked, report = content.masked, content.report
        if masked:
            self._masked[route, direction] += masked
        for rule in content.shadow:
            self._shadow[route, direction, rule] += 1
        if report is None:
            return
        for kind, number in report.findings.items():
            self._findings[route, direction, kind] += number
        for kind, number in report.lowered.items():
            self._lowered[route, direction, kind] += number
        if report.unscanned:
            self._unscanned[route, direction] += report.unscanned
