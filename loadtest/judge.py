"""Whether an answer is as it should be: its status, what the upstream got, and its receipt.

The digest in a receipt is compared with what arrived, in every answer. Its signature is verified in
the first and in each 64th: a signature costs a sender more than all the rest of a request.
"""

import base64
import json
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from loadtest.work import Work
from proxy.receipt import dsse

_RECEIPT: Final = re.compile(rb"(?i)\ntransfer-receipt: *:([^:]+):")
_LINK: Final = re.compile(rb'(?i)\nlink: *<([^>]+)>; rel="receipt"')
_SAID: Final = re.compile(rb'{"octets": ([0-9]+), "digest": "(?:sha256|crc32):([0-9a-f]+)"}')
_SAMPLE: Final = 64


class Judge:
    """Of all answers of one load. Every method raises ValueError at what is wrong."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._seen = 0
        key = load_pem_public_key((Path(work.pki) / "receipts.pub").read_bytes())
        assert isinstance(key, Ed25519PublicKey)
        self._key = key

    def require_answer(self, head: bytes, body: bytes) -> None:
        """Of a POST."""
        sha = self.require_said(head, body, None) or self._work.sha256
        if self._work.receipts != "none":
            found = _RECEIPT.search(head)
            if found is None:
                raise ValueError("an answer without a receipt")
            self.require_receipt(found[1], sha)

    def require_said(self, head: bytes, body: bytes, octets: int | None) -> str:
        """What the upstream says it got is what was sent; its SHA-256 where it says one."""
        if not head.startswith(b"HTTP/1.1 201 "):
            raise ValueError(f"answered {head[:60]!r} {body[:200]!r}")
        said = _SAID.fullmatch(body)
        if said is None or not int(said[1]):
            raise ValueError(f"the upstream said {body[:200]!r}")
        if octets is not None and int(said[1]) != octets:
            raise ValueError(f"the upstream got {int(said[1])} octets of {octets}")
        digest = said[2].decode()
        due = self._work.crc32 or self._work.sha256
        if due and digest != due:
            raise ValueError("the upstream got other octets than were sent")
        return digest if len(digest) == 64 else ""

    def require_receipt(self, text: bytes, sha256: str) -> None:
        """Our envelope, signed, or what a peer says in its place: of this very content."""
        data = base64.b64decode(text)
        if self._work.receipts == "own":
            if sha256.encode() not in data:
                raise ValueError("a receipt of other content")
            return
        envelope = json.loads(data)
        payload = base64.b64decode(envelope["payload"])
        if b'"sha256":"%b"' % sha256.encode() not in payload:
            raise ValueError("a receipt of other content")
        if self._seen % _SAMPLE == 0:
            signature = base64.b64decode(envelope["signatures"][0]["sig"])
            self._key.verify(signature, dsse.pae(envelope["payloadType"], payload))
        self._seen += 1


def receipt_in(fields: bytes) -> bytes | None:
    """The envelope in a head or in trailers, as it stands there."""
    found = _RECEIPT.search(b"\n" + fields)
    return found[1] if found else None


def link_in(head: bytes) -> bytes | None:
    """Where the receipt is to be had."""
    found = _LINK.search(head)
    return found[1] if found else None
