"""Servers of the field as upstreams: nginx, uvicorn and Node. Each demands our certificate."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE
from tests.scenarios.clients.senders import program
from tests.scenarios.gateway import wait_until
from tests.scenarios.servers import free_port

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format ids "$http_transfer_id $status $connection"; access_log {folder}/access.log ids;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  default_type text/plain;
  ssl_protocols TLSv1.3; ssl_certificate {pki}/receiver.pem; ssl_certificate_key {pki}/receiver.key;
  ssl_client_certificate {pki}/ca.pem; ssl_verify_client on; ssl_verify_depth 1;
  server {{
    listen 127.0.0.1:{port} ssl;
    location /nginx/ {{ root {folder}; dav_methods PUT; create_full_put_path on;
                        client_max_body_size 4m; }}
    location /nginx/few/ {{ root {folder}; dav_methods PUT; client_max_body_size 1k; }}
  }}
  server {{
    listen 127.0.0.1:{hasty} ssl; keepalive_timeout {idle};
    location / {{ return 200 "ok"; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """`folder`/nginx is what it serves and stores under /nginx/."""

    folder: Path
    port: int
    hasty: int
    """The port of a second server, which ends a connection that is idle for a moment."""

    def served(self) -> list[tuple[str, str, str]]:
        """(transfer id, status, connection) of every request that it has answered."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [(each[0], each[1], each[2]) for each in map(str.split, lines)]


@contextmanager
def nginx(folder: Path, pki: Path, idle: str) -> Iterator[Nginx]:
    (folder / "nginx").mkdir()
    found = Nginx(folder, free_port(), free_port())
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(folder=folder, pki=pki, port=found.port, hasty=found.hasty, idle=idle)
    )
    with _running([program("nginx"), "-c", str(config)], folder / "nginx.out", found.hasty):
        yield found


@contextmanager
def uvicorn(folder: Path, pki: Path, keep_alive: int) -> Iterator[int]:
    """Port of an ASGI server with the application beside this file; `keep_alive` in seconds."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "tests.scenarios.clients.application:application",
        "--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", str(keep_alive),
        "--ssl-certfile", str(pki / "receiver.pem"), "--ssl-keyfile", str(pki / "receiver.key"),
        "--ssl-ca-certs", str(pki / "ca.pem"), "--ssl-cert-reqs", "2", "--log-level", "warning",
    ]  # fmt: skip
    with _running(command, folder / f"uvicorn-{port}.out", port):
        yield port


@contextmanager
def node(folder: Path, pki: Path) -> Iterator[int]:
    """Port of a server of Node's own, from the script beside this file."""
    port = free_port()
    script = Path(__file__).with_name("site.mjs")
    with _running([program("node"), str(script), str(port), str(pki)], folder / "node.out", port):
        yield port


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    try:
        wait_until(listens)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
