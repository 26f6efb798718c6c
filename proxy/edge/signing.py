"""What a route demands of signatures (RFC 9421): whose keys count, and what must be signed."""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

from proxy.errors import Refusal
from proxy.model import Head, Peer
from proxy.model.signed import Verified
from proxy.policy.principals import matches
from proxy.settings.schema import Principal
from proxy.wire.jwk import VerifyingKey, certificate_key
from proxy.wire.signature import Demands


@dataclass(frozen=True, slots=True)
class Signers:
    """Keys, and the peers that may sign with them."""

    keys: tuple[VerifyingKey, ...]
    peers: tuple[Principal, ...]

    def of(self, peer: Peer) -> tuple[VerifyingKey, ...]:
        """The keys, where this is one of the peers."""
        return self.keys if any(matches(peer, each) for each in self.peers) else ()


@dataclass(frozen=True, slots=True)
class Signing:
    """What a route demands of signatures, compiled."""

    signers: tuple[Signers, ...]
    certificate: bool
    """The key of the client certificate may sign."""
    demands: Demands
    """Of a request without content."""
    of_content: tuple[str, ...]
    """Components that are demanded beside those where there is content."""
    if_present: tuple[str, ...]
    """Fields that are demanded besides where the head has them."""
    authorities: frozenset[bytes] | None
    """What the gateway is called, in lower case; None: whatever senders call it."""
    scheme: str
    """`http` or `https`, as senders see it."""

    def keys(self, peer: Peer) -> list[VerifyingKey]:
        """Those that this peer may sign with."""
        found = [key for each in self.signers for key in each.of(peer)]
        if self.certificate and peer.certificate is not None:
            own = _own_key(peer.certificate.der)
            found += [own] if own is not None else []
        return found

    def require_key(self, verified: Verified, peer: Peer) -> None:
        """This peer may sign with the key that it has signed with. Raises Refusal."""
        known = {(key.name, key.algorithm) for key in self.keys(peer)}
        demanded = verified.algorithm in self.demands.algorithms
        if (verified.key, verified.algorithm) not in known or not demanded:
            raise Refusal("signature-refused", "key-unknown: the key may not sign any more")

    def demanded(self, head: Head) -> Demands:
        """What the signature of this request must be."""
        components = (*self.demands.components, *(() if head.framing.empty else self.of_content))
        there = [name for name in self.if_present if head.fields[name.encode("ascii")]]
        return replace(self.demands, components=tuple(dict.fromkeys((*components, *there))))


def nonce_of(verified: Verified) -> bytes | None:
    """What a nonce is remembered by, 32 octets: SHA-256 over the key's name, NUL and the nonce."""
    if verified.nonce is None:
        return None
    return hashlib.sha256(f"{verified.key}\0{verified.nonce}".encode()).digest()


def accept_signature(signing: Signing, head: Head) -> bytes:
    """The value of Accept-Signature (RFC 9421, section 5.1): what a signature must cover and say.

    Which nonce, is for the signer to choose; the field could only name one.
    """
    demands = signing.demanded(head)
    covered = " ".join(f'"{name}"' for name in demands.components)
    asked = "".join(f";{name}" for name in ("created", "expires") if name in demands.parameters)
    quoted = (demands.tag or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'sig1=({covered}){asked};tag="{quoted}"'.encode("ascii")


@lru_cache(maxsize=1024)
def _own_key(der: bytes) -> VerifyingKey | None:
    return certificate_key(der)
