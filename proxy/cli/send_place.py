"""Where `lockgate send` sends, as whom, and what: read from the command line, opened, checked."""

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from urllib.parse import urlsplit

from proxy.edge.outbound import Pool
from proxy.errors import TlsFailure
from proxy.observe.metrics import Metrics
from proxy.settings.address import parse_endpoint
from proxy.settings.schema import Tls, Upstream
from proxy.tls.context import client_context
from proxy.tls.credentials import load_credentials
from proxy.tls.engine import Engine

_TARGET = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*)?")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class UsageError(ValueError):
    """What was asked for cannot be asked for. Says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to send. `origin` is scheme, host and port; `target` the path with its query."""

    origin: str
    target: str
    socket: Path | None = None
    """The unix socket that stands for `origin`, which then is no more than what is asked for."""

    @property
    def endpoint(self) -> str:
        """What is connected to."""
        return self.origin if self.socket is None else f"unix:{self.socket}"

    @property
    def host(self) -> str | None:
        """For `Host`, where the endpoint has none (RFC 9110, section 7.2)."""
        if self.socket is None:
            return None
        return self.origin.removeprefix("http://").removesuffix(":80")

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells the server from others, wherever it is called from."""
        if self.socket is None:
            return (self.origin,)
        return f"unix:{os.path.realpath(self.socket)}", self.origin


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are and whom we trust, as PEM. No certificate: we shall be refused, and shown why."""

    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    trust: bytes | None = None
    server_name: str | None = None
    pins: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """A file that is about to be sent, as it was when its digest was taken."""

    path: Path
    size: int
    sha256: bytes
    follow: bool = True

    def open(self) -> BufferedReader:
        """The file, to read. Raises OSError."""
        return _open(self.path, follow=self.follow)


def parse_url(url: str, socket: Path | None = None) -> Place:
    """Read https://HOST[:PORT]/PATH, or http:// on loopback, or to whom `socket` leads.

    Raises UsageError.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError("the URL cannot be read") from None
    if parts.scheme not in ("https", "http") or not host:
        raise UsageError("expected a URL such as https://gateway.example:8443/orders/1")
    if socket is not None and parts.scheme != "http":
        raise UsageError("--unix-socket takes http://: it leads to nobody beyond this machine")
    if socket is None and parts.scheme == "http" and host not in _LOOPBACK:
        raise UsageError("http:// is for loopback and --unix-socket only; use https://")
    if parts.username is not None or parts.fragment:
        raise UsageError("a user name or a fragment has no place in this URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise UsageError("percent-encode the path: it holds characters that a URL may not")
    shown = f"[{host}]" if ":" in host else host
    place = Place(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), target, socket)
    if socket is not None:
        _require_socket(socket, f"{place.host}")
    return place


def _require_socket(path: Path, host: str) -> None:
    try:
        parse_endpoint(f"unix:{path}")
        parse_endpoint(f"https://{host}")  # any host may be asked for, in the same words
    except ValueError as error:
        raise UsageError(f"--unix-socket: {error}") from None


def payload(path: Path, *, follow: bool = True) -> Payload:
    """Take the digest of a file. Raises UsageError when it is no file that can be read."""
    try:
        with _open(path, follow=follow) as file:
            sha256 = hashlib.file_digest(file, "sha256").digest()
            return Payload(path, file.tell(), sha256, follow)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _open(path: Path, *, follow: bool) -> BufferedReader:
    """A regular file, and no link where links are not followed. Raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)  # no pipe may hang us
    file = os.fdopen(os.open(path, flags | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a file")
    return file


def _require_no_tls(identity: Identity) -> None:
    """Nothing that was demanded of the server or said of us is dropped. `--key` makes ids, too."""
    given = {
        "--trust": identity.trust,
        "--server-name": identity.server_name,
        "--pin": identity.pins,
        "--cert": identity.certificate,
    }
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} is for https://: over http:// nobody shows a certificate")


def connect(place: Place, identity: Identity) -> Pool:
    """The connections to `place`. Raises UsageError and CredentialError."""
    context = None
    if not place.origin.startswith("https:"):
        _require_no_tls(identity)
    else:
        if identity.trust is None:
            raise UsageError("https:// needs --trust: the authorities that may vouch for the peer")
        if (identity.certificate is None) != (identity.key is None):
            raise UsageError("--cert and --key belong together")
        credentials = None
        if identity.certificate is not None and identity.key is not None:
            credentials = load_credentials(identity.certificate, identity.key)
        context = client_context(credentials, identity.trust, None, Tls(), identity.pins)
        host = urlsplit(place.origin).hostname
        try:
            Engine(context, server_name=identity.server_name or host)
        except (ValueError, TlsFailure):
            raise UsageError("the server's name is no DNS name in ASCII, and no address") from None
    settings = Upstream(zone="there", endpoints=[place.endpoint], server_name=identity.server_name)
    return Pool("server", settings, Path(), context, lambda peer: True, Metrics())
