"""The proxies under load, each started on a core of its own: Lockgate, and nginx where it is."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 30.0
"""Seconds that a proxy has to be ready."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One that runs."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    receipts: bool

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of its processes so far."""
        return sum(map(cpu_of, family(self.process.pid)))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def family(pid: int) -> list[int]:
    """The process and all below it."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [pid, *(each for child in children for each in family(child))]


def cpu_of(pid: int) -> float:
    """Seconds on the process's CPU clock, with those of threads that have ended.

    Python lacks clock_getcpuclockid(3); the number is made as glibc makes it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def start_gateway(
    folder: Path,
    pki: Path,
    upstream: int,
    core: int,
    algorithm: str = "hmac-sha256",
    engine: str = "compiled",
) -> Proxy:
    """`lockgate run`, with masking, replay protection and a durable receipt for each transfer."""
    config, secret = folder / "gateway.yaml", folder / "pseudonym"
    secret.touch(0o600)
    secret.write_text(os.urandom(16).hex())
    config.write_text(
        _LOCKGATE.format(folder=folder, pki=pki, upstream=upstream, algorithm=algorithm)
    )
    log = folder / "gateway.log"
    command = [str(Path(sys.executable).parent / "lockgate"), "run", str(config)]
    process = start(command, log, core, LOCKGATE_ENGINE=engine)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if '"event":"ready"' in line:
                _, _, port = json.loads(line)["listeners"]["ingest"].rpartition(":")
                return Proxy("lockgate", int(port), process, True)
        time.sleep(0.05)
    process.kill()
    raise SystemExit(f"lockgate did not get ready: {log.read_text()}")


_LOCKGATE = """
version: 1
name: loadtest
identity:
  certificate: file:{pki}/gateway.pem
  key: file:{pki}/gateway.key
  trust: file:{pki}/ca.pem
sensitivity: [low]
zones: {{here: {{clearance: low}}}}
listeners: {{ingest: {{bind: "127.0.0.1:0", zone: here}}}}
upstreams:
  receiver:
    zone: here
    endpoints: ["https://127.0.0.1:{upstream}"]
    server_name: receiver.lockgate.example
routes:
  - name: orders
    listener: ingest
    match: {{path: /orders/**}}
    allow: [{{spiffe: spiffe://lockgate.example/client}}]
    upstream: receiver
    request:
      content: [json]
      label: low
      mask:
        - {{path: $.customer.ssn, action: redact}}
        - {{path: $.payment.reference, action: {{partial: {{keep_last: 4}}}}}}
    response: {{content: [json], label: low}}
    replay: {{require: transfer-id}}
  - name: files
    listener: ingest
    match: {{path: /files/**}}
    allow: [{{spiffe: spiffe://lockgate.example/client}}]
    upstream: receiver
    request: {{content: [opaque], label: low}}
    response: {{content: [json], label: low}}
    replay: {{require: transfer-id}}
    limits: {{body: 16GiB}}
  - name: records
    listener: ingest
    match: {{path: /records/**}}
    allow: [{{spiffe: spiffe://lockgate.example/client}}]
    upstream: receiver
    request:
      content: [ndjson]
      label: low
      mask:
        - {{path: $.customer.ssn, action: redact}}
        - {{path: $.customer.email, action: {{hmac: {{key: pseudonym, algorithm: {algorithm}}}}}}}
      detect: [{{type: default, action: redact}}]
    response: {{content: [json], label: low}}
    replay: {{require: transfer-id}}
    limits: {{body: 16GiB}}
keys: {{pseudonym: [{{id: k1, secret: "file:{folder}/pseudonym"}}]}}
receipts:
  store: {folder}/receipts
  origin: receipts.lockgate.example/loadtest
  key: file:{pki}/receipts.key
  log_key: file:{pki}/log.key
  log_pq_key: file:{pki}/log-pq.key
admin: {{bind: "unix:{folder}/admin.sock"}}
log: {{format: json}}
"""

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream receiver {{ server 127.0.0.1:{upstream}; keepalive 16; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} ssl; keepalive_requests 1000000;
    ssl_protocols TLSv1.3; ssl_session_tickets off;
    ssl_certificate {pki}/gateway.pem; ssl_certificate_key {pki}/gateway.key;
    ssl_client_certificate {pki}/ca.pem; ssl_verify_client on;
    location / {{
      proxy_pass https://receiver; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate {pki}/gateway.pem; proxy_ssl_certificate_key {pki}/gateway.key;
      proxy_ssl_trusted_certificate {pki}/ca.pem; proxy_ssl_verify on;
      proxy_ssl_name receiver.lockgate.example; proxy_ssl_server_name on;
    }}
  }}
}}
"""


def start_nginx(folder: Path, pki: Path, upstream: int, core: int) -> Proxy | None:
    """nginx as a plain pass over the same certificates; None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        return None
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, pki=pki, port=port, upstream=upstream))
    process = start([program, "-c", str(config)], folder / "nginx.out", core)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return Proxy("nginx, plain pass", port, process, False)
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise SystemExit(f"nginx did not start: {(folder / 'nginx.out').read_text()}")


def start(
    command: list[str], log: Path, core: int, **environment: str
) -> "subprocess.Popen[bytes]":
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # inherited, before the child's first thread
    try:
        with log.open("wb") as file:
            return subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
    finally:
        os.sched_setaffinity(0, ours)
