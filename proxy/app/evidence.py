"""What the notary needs and nobody else: the receipt keys, and the log that it opens with them.

Nothing here imports what carries transfers: so the notary's process starts in half the time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from proxy.app.preparation import Preparation, Secrets
from proxy.errors import ConfigError, CredentialError, EvidenceError, LockgateError, LogFailure
from proxy.notary import Notary
from proxy.notary import keys as notary_keys
from proxy.notary.bounds import Bounds
from proxy.notary.offer import sites
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.receipt.policy import Policy, parse_policy
from proxy.settings.load import Loaded
from proxy.settings.secrets import resolve_path


@dataclass(frozen=True, slots=True, repr=False)
class ReceiptKeys:
    """What the notary opens its log with, and nobody else has."""

    keys: notary_keys.Keys
    previous: bytes | None
    """PEM of the receipt key before."""
    policy: Policy | None = None
    """Whose witnesses are offered each checkpoint."""


def prepare_notary(loaded: Loaded, secrets: Secrets | None = None) -> ReceiptKeys:
    """The keys of the notary, alone. Raises ConfigError with every mistake."""
    preparation = Preparation(loaded, secrets)
    keys = receipt_keys(preparation)
    if keys is None:
        raise ConfigError(preparation.problems)
    return keys


def receipt_keys(preparation: Preparation) -> ReceiptKeys | None:
    """The keys of the notary, each proven to be one; None when a problem has been noted."""
    receipts = preparation.loaded.settings.receipts
    key = _ed25519(preparation, "key", receipts.key, "the receipt key")
    log_key = _ed25519(preparation, "log_key", receipts.log_key, "the log key")
    previous = _ed25519(
        preparation, "previous_key", receipts.previous_key, "the previous receipt key"
    )
    pq = preparation.read(("receipts", "log_pq_key"), receipts.log_pq_key, notary_keys.load_mldsa44)
    missing = (receipts.log_pq_key and pq is None) or (receipts.previous_key and previous is None)
    file = preparation.read(("receipts", "policy"), receipts.policy, _policy)
    if key is None or log_key is None or missing or (receipts.policy and file is None):
        return None
    together = partial(notary_keys.load, receipts.origin, key, log_key, pq)
    keys = preparation.attempt(("receipts", "log_key"), together)
    if keys is None:
        return None
    if previous is not None and not preparation.attempt(
        ("receipts", "previous_key"), partial(_require_other, previous, keys)
    ):
        return None
    policy = None if file is None else _policy(file)
    if policy is not None and not preparation.attempt(
        ("receipts", "policy"), partial(_require_named, policy, keys)
    ):
        return None
    return ReceiptKeys(keys, previous, policy)


def _policy(octets: bytes) -> Policy:
    try:
        policy = parse_policy(octets)
        sites(policy)
    except EvidenceError as error:
        raise CredentialError(str(error)) from None
    return policy


def _require_named(policy: Policy, keys: notary_keys.Keys) -> bool:
    """A policy that names logs and not this one was meant for another gateway."""
    if policy.logs and not set(policy.logs) & set(keys.vkeys()):
        raise CredentialError("names other logs, but not this one under its key")
    return True


def _require_other(previous: bytes, keys: notary_keys.Keys) -> bool:
    """Two files may hold one key."""
    if keys.before(previous).receipt.private_bytes_raw() == keys.receipt.private_bytes_raw():
        raise CredentialError("the same key as `key`: name the one that it replaces, or none")
    return True


def _ed25519(preparation: Preparation, name: str, reference: str | None, what: str) -> bytes | None:
    require = partial(notary_keys.load_ed25519, what=what)
    return preparation.read(("receipts", name), reference, require)


def open_notary(
    loaded: Loaded,
    keys: ReceiptKeys,
    metrics: Metrics,
    log: Log,
    *,
    live: Collection[str] = (),
    bounds: Bounds | None = None,
) -> Notary:
    """Raises ConfigError at `receipts.store`."""
    receipts = loaded.settings.receipts
    try:
        return Notary.open(
            resolve_path(receipts.store, loaded.directory),
            keys=keys.keys,
            previous_key=keys.previous,
            durability=receipts.durability,
            checkpoint_every=receipts.checkpoint_every,
            capacity=loaded.settings.transfer_ids.capacity,
            bounds=bounds or Bounds(windows(loaded)),
            clock=lambda: datetime.now(UTC),
            on_commit=metrics.commit,
            live=live,
            reserve=receipts.reserve,
            policy=keys.policy,
            on_offer=partial(_tell_offer, metrics, log),
        )
    except LockgateError as error:
        reason = error.reason if isinstance(error, LogFailure) else str(error)
        raise ConfigError([loaded.problem(("receipts", "store"), reason)]) from None


def windows(loaded: Loaded) -> dict[str, float]:
    """Route -> for how many seconds its ids are remembered."""
    return {route.name: route.remembers for route in loaded.settings.routes}


def _tell_offer(
    metrics: Metrics, log: Log, witness: str, result: str, size: int, reason: str | None
) -> None:
    """What became of a checkpoint that a witness was offered."""
    metrics.offer(witness, result, size)
    if result in ("ahead", "conflict"):
        log.error("witness_disagrees", witness=witness, result=result, size=size, reason=reason)
    elif result != "cosigned":
        log.warning("not_cosigned", witness=witness, result=result, size=size, reason=reason)
