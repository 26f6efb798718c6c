"""Which process holds which reference: the key custody that a map shows.

By `docs/running.md`, "Two users": each process is handed the secrets that it needs, and no others.
What workers hold is found by the names of keys, as a reload finds it, so that nothing is forgotten.
"""

from collections.abc import Iterator

from proxy.app.references import public_references, references
from proxy.cli.map.shapes import Held, Process
from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path


def processes(settings: Settings) -> Iterator[Process]:
    together = settings.workers == 1 and settings.users is None
    users = settings.users
    worker = "Worker" if settings.workers == 1 else "Workers"
    how = {"auto": "one a core"}.get(str(settings.workers), f"{settings.workers}")
    yield Process(
        f"{worker} ({how})" if settings.workers != 1 else worker,
        ("all in one process" if together else f"user {users.worker}" if users else "",
         "connections, content, masking"),
        tuple(_of_workers(settings)),
    )  # fmt: skip
    receipts = settings.receipts
    yield Process(
        "Notary",
        ("all in one process" if together else f"user {users.notary}" if users else "",
         f"the log {receipts.origin}", f"in {receipts.store}, by {receipts.durability}"),
        tuple(_of_notary(settings)),
    )  # fmt: skip
    doors = [f"admin {settings.admin.bind}"]
    doors += [f"health and metrics {settings.metrics.bind}"] if settings.metrics else []
    yield Process(
        "Supervisor",
        ("all in one process" if together else "", "reads every reference, and hands each process "
         "its own and no other", *doors),
        (),
    )  # fmt: skip


def _of_workers(settings: Settings) -> Iterator[Held]:
    public = {place for place, _ in public_references(settings)}
    found: dict[tuple[str, str], bool | None] = {}
    for place, reference in references(settings):
        # Public keys and secrets stand in a JWKS alike, and no file is opened here.
        secret = None if place[-1] == "jwks" else place not in public
        found.setdefault((_purpose(settings, place), reference), secret)
    yield from (Held(what, reference, secret) for (what, reference), secret in found.items())


def _purpose(settings: Settings, place: Path) -> str:
    """`masking key pseudonym k1`, `TLS key`, `trust of route orders`."""
    if place[0] == "identity":
        return "TLS key" if place[1] == "key" else str(place[1])
    if place[0] == "keys":
        name, number = str(place[1]), int(place[2])
        return f"masking key {name} {settings.keys[name][number].id}"
    if place[0] == "routes":
        return f"{place[-1]} of route {settings.routes[int(place[1])].name}"
    return f"{place[-1]} of {str(place[0]).removesuffix('s')} {place[1]}"


def _of_notary(settings: Settings) -> Iterator[Held]:
    receipts = settings.receipts
    named = {
        "receipt key": receipts.key,
        "receipt key before": receipts.previous_key,
        "log key": receipts.log_key,
        "log key, post-quantum": receipts.log_pq_key,
    }
    yield from (Held(what, ref, secret=True) for what, ref in named.items() if ref)
    if receipts.policy:
        yield Held("witness policy", receipts.policy, secret=False)
