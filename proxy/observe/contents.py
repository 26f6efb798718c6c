"""What is counted of the content of transfers, in both directions."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from proxy.model import Content
from proxy.observe.instruments import labelled


class Contents:
    """The instruments of content; see `Metrics` for all others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Callable[..., Counter]:
            labels = ("route", "direction", *labels)
            made = Counter(f"lockgate_{name}", text, labels, registry=registry)
            return labelled(made.labels)

        self._bytes = counter("transfer_bytes", "Content octets, by direction and side", "side")
        self._masked = counter("masked_fields", "Fields that were masked")
        self._findings = counter("findings", "Sensitive data found, by type", "type")
        self._lowered = counter(
            "lowered", "Findings redacted since they would raise the label too high", "type"
        )
        self._shadow = counter(
            "shadow_transfers", "Transfers in which a rule in shadow would have acted", "rule"
        )
        self._unscanned = counter("unscanned", "Values with JSON or base64 not looked into")

    def count(self, route: str, direction: str, content: Content) -> None:
        """Count one body: `direction` is request or answer."""
        self._bytes(route, direction, "received").inc(content.received.size)
        if content.delivered is not None:
            self._bytes(route, direction, "delivered").inc(content.delivered.size)
        if content.masked:
            self._masked(route, direction).inc(content.masked)
        for rule in content.shadow:
            self._shadow(route, direction, rule).inc()
        if content.report is None:
            return
        for kind, number in content.report.findings.items():
            self._findings(route, direction, kind).inc(number)
        for kind, number in content.report.lowered.items():
            self._lowered(route, direction, kind).inc(number)
        if content.report.unscanned:
            self._unscanned(route, direction).inc(content.report.unscanned)
