"""Opens the envelopes that our own `signer` makes, sooner than `dsse.verify_by` opens any.

Rules
- It only ever says yes: whatever is spelt otherwise, or does not verify here, is for `verify_by` to
  judge. So what is accepted is what `verify_by` accepts.
- The fixed parts are compared octet by octet, and strict base64 between them leaves no room for
  JSON: both read the same payload.
- libsodium verifies in two thirds of OpenSSL's time, and accepts less: both refuse an S that is not
  below the order of the group (RFC 8032, section 5.1.7) and compare R without the cofactor, but
  libsodium refuses keys and R of small order as well.
"""

import binascii
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from proxy.receipt import dsse

Opener = Callable[[bytes], bytes | None]
"""Envelope -> the payload that one key signed, or None."""
_SIGNATURE: Final = 64
_ENCODED: Final = 88
"""Characters of base64 that a signature takes."""


def opener(key: Ed25519PublicKey) -> Opener:
    """What opens the envelopes that `key` signed. It never raises."""
    prelude, between = dsse.fixed(dsse.key_id(key))
    raw, decode = key.public_bytes_raw(), binascii.a2b_base64
    head, end = len(dsse.HEAD), len(dsse.END)
    sealed = _ENCODED + end
    tail = len(between) + sealed
    expected = (dsse.HEAD, between, dsse.END)

    def payload(envelope: bytes) -> bytes | None:
        fixed = envelope[:head], envelope[-tail:-sealed], envelope[-end:]
        if fixed != expected or len(envelope) < head + tail:
            return None
        try:
            found = decode(envelope[head:-tail], strict_mode=True)
            signature = decode(envelope[-sealed:-end], strict_mode=True)
            if len(signature) != _SIGNATURE:
                return None
            crypto_sign_open(b"%b%b%d %b" % (signature, prelude, len(found), found), raw)
        except (binascii.Error, BadSignatureError):
            return None
        return found

    return payload
