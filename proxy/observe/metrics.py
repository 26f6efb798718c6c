"""Metrics in Prometheus' text format: base units, closed label sets, one registry a process.

No label takes a value that a peer can choose: routes, listeners and upstreams are names from the
configuration, and reasons, verdicts, problem codes and detected types are closed sets of ours.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version

from prometheus_client import generate_latest

from proxy.model import Certificate, ListInForce, Outcome
from proxy.observe.contents import Contents
from proxy.observe.instruments import Counts, Instruments, Spread

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300)
_AGE = (-60, -30, -10, -5, -2, -1, 0, 1, 2, 5, 10, 30, 60, 300)
"""Below zero the signer's clock is ahead of ours."""
_COMMIT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics(Instruments):
    """Every instrument of the process; `exposition` renders them."""

    def __init__(self) -> None:
        super().__init__()
        self._make_transfers()
        self._make_peers()
        self._make_credentials()
        self._make_evidence()
        self._make_program()

    def _make_transfers(self) -> None:
        """Attempts, and their content."""
        self._transfers = Counts(
            self.registry,
            "transfers",
            "Attempts that ended, by verdict",
            "route",
            "verdict",
            "problem",
        )
        self._duration = Spread(
            self.registry, "transfer_duration_seconds", "From head to receipt", _SECONDS, "route"
        )
        self._contents = Contents(self.registry)
        self._signatures = self._counter(
            "signatures", "Requests that must be signed, by what became of that", "route", "result"
        )
        self._signature_age = self._histogram(
            "signature_age_seconds",
            "Our clock less `created` of signatures that hold",
            _AGE,
            "route",
        )
        self.limited = self._counter("limited", "Spent rates and volumes", "route", "by", "limit")
        self.held = self._gauge("held_bytes", "Content kept back until it is judged")
        self.spilled = self._gauge("spilled_bytes", "Content kept on the disk until it is judged")
        self.in_flight = 0
        """Transfers that have not ended."""
        in_flight = self._gauge("transfers_in_flight", "Transfers that have not ended")
        in_flight.set_function(lambda: self.in_flight)
        self.tunnels = self._gauge("tunnels", "Open tunnels", "route")

    def _make_peers(self) -> None:
        """Connections, and who is at their other end."""
        self._handshakes = self._counter(
            "handshakes", "TLS handshakes, by result", "side", "name", "result"
        )
        self.connections = self._gauge("connections", "Open inbound connections", "listener")
        self.unadmitted = self._gauge(
            "unadmitted", "Peers that have yet to show who they are, by state", "listener", "state"
        )
        self._pinned = self._counter(
            "pinned_transfers",
            "Transfers of peers whose key is pinned, by the pin's place in its list",
            "route",
            "side",
            "position",
            "pin",
        )
        self._unknown = self._counter(
            "revocation_unknown",
            "Handshakes that mode soft let pass, though a list was missing or had expired",
            "side",
            "name",
        )
        self._let_go = self._histogram(
            "enforcement_seconds",
            "From when a connected peer ceased to be acceptable to the end of its connection",
            _SECONDS,
            "side",
            "reason",
        )
        self._careless = self._counter(
            "careless_keys",
            "Handshakes of peers whose keys are kept carelessly",
            "side",
            "name",
            "kind",
        )

    def _make_credentials(self) -> None:
        """What expires."""
        self._expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "notAfter, per certificate",
            "role",
            "subject",
            "sha256",
        )
        self._begin = self._gauge(
            "certificate_not_before_timestamp_seconds",
            "notBefore, per certificate",
            "role",
            "subject",
            "sha256",
        )
        self._certificate = self._gauge(
            "certificate_info", "1; a certificate in use", "role", "subject", "sha256",
            "serial", "pin",
        )  # fmt: skip
        self._crl_fresh = self._gauge(
            "crl_fresh", "1 while a revocation list covers its certificates", "file", "issuer"
        )
        self._crl_expiry = self._gauge(
            "crl_next_update_timestamp_seconds", "nextUpdate, per list", "file", "issuer"
        )

    def _make_evidence(self) -> None:
        """The log and its witnesses."""
        self._commit = Spread(
            self.registry,
            "journal_commit_seconds",
            "One append and one sync of the journal",
            _COMMIT,
        )
        self._batch = Spread(self.registry, "journal_batch_receipts", "Receipts a commit", _BATCH)
        self._offers = self._counter(
            "witness_offers", "Checkpoints offered to a witness, by result", "witness", "result"
        )
        self._cosigned = self._gauge(
            "witness_cosigned_entries", "Entries under the last cosigned checkpoint", "witness"
        )

    def _make_program(self) -> None:
        """The program itself, and its configuration."""
        self.tasks = self._gauge("tasks", "Tasks of the event loops")
        self._reloads = self._counter("config_reloads", "Reloads, by result", "result")
        self._reloaded = self._gauge(
            "config_reload_timestamp_seconds", "When a reload last ended, by result", "result"
        )
        self._problems = self._gauge(
            "config_problems", "What keeps the files on the disk from coming into force"
        )
        self._restarts = self._counter(
            "process_restarts", "Processes that died and were replaced, by kind", "process"
        )
        self._loaded = self._gauge("config_loaded_timestamp_seconds", "When the policy was loaded")
        self._info = self._gauge("config_info", "The policy in force", "sha256")
        self.ready = self._gauge("ready", "1 when transfers are accepted and can be receipted")
        clock = self._gauge("clock_timestamp_seconds", "This machine's clock, to show skew")
        clock.set_function(time.time)
        self._gauge("build_info", "The version that runs", "version").labels(
            version("lockgate")
        ).set(1)

    def transfer(self, outcome: Outcome, seconds: float) -> None:
        """Count one attempt at its end."""
        route = outcome.route or ""
        self._transfers[route, str(outcome.verdict), outcome.problem or ""] += 1
        self._duration.observe(seconds, route)
        self._contents.count(route, "request", outcome.request)
        if outcome.answer is not None:
            self._contents.count(route, "answer", outcome.answer)

    def signature(self, route: str, result: str, age: float | None = None) -> None:
        """Count one: `result` is verified, replayed, or one of `SIGNATURE_FAILURES`. `age`: the
        seconds that it is old, where it holds."""
        self._signatures.labels(route, result).inc()
        if age is not None:
            self._signature_age.labels(route).observe(age)

    def handshake(self, side: str, name: str, result: str) -> None:
        """Count one: `side` is listener or upstream, `result` is ok or a TlsFailure reason."""
        self._handshakes.labels(side, name, result).inc()

    def certificates(self, found: Iterable[tuple[str, Certificate]]) -> None:
        """Publish when each of our own and our trusted certificates expires; forget all others."""
        for gauge in (self._expiry, self._begin, self._certificate):
            gauge.clear()
        for role, each in found:
            labels = (role, each.subject, each.sha256.hex())
            self._expiry.labels(*labels).set(each.not_after.timestamp())
            self._begin.labels(*labels).set(each.not_before.timestamp())
            self._certificate.labels(*labels, f"{each.serial:x}", each.pin).set(1)

    def pinned(self, route: str, side: str, position: int, pin: str) -> None:
        """Count a transfer whose sender or receiver was one of these pins; 0 is the newest."""
        self._pinned.labels(route, side, str(position), pin).inc()

    def lists(self, found: Iterable[ListInForce], now: datetime) -> None:
        """Publish how each revocation list stands; forget all others."""
        fresh: dict[tuple[str, str], tuple[float, float]] = {}
        for each in found:
            key, state = (each.file, each.issuer), float(each.state(now) == "fresh")
            stood, until = fresh.get(key, (1.0, each.next_update.timestamp()))
            fresh[key] = min(stood, state), min(until, each.next_update.timestamp())
        self._crl_fresh.clear()
        self._crl_expiry.clear()
        for key, (stood, until) in fresh.items():
            self._crl_fresh.labels(*key).set(stood)
            self._crl_expiry.labels(*key).set(until)

    def revocation_unknown(self, side: str, name: str) -> None:
        """Count a handshake of whose peer nobody knows whether it is revoked."""
        self._unknown.labels(side, name).inc()

    def let_go(self, side: str, reason: str, seconds: float) -> None:
        """Record the end of a connection whose peer ceased to be acceptable so long ago."""
        self._let_go.labels(side, reason).observe(seconds)

    def careless(self, side: str, name: str, kind: str) -> None:
        """Count what `hygiene` finds: `kind` is one of its keys."""
        self._careless.labels(side, name, kind).inc()

    def commit(self, batch: int, seconds: float) -> None:
        """Record one commit of the journal."""
        self._commit.observe(seconds)
        self._batch.observe(batch)

    def offer(self, witness: str, result: str, size: int) -> None:
        """Count a checkpoint of `size` entries that a configured witness was offered."""
        self._offers.labels(witness, result).inc()
        if result == "cosigned":
            self._cosigned.labels(witness).set(size)

    def loaded(self, sha256: bytes, now: datetime) -> None:
        """Record that a configuration came into force."""
        self._info.clear()
        self._info.labels(sha256.hex()).set(1)
        self._loaded.set(now.timestamp())

    def reload(self, result: str) -> None:
        """Record a reload: `ok`, `unchanged`, or `failed`, so that the last good stays."""
        self._reloads.labels(result).inc()
        self._reloaded.labels(result).set(time.time())

    def reload_problems(self, count: int) -> None:
        """Record how much is wrong with what is on the disk; none where it is in force."""
        self._problems.set(count)

    def restarted(self, process: str) -> None:
        """Count a child that died and is replaced: `worker` or `notary`."""
        self._restarts.labels(process).inc()

    def exposition(self) -> bytes:
        """The text that a scrape gets."""
        return generate_latest(self.registry)
