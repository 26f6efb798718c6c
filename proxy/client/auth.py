"""`SigningAuth`: httpx signs each request with it, new each time."""

import functools
import hashlib
from collections.abc import AsyncGenerator, Generator, Iterable
from pathlib import Path

import httpx

from proxy.client.signer import LASTS, TAG, Signer
from proxy.wire.digests import format_sha256
from proxy.wire.signing_key import SigningKey


class SigningAuth(httpx.Auth):
    """Content-Digest, Transfer-Id and a signature over both, for every request of a client.

    The content is read into memory for its digest, unless the request has a Content-Digest
    already: so give one along with what is streamed from a file (`digest_headers`). A Transfer-Id
    that the request has is kept: name one that a repetition will have, too.

    Answers are asked for without a coding, which httpx would do by itself, since a receipt is about
    the octets as they came. Who wants one says so: `headers={"Accept-Encoding": "gzip"}`.
    """

    def __init__(
        self,
        key: SigningKey | Signer | str | Path | bytes,
        *,
        tag: str = TAG,
        lasts: int = LASTS,
        components: Iterable[str] = (),
    ) -> None:
        """As `Signer`, or one of those. Raises `CredentialError` and `OSError`."""
        if isinstance(key, Signer):
            self.signer = key
        else:
            self.signer = Signer(key, tag=tag, lasts=lasts, components=components)

    def transfer_id(self, *parts: str | bytes) -> str:
        """An id for `headers={"Transfer-Id": …}` that is the same for the same parts."""
        return self.signer.transfer_id(*parts)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx's own: signs before the request goes."""
        if "content-digest" not in request.headers:
            request.read()
        self._sign(request)
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for `httpx.AsyncClient`."""
        if "content-digest" not in request.headers:
            await request.aread()
        self._sign(request)
        yield request

    def _sign(self, request: httpx.Request) -> None:
        digest = None
        if "content-digest" not in request.headers and _has_content(request):
            digest = hashlib.sha256(request.content).digest()
        if request.headers.get("accept-encoding") == _codings():
            request.headers["accept-encoding"] = "identity"
        given = request.headers.multi_items()
        for name, value in self.signer.fields(request.method, str(request.url), given, digest):
            request.headers[name] = value


def digest_headers(path: str | Path) -> dict[str, str]:
    """Content-Digest and Content-Length of a file, to stream it: read once more, not into memory.

    client.post(url, content=open(path, "rb"), headers=digest_headers(path))
    """
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        length = file.tell()
    return {"Content-Digest": format_sha256(digest).decode(), "Content-Length": str(length)}


@functools.cache
def _codings() -> str:
    """What httpx asks for where its caller says nothing."""
    with httpx.Client(transport=httpx.BaseTransport(), trust_env=False) as client:
        return str(client.headers.get("accept-encoding"))


def _has_content(request: httpx.Request) -> bool:
    return bool(request.content) or request.method in ("POST", "PUT", "PATCH")
