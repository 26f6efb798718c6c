"""What a sender makes of the receipt in an answer: is it ours, is it signed, is it true?

The gateway's own receipt stands last in the list. It is held against what only the sender knows:
the file, through the key that came with the answer (HMAC-SHA256), or plainly where nothing changed.
Where the gateway says that it had delivered this transfer before, the receipt is that of then; its
key went out with the answer of then, and without it only a plain digest can be compared.

Receipts of gateways further on are not judged here, for their keys are not known; they are handed
on with ours, for `lockgate receipts verify --chain`.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt import dsse, reading
from proxy.receipt.agreement import require_consistent
from proxy.receipt.header import item
from proxy.wire.structured import NotStructured, parse_list

_PIECE: Final = 128 * 1024
_EMPTY: Final = hashlib.sha256().hexdigest()
_LINK: Final = re.compile(
    rb'<(/\.well-known/lockgate/receipts/[0-9a-f-]{1,36})>\s*;\s*rel="?receipt"?'
)


class Octets(Protocol):
    """How many, and their digest."""

    @property
    def size(self) -> int: ...

    @property
    def sha256(self) -> bytes: ...


class Answer(Protocol):
    """What came back."""

    @property
    def status(self) -> int: ...

    @property
    def content(self) -> Octets:
        """As it came on the wire. Raises EvidenceError where that is not known."""

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a field, lower case, in the head and in the trailers."""


class Content(Octets, Protocol):
    """What was sent, as it can be read once more."""

    def open(self) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receipt has to agree with."""

    transfer_id: str
    method: str
    target: str
    content: Content
    spki_sha256: str | None
    """Of the certificate that was shown, in hexadecimal; None without one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A receipt that holds. `signer` is the key id when a key was given to verify it with."""

    envelope: bytes
    key: bytes | None
    statement: Mapping[str, Any]
    signer: str | None
    proven: bool
    """The receipt is about exactly these octets; False when the file did not go whole, or when it
    is the receipt of an earlier attempt and no key came with it."""
    duplicate: bool = False
    """The gateway had delivered this transfer before."""
    headers: bytes | None = None
    """All receipts of the answer and all keys, a field line each, where more came than this one."""

    @property
    def verdict(self) -> str:
        return str(self.statement["predicate"]["kind"])


def link(answer: Answer) -> str | None:
    """The path under which the receipt is, when the answer names one of this very server."""
    for value in answer.values(b"link"):
        if match := _LINK.search(value):
            return match[1].decode("ascii")
    return None


def receipts(answer: Answer) -> tuple[bytes, ...]:
    """The envelopes in an answer, the gateway's own last. Raises EvidenceError."""
    return _items(answer, b"transfer-receipt")


def require_evidence(
    envelope: bytes, answer: Answer, sent: Sent, public_key: Ed25519PublicKey | None
) -> Evidence:
    """Check one receipt against what was sent and answered. Fails closed: raises EvidenceError."""
    keys = _items(answer, b"transfer-receipt-key")
    key = keys[-1] if keys else None  # those before it are to receipts of gateways further on
    signer = None
    if public_key is not None:
        statement = reading.parse(dsse.verify(envelope, public_key))
        signer = dsse.key_id(public_key)
    else:
        statement = reading.parse(dsse.parse(envelope).payload)
    require_consistent(statement)
    duplicate = key is None and answer.values(b"transfer-duplicate") == (b"?1",)
    try:
        _require_ours(statement["predicate"], answer, sent, key, duplicate=duplicate)
        _require_answer(statement["predicate"], answer, duplicate=duplicate)
        proven = _require_content(statement["predicate"], sent.content, key, duplicate=duplicate)
    except (KeyError, TypeError, AttributeError):
        raise EvidenceError("the receipt lacks what every transfer receipt has") from None
    headers = _headers(receipts(answer), keys)
    return Evidence(envelope, key, statement, signer, proven, duplicate, headers)


def _headers(envelopes: tuple[bytes, ...], keys: tuple[bytes, ...]) -> bytes | None:
    if len(envelopes) < 2:
        return None
    named = [("Transfer-Receipt", each) for each in envelopes]
    named += [("Transfer-Receipt-Key", each) for each in keys]
    return b"".join(b"%s: %s\n" % (name.encode(), item(each)) for name, each in named)


def _items(answer: Answer, name: bytes) -> tuple[bytes, ...]:
    try:
        return parse_list(answer.values(name))
    except NotStructured as error:
        raise EvidenceError(f"{name.decode()}: {error}") from None


def _require_ours(
    predicate: Mapping[str, Any],
    answer: Answer,
    sent: Sent,
    key: bytes | None,
    *,
    duplicate: bool,
) -> None:
    """The receipt is about this transfer of ours, and says what the answer says."""
    if predicate["transferId"] != sent.transfer_id:
        raise EvidenceError("the receipt is about another transfer")
    status = predicate["disposition"].get("status")
    unheard = duplicate and status is None  # nobody waited for the answer of then
    if status != answer.status and not unheard:
        raise EvidenceError("the receipt names another status than the answer")
    spki = (predicate.get("sender") or {}).get("spkiSha256")
    if sent.spki_sha256 is not None and spki != sent.spki_sha256:
        raise EvidenceError("the receipt names another sender")
    if (answer.status < 400 or duplicate) and predicate["kind"] != Verdict.DELIVERED:
        raise EvidenceError(f"the receipt says {predicate['kind']}, the answer {answer.status}")
    _require_request(predicate["request"], sent, key, duplicate=duplicate)


def _require_request(
    request: Mapping[str, Any], sent: Sent, key: bytes | None, *, duplicate: bool
) -> None:
    method, target = request["method"], (request.get("target") or {}).get("hmacSha256")
    if method is not None and method != sent.method:
        raise EvidenceError("the receipt is about another request")
    if target is None or (key is None and duplicate):
        return
    if key is None:
        raise EvidenceError("no key came with the answer, so that its request cannot be compared")
    expected = hmac.digest(key, sent.target.encode(), "sha256").hex()
    if not hmac.compare_digest(target, expected):
        raise EvidenceError("the receipt is about another request")


def _require_answer(predicate: Mapping[str, Any], answer: Answer, *, duplicate: bool) -> None:
    """The receipt names the content of the answer; that of a gateway's own is in no receipt."""
    if duplicate:
        if answer.content.size:
            raise EvidenceError("the answer to a repetition has content, which no receipt names")
        return
    if predicate["disposition"]["problem"] is not None:
        return
    delivered = (predicate["answer"]["delivered"] or {}).get("sha256", _EMPTY)
    if not hmac.compare_digest(delivered, answer.content.sha256.hex()):
        raise EvidenceError("the receipt is not about the content of this answer")


def _require_content(
    predicate: Mapping[str, Any], content: Content, key: bytes | None, *, duplicate: bool
) -> bool:
    """True when the receipt says that exactly this content was received."""
    received = (predicate.get("content") or {}).get("received") or {}
    size = received.get("bytes")
    if predicate["kind"] != Verdict.DELIVERED and size != str(content.size):
        return False  # refused before all of it had been read
    if size != str(content.size):
        raise EvidenceError("the receipt names another size than that of the file")
    if "sha256" in received:
        agrees = hmac.compare_digest(received["sha256"], content.sha256.hex())
    elif "hmacSha256" in received and key is not None:
        agrees = hmac.compare_digest(received["hmacSha256"], _keyed(content, key))
    elif predicate["kind"] == Verdict.DELIVERED and not duplicate:
        raise EvidenceError("the receipt does not say what was received")
    else:
        return False
    if not agrees:
        raise EvidenceError("the receipt is not about the content of this file")
    return True


def _keyed(content: Content, key: bytes) -> str:
    state = hmac.new(key, digestmod="sha256")
    with content.open() as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    return state.hexdigest()
