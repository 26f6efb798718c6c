"""What has to hold of a log after the power has failed, seen from outside."""

import secrets
from pathlib import Path

import trio

from proxy.errors import LockgateError, Refusal
from proxy.model import Claim, Intent, Verdict
from proxy.notary.folder import Folder, audit_folder
from proxy.notary.notary import Notary
from tests.crash import log
from tests.crash.life import KEYS, Acknowledged, Mode, Published, open_notary

_LATEST = 30
"""Of how many acknowledged attempts the id is asked for: those before are in the same table."""


async def complaint(store: Path, told: list[object], mode: Mode, *, audited: bool) -> str | None:
    """What does not hold after a loss of power; None when all does. `audited`: by an audit too."""
    kept = [each for each in told if isinstance(each, Acknowledged) and _promised(each, told, mode)]
    try:
        notary = open_notary(store)
        async with trio.open_nursery() as nursery:
            await nursery.start(notary.run)
            said = await _of_ids(notary, kept[-_LATEST:])
            await notary.close()
        if audited:
            audit_folder(Folder(store), vkeys=KEYS.vkeys(), keys=[KEYS.receipt.public_key()])
        return said or _of_the_log(log.entries(store), kept, told, mode)
    except (LockgateError, OSError) as error:
        return f"{type(error).__name__}: {error}"


async def _of_ids(notary: Notary, kept: list[Acknowledged]) -> str | None:
    for each in kept:
        if each.claim is not None and each.verdict is not Verdict.FAILED:
            expected = each.receipt.index if each.verdict is Verdict.DELIVERED else None
            if await _delivered_by(notary, each.claim) != expected:
                return f"what is {each.verdict} would be forwarded again"
    return None


def _promised(each: Acknowledged, told: list[object], mode: Mode) -> bool:
    """With `durability: write` a receipt is safe from the next checkpoint on."""
    if mode.durability == "fsync":
        return True
    sizes = [log.tip(each.checkpoint).size for each in told if isinstance(each, Published)]
    return each.receipt.index < max(sizes, default=0)


async def _delivered_by(notary: Notary, claim: Claim) -> int | None:
    """Which entry has delivered this id; None where it is undecided, -1 where it is free."""
    attempt_id = secrets.token_bytes(16)
    try:
        found = await notary.reserve(claim, attempt_id)
    except Refusal as refusal:
        return None if refusal.code == "undecided" else -2
    if found is None:
        notary.release(claim, attempt_id)
    return -1 if found is None else found.index


def _of_the_log(
    leaves: list[bytes], kept: list[Acknowledged], told: list[object], mode: Mode
) -> str | None:
    for each in kept:
        index = each.receipt.index
        if index >= len(leaves) or leaves[index] != each.receipt.envelope:
            return "an acknowledged receipt is gone"
    attempts = [each.attempt_id for each in log.statements(leaves)]
    if len(set(attempts)) < len(attempts):
        return "an attempt has two statements"
    intents = {each.attempt_id.hex() for each in told if isinstance(each, Intent)}
    if mode.intents == "fsync" and not intents <= set(attempts):
        return "an intent has no verdict"
    roots = list(log.roots(leaves))
    for seen in told:
        if isinstance(seen, Published):
            tip = log.tip(seen.checkpoint)
            if tip.size >= len(roots) or roots[tip.size] != tip.root:
                return "a published checkpoint is no beginning of the log"
    return None
