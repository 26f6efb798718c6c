"""Message signatures (RFC 9421): who said this message, and when. Signing, and verifying.

    Signature-Input: sig1=("@method" "@target-uri" "content-digest" "transfer-id")
        ;created=1618884473;expires=1618884773;nonce="b3k2pp5k7z";keyid="etl-1";tag="lockgate"
    Signature: sig1=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6v...=:

What a signature must cover and say is `Demands`; what it did cover and say is `Verified`. That its
nonce has not come before is for whoever remembers nonces: until `expires`, and `skew` longer.
`signature_base` makes the text that is signed, `jwk` reads the keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxy.model import Headers
from proxy.model.signed import Verified
from proxy.wire.jwk import VerifyingKey
from proxy.wire.sfv import Bare, InnerList, Item, Member, parse_dictionary, parse_item
from proxy.wire.sfv_write import format_dictionary, format_member
from proxy.wire.signature_algorithms import ALGORITHMS
from proxy.wire.signature_base import Message, SignatureFailure, request_message, signature_base
from proxy.wire.signing_key import SigningKey
from proxy.wire.structured import NotStructured

__all__ = [
    "Demands",
    "Message",
    "SignatureFailure",
    "has_signature",
    "request_message",
    "sign",
    "verify",
]

MOST: Final = 16
"""Signatures that a message may have."""
INPUT: Final = b"signature-input"
SIGNATURE: Final = b"signature"
_KINDS: Final[Mapping[str, type]] = {
    "created": int,
    "expires": int,
    "nonce": str,
    "alg": str,
    "keyid": str,
    "tag": str,
}
"""Parameters of a signature that are understood, and of which type they must be."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a signature must be, beyond holding. Times in seconds."""

    components: tuple[str, ...] = ()
    """Names without parameters: `@method`, `content-digest`; judged by `Verified.covers`."""
    algorithms: frozenset[str] = ALGORITHMS
    tag: str | None = None
    """The tag that the signature must bear; None: whichever, or none."""
    parameters: frozenset[str] = frozenset({"created", "expires", "nonce", "keyid"})
    skew: int = 30
    """How much the signer's clock may differ from ours."""
    window: int | None = None
    """How long a signature may hold: from `created` to `expires`, and to now; None: any time."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One signature of a message, read and not yet believed."""

    label: str
    covered: InnerList
    signature: bytes
    parameters: Mapping[str, Bare]

    def text(self, name: str) -> str | None:
        value = self.parameters.get(name)
        return value if isinstance(value, str) else None

    def time(self, name: str) -> int | None:
        value = self.parameters.get(name)
        return value if isinstance(value, int) else None


def has_signature(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """True where a message bears anything of a signature, sound or not."""
    names = [name for name, _ in fields]
    return SIGNATURE in names or INPUT in names


def verify(
    message: Message, keys: Sequence[VerifyingKey], demands: Demands, now: datetime
) -> Verified:
    """The one signature that counts, when it holds. Fails closed: raises `SignatureFailure`.

    It counts by the tag, where one is demanded, and by a `keyid` that is the `kid` or the
    thumbprint of one of `keys`. Signatures by others may be there; two that count may not.
    """
    said, key = _choose(_read(message), keys, demands)
    if said.text("alg") not in (None, key.algorithm):
        raise SignatureFailure("key-kind")
    if key.algorithm not in demands.algorithms:
        raise SignatureFailure("algorithm")
    for name in sorted(demands.parameters):
        if name not in said.parameters:
            raise SignatureFailure("parameter-missing", f"{name} is demanded and missing")
    _require_time(said, demands, now.timestamp())
    verified = _verified(said, key)
    for name in demands.components:
        if not verified.covers(name):
            raise SignatureFailure("component-missing", f"{name} is not covered")
    if not key.verify(signature_base(message, said.covered), said.signature):
        raise SignatureFailure("invalid")
    return verified


def sign(
    message: Message,
    key: SigningKey,
    components: Iterable[str],
    *,
    created: int | None,
    expires: int | None = None,
    nonce: str | None = None,
    tag: str | None = None,
    label: str = "sig1",
) -> Headers:
    """Signature-Input and Signature for a message. Raises `SignatureFailure`.

    `components` are names, or whole identifiers: `@method`, `"@query-param";name="day"`. A message
    that is signed already gets a second signature, under another label: a line of its own.
    """
    said: dict[str, Bare | None] = {
        "created": created,
        "expires": expires,
        "nonce": nonce,
        "keyid": key.keyid,
        "alg": key.algorithm,
        "tag": tag,
    }
    return sign_as(
        message,
        key,
        components,
        {name: value for name, value in said.items() if value is not None},
        label,
    )


def sign_as(
    message: Message,
    key: SigningKey,
    components: Iterable[str],
    parameters: Mapping[str, Bare],
    label: str,
) -> Headers:
    """The same with the parameters as they stand there, in their order."""
    try:
        covered = InnerList(tuple(map(_identifier, components)), parameters)
        signature = key.sign(signature_base(message, covered))
        said = format_dictionary({label: covered}), format_dictionary({label: Item(signature)})
    except NotStructured as error:
        raise SignatureFailure("malformed", str(error)) from None
    return (INPUT, said[0].encode("ascii")), (SIGNATURE, said[1].encode("ascii"))


def _identifier(text: str) -> Item:
    return parse_item([text.encode()]) if text.startswith('"') else Item(text)


def _read(message: Message) -> list[_Said]:
    """All signatures of a message. Raises `SignatureFailure`: missing, malformed."""
    try:
        inputs = parse_dictionary(_values(message, INPUT))
        signatures = parse_dictionary(_values(message, SIGNATURE))
    except NotStructured as error:
        raise SignatureFailure("malformed", str(error)) from None
    if not signatures or not inputs:
        raise SignatureFailure("missing")
    if len(inputs) > MOST:
        raise SignatureFailure("malformed", f"more than {MOST} signatures")
    if set(inputs) != set(signatures):
        raise SignatureFailure("malformed", "Signature and Signature-Input name different ones")
    return [_one(label, inputs[label], signatures[label]) for label in inputs]


def _values(message: Message, name: bytes) -> list[bytes]:
    return [value for key, value in message.fields if key == name]


def _one(label: str, covered: Member, signature: Member) -> _Said:
    if not isinstance(covered, InnerList) or not isinstance(signature, Item):
        raise SignatureFailure("malformed", "not components, or not a signature")
    if type(signature.value) is not bytes or signature.parameters:
        raise SignatureFailure("malformed", "a signature is not a byte sequence")
    for name, kind in _KINDS.items():
        value = covered.parameters.get(name)
        if value is not None and type(value) is not kind:
            raise SignatureFailure("malformed", f"{name} is not of its type")
    return _Said(label, covered, signature.value, covered.parameters)


def _choose(
    signatures: list[_Said], keys: Sequence[VerifyingKey], demands: Demands
) -> tuple[_Said, VerifyingKey]:
    if demands.tag is not None:
        signatures = [said for said in signatures if said.text("tag") == demands.tag]
        if not signatures:
            raise SignatureFailure("tag")
    nameless = len(signatures) == len(keys) == 1 and signatures[0].text("keyid") is None
    if nameless:
        return signatures[0], keys[0]
    found = {
        (said.label, key.name, key.algorithm): (said, key)
        for said in signatures
        for key in keys
        if said.text("keyid") in (key.keyid, key.name)
    }
    if len(found) > 1:
        raise SignatureFailure("ambiguous")
    for chosen in found.values():
        return chosen
    if all(said.text("keyid") is None for said in signatures):
        raise SignatureFailure("parameter-missing", "keyid is demanded and missing")
    raise SignatureFailure("key-unknown")


def _require_time(said: _Said, demands: Demands, now: float) -> None:
    created, expires = said.time("created"), said.time("expires")
    if created is not None:
        if created > now + demands.skew:
            raise SignatureFailure("not-yet")
        if expires is not None and expires < created:
            raise SignatureFailure("malformed", "it expires before it was created")
    if expires is not None and expires + demands.skew < now:
        raise SignatureFailure("expired")
    if demands.window is None or created is None:
        return
    if expires is not None and expires - created > demands.window:
        raise SignatureFailure("too-long")
    if created + demands.window + demands.skew < now:
        raise SignatureFailure("stale")


def _verified(said: _Said, key: VerifyingKey) -> Verified:
    return Verified(
        said.label,
        said.text("keyid") or "",
        key.name,
        key.algorithm,
        said.time("created"),
        said.time("expires"),
        said.text("nonce"),
        said.text("tag"),
        tuple(format_member(item) for item in said.covered.items),
    )
