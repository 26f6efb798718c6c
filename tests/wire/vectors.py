"""The published examples of message signatures: RFC 9421's messages, and the keys to them.

`rfc9421.txt` has the messages as the RFC prints them (sections 2.4, 3.2, 4.3 and appendix B), with
long lines wrapped as RFC 8792 says; of B.2.1 to B.2.6 there are the fields that a signature adds.
The keys are those of appendix B.1, public parts only but for two that sign the same every time.
"""

import json
import re
from pathlib import Path
from typing import Any

from proxy.wire.jwk import VerifyingKey, verifying_key
from proxy.wire.signature import Message

PUBLISHED: dict[str, dict[str, str]] = {
    "test-key-rsa-pss": {
        "kty": "RSA",
        "e": "AQAB",
        "n": "r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-"
        "oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuY"
        "LPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GV"
        "AdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w",
    },
    "test-key-ecc-p256": {
        "kty": "EC",
        "crv": "P-256",
        "x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
        "y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
    },
    "test-key-ed25519": {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
    },
}
"""Published for everybody to verify with, by `kid` (B.1)."""
ED25519_SECRET_OF_THE_RFC = "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"
"""B.1.4: published as an example, so that its signature can be made again."""
SHARED_SECRET_OF_THE_RFC = (
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ"
)
"""B.1.5: the same for HMAC."""
_HERE = Path(__file__).parent


def published(kid: str) -> VerifyingKey:
    """A key of the RFC, by its name there."""
    if kid == "test-shared-secret":
        return verifying_key({"kty": "oct", "kid": kid, "k": SHARED_SECRET_OF_THE_RFC})
    return verifying_key({**PUBLISHED[kid], "kid": kid})


def message(name: str, scheme: str = "https", request: Message | None = None) -> Message:
    """A message of the RFC, by its name in `rfc9421.txt`."""
    first, *lines = _blocks()[name].split("\n")
    fields = tuple(map(_field, lines))
    if first.startswith("HTTP/"):
        return Message(fields, status=int(first.split()[1]), request=request)
    method, target, _ = first.split()
    return Message(fields, method, target, scheme, dict(fields)[b"host"].decode())


def added(name: str) -> tuple[tuple[bytes, bytes], ...]:
    """The fields that a signature of B.2 adds."""
    return tuple(map(_field, _blocks()[name].split("\n")))


def post_quantum() -> list[dict[str, Any]]:
    """The vectors of httpsig-pq (C2SP), version 1.0.0: public keys and deterministic signatures."""
    vectors: list[dict[str, Any]] = json.loads((_HERE / "httpsig-pq.json").read_text())
    return vectors


def _blocks() -> dict[str, str]:
    text = re.sub(r"\\\n *", "", (_HERE / "rfc9421.txt").read_text())
    blocks = (block.partition("\n") for block in text.split("=== ")[1:])
    return {name: body.strip("\n") for name, _, body in blocks}


def _field(line: str) -> tuple[bytes, bytes]:
    name, _, value = line.partition(":")
    return name.lower().encode(), value.strip().encode()
