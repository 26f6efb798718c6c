"""Requests with signatures: right ones, and ones with anything changed before or after."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.wire.jwk import VerifyingKey, to_jwk
from proxy.wire.signature import Message, sign
from proxy.wire.signing_key import SigningKey, parse_signing_key
from tests.client.keys import KEYS
from tests.scenarios.client import request

COVERED = ("@method", "@target-uri", "content-digest", "transfer-id")


def key_of(algorithm: str = "ed25519") -> SigningKey:
    return parse_signing_key(KEYS[algorithm]())


def jwks(*keys: SigningKey) -> str:
    """A file of keys that verify."""
    return json.dumps({"keys": [_jwk(key.verifying) for key in keys]})


def _jwk(key: VerifyingKey) -> dict[str, str]:
    if isinstance(key.public, bytes):
        secret = base64.urlsafe_b64encode(key.public).rstrip(b"=").decode()
        return {"kty": "oct", "kid": key.keyid, "k": secret}
    return to_jwk(key.public) | {"kid": key.keyid}


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@dataclass
class Signed:
    """A request to be signed. What is changed of it after `sign` has been called is not signed."""

    key: SigningKey
    path: str = "/signed/1"
    body: bytes | None = b"{}"
    method: str = "POST"
    transfer_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    fields: tuple[str, ...] = ()
    host: str = "gate.example"
    scheme: str = "http"
    covered: Sequence[str] = COVERED
    age: float = 0.0
    lasts: int = 60
    said: dict[str, Any] = field(default_factory=dict)
    kind: str = "application/json"
    chunks: Sequence[bytes] | None = None
    signature: tuple[str, ...] = ()

    def sign(self) -> "Signed":
        """Sign what it is now."""
        self.fields = (f"Transfer-Id: {self.transfer_id}", *self.fields)
        covered = list(self.covered)
        if self.body is None:
            covered = [name for name in covered if name != "content-digest"]
        elif not any(name.startswith("Content-Digest") for name in self.fields):
            self.fields = (*self.fields, f"Content-Digest: {digest(self.body)}")
        pairs = [["Host", self.host], *(each.split(": ", 1) for each in self.fields)]
        if self.body is not None:
            pairs.append(["Content-Type", self.kind])
        message = Message(
            tuple((name.lower().encode(), value.encode()) for name, value in pairs),
            self.method,
            self.path,
            self.scheme,
            self.host,
        )
        created = int(time.time() - self.age)
        told: dict[str, Any] = {
            "created": created,
            "expires": created + self.lasts,
            "nonce": uuid.uuid4().hex,
            "tag": "lockgate",
        } | self.said
        made = sign(message, self.key, covered, **told)
        self.signature = tuple(f"{name.decode()}: {value.decode()}" for name, value in made)
        return self

    @property
    def octets(self) -> bytes:
        """As it goes on the wire."""
        body = self.chunks if self.chunks is not None else self.body
        fields = (*self.fields, *self.signature)
        whole = request(self.path, body, *fields, method=self.method, kind=self.kind)
        return whole.replace(b"Host: gate.example", f"Host: {self.host}".encode())
