"""Verifies a Lockgate receipt with `cryptography` and nothing else, least of all Lockgate.

    python verify.py KEY.pem RECEIPT.json DELIVERED [PROOF.tlog-proof VKEY ...]

Signature, content (`-` for none), that the receipt is in the log, and the log's signatures.
"""

import sys
from base64 import b64decode
from hashlib import sha256
from json import loads
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def require(holds, what):
    if not holds:
        raise ValueError(what)


def require_statement(receipt, key):
    """What a DSSE envelope says that the receipt key has signed."""
    envelope = loads(receipt)
    kind, payload = envelope["payloadType"], b64decode(envelope["payload"], validate=True)
    require(kind == "application/vnd.in-toto+json", "the payload type is another")
    message = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    key.verify(b64decode(envelope["signatures"][0]["sig"], validate=True), message)
    return loads(payload)


def root_of(leaf, index, size, path):
    """The root over `size` leaves, from one of them and its path (RFC 9162, section 2.1.3)."""
    require(0 <= index < size and bool(path) == (size > 1), "the proof is of another place")
    if size == 1:
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        left, right = root_of(leaf, index, split, path[:-1]), path[-1]
    else:
        left, right = path[-1], root_of(leaf, index - split, size - split, path[:-1])
    return sha256(b"\x01" + left + right).digest()


def require_checkpoint(note, vkey):
    """Origin, size and root that a log's key has signed: 01 is Ed25519, 06 ML-DSA-44."""
    text, _, lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    name, key_id, encoded = vkey.split("+", 2)
    kind, public = b64decode(encoded)[:1], b64decode(encoded)[1:]
    own = sha256(name.encode() + b"\n" + kind + public).hexdigest()[:8]
    require((name, key_id) == (origin, own), "the vkey is not that of this log")
    ours = [line for line in lines.splitlines() if line.startswith(f"— {name} ")]
    signed = [b64decode(line.split(" ")[2], validate=True) for line in ours]
    signature = b"".join(each[4:] for each in signed if each[:4].hex() == key_id)
    if kind == b"\x01":
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode() + b"\n")
    else:
        who, time = bytes([len(name.encode())]) + name.encode(), signature[:8]
        tree = bytes(8) + int(size).to_bytes(8, "big") + b64decode(root)
        message = b"subtree/v1\n\0" + who + time + who + tree
        MLDSA44PublicKey.from_public_bytes(public).verify(signature[8:], message)
    return origin, int(size), b64decode(root)


def verify(key, receipt, content, proof=None, *vkeys):
    receipt = Path(receipt).read_bytes()
    said = require_statement(receipt, load_pem_public_key(Path(key).read_bytes()))
    (subject,), predicate = said["subject"], said["predicate"]
    if content != "-":
        found = sha256(Path(content).read_bytes()).hexdigest()
        told = predicate["kind"] == "delivered" and predicate["content"]["delivered"]["sha256"]
        require(told == found == subject["digest"]["sha256"], "not what was delivered")
    if proof:
        require(vkeys, "a proof needs the vkeys of the log")
        head, _, note = Path(proof).read_text("utf-8").partition("\n\n")
        form, index, *lines = head.split("\n")
        require(form == "c2sp.org/tlog-proof@v1", "this is no proof")
        path = [b64decode(line, validate=True) for line in lines]
        leaf, number = sha256(b"\x00" + receipt).digest(), int(index.removeprefix("index "))
        for origin, size, root in [require_checkpoint(note, vkey) for vkey in vkeys]:
            require(root_of(leaf, number, size, path) == root, "it is not in the log")
            require(predicate["log"]["origin"] == origin, "it is of another log")
    return subject["name"]


if __name__ == "__main__":
    try:
        print("verified:", verify(*sys.argv[1:]))  # noqa: T201
    except Exception as error:
        sys.exit(f"does not verify: {error or 'a signature is wrong'}")
