"""The receipt of an answer of httpx: `verify_receipt(answer, "certs/receipts.pub")`."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.client.evidence import Answer, Content, Evidence, Sent, link, receipts, require_evidence
from proxy.errors import CredentialError, EvidenceError


class Response(Protocol):
    """What is used of `httpx.Response`."""

    status_code: int

    @property
    def headers(self) -> Any: ...

    @property
    def content(self) -> bytes: ...

    @property
    def request(self) -> Any: ...


def verify_receipt(
    response: Response,
    key: Ed25519PublicKey | bytes | str | Path,
    *,
    content: bytes | Path | None = None,
    answered: bytes | Path | None = None,
    envelope: bytes | None = None,
) -> Evidence:
    """The receipt of a transfer, when it holds. Fails closed: raises `EvidenceError`.

    `key`: the gateway's receipt key: PEM, or the file it is in. It holds when it is signed by that
    key, agrees with itself, and is about this request (id, method, target, content) and this
    answer (status, content; of a refusal by the gateway, its status alone). `content` is what was
    sent, where it was streamed: a file, or octets; else httpx has it. `answered` is what came, as
    it was on the wire, where it was streamed or has a Content-Encoding, which httpx takes off.
    `envelope` is what stands behind `receipt_link(response)`, where the answer itself bears no
    receipt. `Evidence.verdict` says how the transfer ended: a refusal has a receipt, too.
    """
    public = _public_key(key)
    answer = _Answer(response, answered)
    found = receipts(answer)
    if not found and envelope is None:
        behind = "; it is behind `receipt_link`" if link(answer) is not None else ""
        raise EvidenceError(f"no receipt came with the answer{behind}")
    request = response.request
    sent = Sent(
        str(request.headers.get("transfer-id", "")).lower(),
        request.method,
        request.url.raw_path.decode("ascii"),
        _content(request, content),
        None,
    )
    return require_evidence(found[-1] if found else envelope or b"", answer, sent, public)


def receipt_link(response: Response) -> str | None:
    """The path from which the receipt can be fetched, of the same server; None: there is none."""
    return link(_Answer(response, None))


@dataclass(frozen=True, slots=True)
class _Answer(Answer):
    response: Response
    answered: bytes | Path | None

    @property
    def content(self) -> Content:
        if self.answered is not None:
            return _read(self.answered)
        try:
            octets = self.response.content
        except RuntimeError:  # httpx.ResponseNotRead
            text = "the answer was streamed: say with `answered=` what came"
            raise EvidenceError(text) from None
        if octets and self.values(b"content-encoding"):
            text = "the answer has a Content-Encoding: say with `answered=` what came on the wire"
            raise EvidenceError(text)
        return _Octets(octets)

    @property
    def status(self) -> int:
        return self.response.status_code

    def values(self, name: bytes) -> tuple[bytes, ...]:
        return tuple(value for key, value in self.response.headers.raw if key.lower() == name)


@dataclass(frozen=True, slots=True)
class _Octets(Content):
    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.octets).digest()

    def open(self) -> IO[bytes]:
        return io.BytesIO(self.octets)


@dataclass(frozen=True, slots=True)
class _File(Content):
    path: Path
    size: int
    sha256: bytes

    def open(self) -> IO[bytes]:
        return self.path.open("rb")


def _content(request: Any, content: bytes | Path | None) -> Content:
    if content is not None:
        return _read(content)
    try:
        return _Octets(request.content)
    except RuntimeError:  # httpx.RequestNotRead, of which nothing here knows
        raise EvidenceError("the content was streamed: say with `content=` what it was") from None


def _read(content: bytes | Path) -> Content:
    if isinstance(content, bytes):
        return _Octets(content)
    with content.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return _File(content, file.tell(), digest)


def _public_key(key: Ed25519PublicKey | bytes | str | Path) -> Ed25519PublicKey:
    if isinstance(key, Ed25519PublicKey):
        return key
    pem = key if isinstance(key, bytes) else Path(key).read_bytes()
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialError("the receipt key is not a PEM public key") from None
    if not isinstance(public, Ed25519PublicKey):
        raise CredentialError("the receipt key is not an Ed25519 public key")
    return public
