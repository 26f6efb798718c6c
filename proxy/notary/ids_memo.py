"""What an entry does to the table of ids, in octets, and the tags that stand for what is secret.

A *memo* says that an id is delivered or undecided, that a nonce is used, or both, and the table
keeps a value of 44 octets under the key of the one, and of 16 under that of the other:

    memo    01 ‖ key 16 ‖ body                an id
            02 ‖ nonce 16 ‖ used              a nonce: the attempt did not cross, or was a repeat
            03 ‖ nonce 16 ‖ key 16 ‖ body     both
    value   body ‖ index of the entry u64be   of an id
            used                              of a nonce
    body    expires u64be ‖ sender 8 ‖ state u8 ‖ status u16be ‖ known u8 ‖ content 16
    used    expires u64be ‖ sender 8

`key` = HMAC-SHA256(store key, "id" NUL sender NUL route NUL id), `nonce`, `sender` and `content`
likewise, cut to their width; `expires` in Unix seconds, `status` 0 for none, `known` 0 where the
content is not.
"""

import hmac
import math
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Claim, Intent, Submission, Verdict

DELIVERED: Final = 1
UNDECIDED: Final = 2
USED: Final = 3
"""What is kept of a nonce; never in the octets of an id."""
MAX_WINDOW: Final = 2.0**48
"""Seconds: longer than any configuration can say, and an expiry that a memo can."""
_STATES: Final = {Verdict.DELIVERED: DELIVERED, Verdict.INDETERMINATE: UNDECIDED}
_ID, _NONCE, _BOTH = b"\x01", b"\x02", b"\x03"
_BODY: Final = struct.Struct(">Q8sBHB16s")
_VALUE: Final = struct.Struct(">Q8sBHB16sQ")
_USED: Final = struct.Struct(">Q8s")
_TAG: Final = 16
_LENGTHS: Final = {
    _ID: 1 + _TAG + _BODY.size,
    _NONCE: 1 + _TAG + _USED.size,
    _BOTH: 1 + 2 * _TAG + _BODY.size,
}
_SENDERS: Final = 4_096
_LONG: Final = 1_024
"""Characters of a name that is not remembered."""


class Record(NamedTuple):
    """A value of the table."""

    expires: int
    sender: bytes
    state: int
    status: int
    known: int
    content: bytes
    leaf: int


class Tags:
    """What is kept instead of names, ids and content: HMACs under the store key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._senders: dict[str, bytes] = {}
        """Those that came lately."""

    def key(self, claim: Claim) -> bytes:
        text = f"{claim.sender}\0{claim.route}\0{claim.transfer_id}"
        return tag(self._secret, b"id\0" + text.encode(errors="surrogatepass"), 16)

    def sender(self, name: str) -> bytes:
        found = self._senders.get(name)
        if found is None:
            if len(self._senders) >= _SENDERS:
                self._senders.clear()
            message = b"sender\0" + name.encode(errors="surrogatepass")
            found = tag(self._secret, message, 8)
            if len(name) <= _LONG:
                self._senders[name] = found
        return found

    def stream(self, name: str) -> bytes:
        return tag(self._secret, b"stream\0" + name.encode(errors="surrogatepass"), 16)

    def content(self, content_sha256: bytes) -> bytes:
        return tag(self._secret, b"content\0" + content_sha256, 16)

    def nonce(self, claim: Claim) -> bytes | None:
        """Of whoever sends it, and wherever: a signature is used once by everybody together."""
        return None if claim.nonce is None else tag(self._secret, b"nonce\0" + claim.nonce, _TAG)

    def memo(
        self, found: Submission | Intent, key: bytes | None, now: float, window: float
    ) -> bytes | None:
        """The memo of an attempt, kept for `window` seconds; `key` where it is known already.

        None where the verdict changes no id and there is no nonce. See `Ids.memo`.
        """
        claim = found.claim
        if claim is None:
            return None
        sent = found if isinstance(found, Submission) else None
        state = _STATES.get(Verdict.INDETERMINATE if sent is None else sent.verdict)
        expires, sender = math.ceil(now + window), self.sender(claim.sender)
        nonce = self.nonce(claim) or b""
        if state is None:
            return _NONCE + nonce + _USED.pack(expires, sender) if nonce else None
        status, content = (None, None) if sent is None else (sent.status, sent.content_sha256)
        body = _BODY.pack(
            expires,
            sender,
            state,
            status or 0,
            content is not None,
            bytes(16) if content is None else self.content(content),
        )
        return (_BOTH if nonce else _ID) + nonce + (key or self.key(claim)) + body


def unpack(index: int, memo: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each key of entry `index`, and its value. Raises `EvidenceError` for what is no memo."""
    kind, at = memo[:1], 1
    if len(memo) != _LENGTHS.get(kind):
        raise EvidenceError(f"entry {index}: malformed memo")
    if kind != _ID:
        at += _TAG
        body = at if kind == _NONCE else at + _TAG
        yield memo[1:at], memo[body : body + _USED.size]
    if kind != _NONCE:
        yield memo[at : at + _TAG], memo[at + _TAG :] + index.to_bytes(8)


def read(value: object) -> Record:
    """Raises `LogFailure` for what this program never wrote. Fails closed."""
    if isinstance(value, bytes) and len(value) == _VALUE.size:
        return Record(*_VALUE.unpack(value))
    if isinstance(value, bytes) and len(value) == _USED.size:
        expires, sender = _USED.unpack(value)
        return Record(expires, sender, USED, 0, 0, b"", 0)
    raise LogFailure("the table of ids holds a malformed row")


def tag(key: bytes, message: bytes, width: int) -> bytes:
    """HMAC-SHA256, the first `width` octets."""
    return hmac.digest(key, message, "sha256")[:width]
