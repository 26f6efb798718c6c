"""Where to listen and where to connect: text -> frozen value, or ValueError in plain words.

    127.0.0.1:8443   [::1]:8443   localhost:8443   unix:run/lockgate.sock     binds
    https://host[:port]   http://host[:port]   unix:PATH                      endpoints
    tls://host:port       tcp://host:port                                     of tunnels

An endpoint is a place only: no user, path, query or fragment, not even a final `/` (RFC 3986,
section 3). A unix path is relative to the folder of the configuration.
"""

import ipaddress
import re
from dataclasses import dataclass

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_PORTS = {"https": 443, "http": 80}
_PLAIN = {"http": "https", "tcp": "tls"}
_MAX_UNIX_PATH = 107


@dataclass(frozen=True, slots=True)
class Address:
    """TCP host (name, or IP address without brackets) and port, or the path of a unix socket."""

    host: str | None = None
    port: int | None = None
    path: str | None = None

    @property
    def is_unix(self) -> bool:
        return self.path is not None

    @property
    def is_ip(self) -> bool:
        return self.host is not None and _ip(self.host) is not None

    @property
    def is_local(self) -> bool:
        """True when nobody outside this machine can be at the other end."""
        if self.host is None or self.host == "localhost":
            return True
        address = _ip(self.host)
        return address is not None and address.is_loopback


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place of an upstream. `scheme` is https, http, tls, tcp or unix."""

    scheme: str
    address: Address

    @property
    def secure(self) -> bool:
        return self.scheme in ("https", "tls")

    @property
    def authority(self) -> str:
        """The Host that it is asked for (RFC 9110, section 7.2)."""
        host, port = self.address.host, self.address.port
        if host is None:
            return "localhost"
        host = f"[{host}]" if ":" in host else host
        return host if port == _PORTS.get(self.scheme) else f"{host}:{port}"

    def __str__(self) -> str:
        path = self.address.path
        return f"unix:{path}" if path is not None else f"{self.scheme}://{self.authority}"


def parse_bind(text: str) -> Address:
    """Read a bind: HOST:PORT, [IPV6]:PORT or unix:PATH; port 0 is any free port."""
    if text.startswith("unix:"):
        return _unix(text)
    match = _AUTHORITY.fullmatch(text)
    if match is None or match[2] is None:
        raise ValueError("expected HOST:PORT, [IPV6]:PORT or unix:PATH")
    host = _host(match[1])
    if host != "localhost" and _ip(host) is None:
        raise ValueError("a bind takes an IP address or localhost, not another name")
    return Address(host, _port(match[2]))


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint. Plain http:, tcp: and unix: only within this machine."""
    if text.startswith("unix:"):
        return Endpoint("unix", _unix(text))
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("https", "http", "tls", "tcp"):
        raise ValueError(
            "expected https://HOST[:PORT], http://HOST[:PORT], tls://HOST:PORT, tcp://HOST:PORT "
            "or unix:PATH"
        )
    match = _AUTHORITY.fullmatch(rest)
    if match is None:
        raise ValueError(
            "expected a host and a port and nothing after them: no user, path, query or final /"
        )
    if match[2] is None and scheme not in _PORTS:
        raise ValueError(f"a {scheme}:// endpoint needs a port")
    address = Address(_host(match[1]), _port(match[2]) if match[2] else _PORTS[scheme])
    if scheme in _PLAIN and not address.is_local:
        raise ValueError(f"{scheme}:// only reaches this machine (127.0.0.1, ::1, localhost); "
                         f"elsewhere use {_PLAIN[scheme]}://")  # fmt: skip
    return Endpoint(scheme, address)


def require_server_name(text: str) -> None:
    """Raise ValueError unless `text` is a DNS name: what a certificate is checked against."""
    if _ip(text) is not None or _HOST.fullmatch(text) is None or len(text) > 253:
        raise ValueError("expected a DNS name, without port, wildcard or final dot")


def _unix(text: str) -> Address:
    path = text.removeprefix("unix:")
    if path.startswith("//") or not path or re.search(r"[\x00-\x1f\x7f?#]", path):
        raise ValueError("expected unix:PATH, with one slash or none at its beginning")
    if len(path.encode()) > _MAX_UNIX_PATH:
        raise ValueError(f"a unix socket path has at most {_MAX_UNIX_PATH} octets")
    return Address(path=path)


def _host(text: str) -> str:
    if text.startswith("["):
        address = _ip(text[1:-1])
        if address is None or address.version != 6:
            raise ValueError("expected an IPv6 address between the brackets")
        return str(address)
    if _ip(text) is None and (_HOST.fullmatch(text) is None or len(text) > 253):
        raise ValueError("expected a host name or an IP address")
    if _ip(text) is None and re.fullmatch(r"[0-9.]+", text):
        raise ValueError("expected an IPv4 address of four numbers up to 255")
    return text.lower()


def _port(text: str) -> int:
    port = int(text)
    if port > 65535:
        raise ValueError("a port is at most 65535")
    return port


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
