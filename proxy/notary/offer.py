"""One offer of a checkpoint to one place, from a thread: the proof, the answers, what they bring.

The place may cosign at once, or say what it has cosigned last (409), from where it is offered once
more. Whatever else it says is a `Failure`, with one of `RESULTS`.
"""

from dataclasses import dataclass, field
from typing import Final

import trio

from proxy.errors import EvidenceError
from proxy.notary.client import Client, Unreachable
from proxy.receipt import note
from proxy.receipt.consistency import consistency, reader
from proxy.receipt.policy import Policy, Witness, display
from proxy.receipt.tiles import Loader
from proxy.receipt.witnessing import (
    MAX_OFFER,
    PATH,
    SIZE_TYPE,
    Offer,
    parse_size,
    render_offer,
)

RESULTS: Final = ("cosigned", "unreachable", "refused", "invalid", "ahead", "conflict", "unproven")
"""How an offer may end; fit for a metric label."""
TIMEOUT: Final = 10.0
PAUSE: Final = 1.0
_PAUSE_MOST: Final = 60.0
_TRIES: Final = 3


class Failure(EvidenceError):
    """An offer that brought no cosignature."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result


@dataclass(slots=True)
class Site:
    """One place that offers go to, and the witnesses there."""

    name: str
    witnesses: list[Witness]
    client: Client
    old: int = 0
    """What it cosigned last, as far as we know."""
    signed: str | None = None
    """The text of the checkpoint that it cosigned last."""
    failures: int = 0
    again: float = 0.0
    """No offer before this time."""
    late: bool = False
    """It is being asked, and no round waits for it."""
    thread: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    def failed(self, now: float, pause: float) -> None:
        self.again = now + min(pause * 2**self.failures, _PAUSE_MOST)
        self.failures = min(self.failures + 1, 16)


@dataclass(slots=True)
class Target:
    """The checkpoint that is offered, with the cosignatures on it so far."""

    data: bytes
    parsed: note.Note
    checkpoint: note.Checkpoint
    own: list[note.Signature]
    gathered: dict[tuple[str, bytes], note.Signature]
    kept: int = 0
    """How many of the cosignatures have been given to `keep`."""

    def render(self) -> bytes:
        return note.render(self.parsed.text, [*self.own, *self.gathered.values()])


def sites(policy: Policy, timeout: float = TIMEOUT) -> list[Site]:
    """Where the witnesses of a policy are; those without a URL are left out.

    Raises `EvidenceError` for a URL that cannot be posted to.
    """
    found: dict[str, Site] = {}
    for witness in policy.witnesses:
        if witness.url is None:
            continue
        if witness.url not in found:
            try:
                client = Client(witness.url, timeout=timeout, most=MAX_OFFER)
            except EvidenceError as error:
                raise EvidenceError(f"witness {display(witness.name)}: {error}") from None
            found[witness.url] = Site(display(witness.name), [], client)
        found[witness.url].witnesses.append(witness)
    return list(found.values())


def exchange(site: Site, target: Target, load: Loader) -> list[note.Signature]:
    """The witness's cosignatures, verified. Raises `Failure`."""
    size = target.checkpoint.size
    for _ in range(_TRIES):
        path = _proof(site.old, size, load)
        try:
            status, kind, body = site.client.ask(
                "POST", PATH, render_offer(Offer(site.old, tuple(path), target.data))
            )
        except Unreachable as error:
            raise Failure("unreachable", str(error)) from None
        if status == 200:
            return _cosignatures(site, target, body)
        if status != 409 or kind != SIZE_TYPE:
            raise Failure("refused", f"it answered {status}")
        site.old = _told_size(site.old, size, body)
    raise Failure("refused", "it names another size each time")


def _proof(old: int, size: int, load: Loader) -> list[bytes]:
    try:
        return consistency(min(old, size), size, reader(load, size))
    except EvidenceError as error:
        raise Failure("unproven", str(error)) from None


def _told_size(old: int, size: int, body: bytes) -> int:
    """The size that a witness says it has cosigned last, where an offer from there makes sense."""
    try:
        told = parse_size(body.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, EvidenceError):
        raise Failure("refused", "it answered 409 without a size") from None
    if told > size:
        raise Failure("ahead", f"it has cosigned {told} entries of this log, which has {size}")
    if told == old:
        raise Failure("conflict", f"it has cosigned another tree of {told} entries")
    return told


def _cosignatures(site: Site, target: Target, body: bytes) -> list[note.Signature]:
    try:
        found = note.parse_signatures(body.decode())
    except (UnicodeDecodeError, EvidenceError):
        raise Failure("invalid", "it answered 200 without signature lines") from None
    ours = verified(site, target, found)
    if not ours:
        raise Failure("invalid", "its cosignature does not verify under the policy's key")
    return ours


def verified(site: Site, target: Target, found: tuple[note.Signature, ...]) -> list[note.Signature]:
    """One cosignature by each key of the site; none at all unless every one of them is there."""
    text = target.parsed.text
    vkeys = [witness.vkey for witness in site.witnesses]
    try:
        if len(note.verify(note.Note(text, found), vkeys)) < len(vkeys):
            return []
    except EvidenceError:
        return []
    by_key = {(s.name, s.key_id): s for s in found}
    return [by_key[vkey.name, vkey.key_id] for vkey in vkeys]
