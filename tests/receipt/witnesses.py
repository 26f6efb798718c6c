"""Logs' and witnesses' keys to try policies and witnesses with, and checkpoints that they sign."""

from collections.abc import Iterable
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from proxy.receipt import note
from proxy.receipt.note import Checkpoint
from proxy.receipt.vkey import ed25519_cosignature_vkey, ed25519_vkey, mldsa44_vkey
from tests.receipt.test_merkle import ROOTS

ORIGIN = "receipts.example/gateway-a"
LOG = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
LOG_PQ = MLDSA44PrivateKey.from_seed_bytes(bytes([3]) * 32)
ED, MLDSA = ed25519_vkey(ORIGIN, LOG), mldsa44_vkey(ORIGIN, LOG_PQ)
TIME = 1_700_000_000

ED_WITNESSES = {
    name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
    for name in ("north", "east", "south", "west")
}
POLE = MLDSA44PrivateKey.from_seed_bytes(b"pole".ljust(32, b"."))
"""A witness with an ML-DSA-44 key."""
VKEYS = {
    **{n: ed25519_cosignature_vkey(f"{n}.example/w", key) for n, key in ED_WITNESSES.items()},
    "pole": mldsa44_vkey("pole.example/w", POLE),
}


def head(size: int = 7, origin: str = ORIGIN, root: bytes | None = None) -> Checkpoint:
    """A checkpoint over the first leaves of `test_merkle`."""
    return Checkpoint(origin, size, ROOTS[size] if root is None else root)


def by_log(checkpoint: Checkpoint, *, pq: bool = True) -> tuple[note.Signature, ...]:
    """The log's own signatures, under the origin that the checkpoint says: the same each time."""
    both = _by_log(checkpoint)
    return both if pq else both[:1]


@cache
def _by_log(checkpoint: Checkpoint) -> tuple[note.Signature, note.Signature]:
    """Kept, since ML-DSA-44 signs at random: no two of its signatures are the same."""
    ed25519 = note.sign(checkpoint.text, checkpoint.origin, LOG)
    return ed25519, note.cosign(checkpoint, checkpoint.origin, LOG_PQ, TIME)


def by_witnesses(
    checkpoint: Checkpoint, names: Iterable[str], time: int = TIME
) -> list[note.Signature]:
    return [
        note.cosign(checkpoint, VKEYS[name].name, POLE, time)
        if name == "pole"
        else note.witness(checkpoint, VKEYS[name].name, ED_WITNESSES[name], time)
        for name in names
    ]


def cosigned(names: Iterable[str] = (), *, pq: bool = True, size: int = 7) -> bytes:
    """A note by the log and these witnesses."""
    found = head(size)
    return note.render(found.text, [*by_log(found, pq=pq), *by_witnesses(found, names)])


def policy_text(*lines: str, logs: bool = True) -> bytes:
    """A policy that knows the log and all witnesses, and then has `lines`."""
    known = [f"log {ED}", f"log {MLDSA}"] if logs else []
    known += [f"witness {name} {vkey}" for name, vkey in VKEYS.items()]
    return "".join(f"{line}\n" for line in [*known, *lines]).encode()
