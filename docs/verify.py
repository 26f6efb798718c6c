"""Verifies a Lockgate receipt with `cryptography` and nothing else, least of all Lockgate.

    python verify.py KEY.pem RECEIPT.json DELIVERED [PROOF.tlog-proof VKEY ...]

Signature, content (`-` for none), that the receipt is in the log, and the log's signatures.
"""

import sys
from base64 import b64decode
from hashlib import sha256
from json import loads
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def require(holds, what):
    if not holds:
        raise ValueError(what)


def require_signature(envelope, key):
    """DSSE. Returns the in-toto statement."""
    kind, payload = envelope["payloadType"].encode(), b64decode(envelope["payload"], validate=True)
    require(kind == b"application/vnd.in-toto+json", "the payload type is another")
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    key.verify(b64decode(envelope["signatures"][0]["sig"], validate=True), message)
    return loads(payload)


def root_from(leaf, index, size, path):
    """From a leaf up to the root (RFC 9162, section 2.1.3.2)."""
    require(index < size, "the index is beyond the log")
    last, root = size - 1, leaf
    for node in path:
        require(last > 0, "the proof is too long")
        left = index % 2 == 1 or index == last
        root = sha256(b"\x01" + (node + root if left else root + node)).digest()
        while left and index % 2 == 0 and index:
            index, last = index // 2, last // 2
        index, last = index // 2, last // 2
    require(last == 0, "the proof is too short")
    return root


def require_signed(note, vkey):
    """A checkpoint signed by a log's key: 01 is Ed25519, 06 ML-DSA-44. Returns what it says."""
    text, _, lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    name, key_id, public = vkey.split("+", 2)
    kind, public = b64decode(public)[:1], b64decode(public)[1:]
    known = sha256(name.encode() + b"\n" + kind + public).hexdigest()[:8]
    require((name, key_id) == (origin, known), "the vkey is not that of this log")
    ours = [line for line in lines.splitlines() if line.startswith(f"— {name} ")]
    blobs = [b64decode(line.split(" ")[2], validate=True) for line in ours]
    signature = b"".join(blob[4:] for blob in blobs if blob[:4].hex() == key_id)
    if kind == b"\x01":
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode() + b"\n")
    else:
        who = bytes([len(name.encode())]) + name.encode()
        message = b"subtree/v1\n\0" + who + signature[:8] + who + bytes(8)
        message += int(size).to_bytes(8, "big") + b64decode(root)
        MLDSA44PublicKey.from_public_bytes(public).verify(signature[8:], message)
    return origin, int(size), b64decode(root)


def verify(key, receipt, content, proof=None, *vkeys):
    receipt = Path(receipt).read_bytes()
    statement = require_signature(loads(receipt), load_pem_public_key(Path(key).read_bytes()))
    subject, predicate = statement["subject"][0], statement["predicate"]
    if content != "-":
        digest = sha256(Path(content).read_bytes()).hexdigest()
        found = (predicate["kind"], subject["digest"]["sha256"])
        require(found == ("delivered", digest), "this is not what was delivered")
    if proof:
        head, _, note = Path(proof).read_text("utf-8").partition("\n\n")
        kind, index, *path = head.split("\n")
        require(kind == "c2sp.org/tlog-proof@v1", "this is no proof")
        nodes = [b64decode(node, validate=True) for node in path]
        leaf, number = sha256(b"\x00" + receipt).digest(), int(index.removeprefix("index "))
        require(vkeys, "a proof needs the vkeys of the log")
        for origin, size, root in [require_signed(note, vkey) for vkey in vkeys]:
            require(root_from(leaf, number, size, nodes) == root, "it is not in the log")
            require(predicate["log"]["origin"] == origin, "it is of another log")
    return subject["name"]


if __name__ == "__main__":
    try:
        print("verified:", verify(*sys.argv[1:]))  # noqa: T201
    except (AttributeError, LookupError, OSError, TypeError, ValueError, InvalidSignature) as error:
        sys.exit(f"does not verify: {error or 'a signature is wrong'}")
