"""Encrypted values, given back to whoever has the key: masking, with its one reversible action
undone. The formats are those of masking, and so is what stays octet for octet.

    {"n": 1.10, "ssn": "enc:v1:cXTf6r…"}   ->   {"n": 1.10, "ssn": "078-05-1120"}

What is no token stays: a file may be masked in part. A token that does not open refuses everything,
since it was made with another key, or was moved; `Safe.elsewhere` says what it was made for, where
the configuration knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.content.actions import Keys
from proxy.content.cipher import Cipher, Sealed
from proxy.content.rules import Rules, compile_rules
from proxy.content.segments import normal
from proxy.content.values import Masked, Replace, Scalar
from proxy.errors import Refusal
from proxy.settings.schema import Action, ContentPolicy, Limits, MaskRule


@dataclass(frozen=True, slots=True)
class Lock:
    """One rule that encrypts: its place as written, as a token is bound to it, and its key."""

    written: str
    place: str
    tenant: str | None
    cipher: Cipher


@dataclass(slots=True)
class Safe:
    """Every rule that encrypts in a configuration, and what has been opened so far."""

    locks: Sequence[Lock]
    opened: dict[str, int] = field(default_factory=dict)
    """Place -> how many tokens."""
    left: dict[str, int] = field(default_factory=dict)
    """Place -> how many values that are none."""

    def open(self, lock: Lock, text: bytes) -> Masked | None:
        """What is in a token; None for what is none. Raises Refusal ("unparseable")."""
        try:
            found = lock.cipher.open(text)
        except Sealed as why:
            reason = self.elsewhere(text) or str(why)
            raise Refusal("unparseable", f"a token at {lock.written}: {reason}") from None
        counts = self.left if found is None else self.opened
        counts[lock.written] = counts.get(lock.written, 0) + 1
        return found

    def elsewhere(self, text: bytes) -> str | None:
        """What a token was made for, where another rule of the configuration opens it."""
        for lock in self.locks:
            if lock.cipher.made(text):
                tenant = f"tenant {lock.tenant}" if lock.tenant else "no tenant"
                return f"it was made for {lock.written} and {tenant}"
        return None


def locks(rules: Sequence[MaskRule], keys: Keys) -> Iterator[Lock]:
    """Of every rule that encrypts with one of these keys. Raises CredentialError."""
    for rule in rules:
        encrypt = rule.action.encrypt
        if encrypt is None or encrypt.key not in keys:
            continue
        written, place = _places(rule)
        cipher = Cipher(encrypt.key, keys[encrypt.key], encrypt.tenant, place)
        yield Lock(written, place, encrypt.tenant, cipher)


def _places(rule: MaskRule) -> tuple[str, str]:
    if rule.path is not None:
        return rule.path, normal(rule.path)
    named = rule.beside or f"type {rule.type}"
    return named, named


def compile_reveal(
    policy: ContentPolicy,
    limits: Limits,
    keys: Mapping[str, Sequence[tuple[str, bytes]]],
    safe: Safe,
) -> Rules:
    """What opens the tokens in a body of this policy. Raises as `compile_rules`."""
    encrypting = [
        rule for rule in policy.mask if rule.path is not None and rule.action.encrypt is not None
    ]
    alone = policy.model_copy(update={"mask": encrypting, "detect": [], "allow_only": []})

    def backwards(action: Action, keys: Keys, place: str) -> Replace | None:
        tenant = action.encrypt.tenant if action.encrypt else None
        known = (lock for lock in safe.locks if (lock.place, lock.tenant) == (place, tenant))
        return _opening(safe, next(known))

    return compile_rules(alone, limits, keys, "", (), backwards)


def _opening(safe: Safe, lock: Lock) -> Replace:
    def replace(value: Scalar) -> Masked | None:
        return safe.open(lock, value.text) if value.kind == "string" else None

    return replace
