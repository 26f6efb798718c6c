"""What an entry does to the table of ids, in octets, and the tags that stand for what is secret.

A *memo*, 53 octets, and the value that the table keeps under the key, 44:

    memo    01 ‖ key 16 ‖ body
    value   body ‖ index of the entry u64be
    body    expires u64be ‖ sender 8 ‖ state u8 ‖ status u16be ‖ known u8 ‖ content 16

`key` = HMAC-SHA256(store key, "id" NUL sender NUL route NUL id), `sender` and `content` likewise,
cut to their width; `expires` in Unix seconds, `status` 0 for none, `known` 0 where the content is
not.
"""

import hmac
import math
import struct
from typing import Final, NamedTuple

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Claim, Intent, Submission, Verdict

DELIVERED: Final = 1
UNDECIDED: Final = 2
MAX_WINDOW: Final = 2.0**48
"""Seconds: longer than any configuration can say, and an expiry that a memo can."""
_STATES: Final = {Verdict.DELIVERED: DELIVERED, Verdict.INDETERMINATE: UNDECIDED}
_MARK: Final = b"\x01"
_BODY: Final = struct.Struct(">Q8sBHB16s")
_VALUE: Final = struct.Struct(">Q8sBHB16sQ")
_MEMO: Final = 17 + _BODY.size
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

    def memo(
        self, found: Submission | Intent, key: bytes | None, now: float, window: float
    ) -> bytes | None:
        """The memo of an attempt, kept for `window` seconds; `key` where it is known already.

        None where the verdict changes no id. See `Ids.memo`.
        """
        sent = found if isinstance(found, Submission) else None
        state = _STATES.get(Verdict.INDETERMINATE if sent is None else sent.verdict)
        claim = found.claim
        if claim is None or state is None:
            return None
        status, content = (None, None) if sent is None else (sent.status, sent.content_sha256)
        body = _BODY.pack(
            math.ceil(now + window),
            self.sender(claim.sender),
            state,
            status or 0,
            content is not None,
            bytes(16) if content is None else self.content(content),
        )
        return _MARK + (key or self.key(claim)) + body


def unpack(index: int, memo: bytes) -> tuple[bytes, bytes]:
    """Key and value of entry `index`. Raises `EvidenceError` for what is no memo."""
    if len(memo) != _MEMO or memo[:1] != _MARK:
        raise EvidenceError(f"entry {index}: malformed memo")
    return memo[1:17], memo[17:] + index.to_bytes(8)


def read(value: object) -> Record:
    """Raises `LogFailure` for what this program never wrote. Fails closed."""
    if not isinstance(value, bytes) or len(value) != _VALUE.size:
        raise LogFailure("the table of ids holds a malformed row")
    return Record(*_VALUE.unpack(value))


def tag(key: bytes, message: bytes, width: int) -> bytes:
    """HMAC-SHA256, the first `width` octets."""
    return hmac.digest(key, message, "sha256")[:width]
