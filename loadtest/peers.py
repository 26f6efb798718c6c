"""How others mask two fields of NDJSON: nginx with Lua and cjson, mitmproxy with an addon.

Both hold the whole body, decode and encode every record, digest both sides, search for nothing and
sign nothing: as their users would write it. A peer that is not installed is None, and named so.
"""

import shutil
import socket
import time
from pathlib import Path
from typing import Final

from loadtest.proxies import PATIENCE, Proxy, start

MODULES: Final = Path("/usr/lib/nginx/modules")

_NGINX = """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off; master_process off; pid {folder}/lua.pid; error_log {folder}/lua.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; client_body_buffer_size 2000m;
  client_body_temp_path {folder}/lb; proxy_temp_path {folder}/lp;
  fastcgi_temp_path {folder}/lf; uwsgi_temp_path {folder}/lu; scgi_temp_path {folder}/ls;
  lua_package_path "{lua}";
  upstream receiver {{ server 127.0.0.1:{upstream}; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.3; ssl_session_tickets off;
    ssl_certificate {pki}/gateway.pem; ssl_certificate_key {pki}/gateway.key;
    ssl_client_certificate {pki}/ca.pem; ssl_verify_client on;
    location / {{
      access_by_lua_file {folder}/mask.lua;
      proxy_pass https://receiver; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate {pki}/gateway.pem; proxy_ssl_certificate_key {pki}/gateway.key;
      proxy_ssl_trusted_certificate {pki}/ca.pem; proxy_ssl_verify on;
      proxy_ssl_name receiver.lockgate.example; proxy_ssl_server_name on;
    }}
  }}
}}
"""

_LUA = """
local ffi, cjson = require "ffi", require "cjson"
ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
void *EVP_sha256(void);
unsigned char *HMAC(const void *type, const void *key, int size, const unsigned char *d,
                    size_t n, unsigned char *md, unsigned int *length);
]]
local digest, length = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local type, key = ffi.C.EVP_sha256(), "0123456789abcdef0123456789abcdef"
local function token(text)
  ffi.C.HMAC(type, key, #key, text, #text, digest, length)
  local body = ngx.encode_base64(ffi.string(digest, 24))
  return "tok:k1:" .. body:gsub("+", "-"):gsub("/", "_")
end
ngx.req.read_body()
local body, out = ngx.req.get_body_data(), {}
ffi.C.SHA256(body, #body, digest)
for line in body:gmatch("[^\\n]+") do
  local record = cjson.decode(line)
  record.customer.ssn = "[REDACTED]"
  record.customer.email = token(record.customer.email)
  out[#out + 1] = cjson.encode(record)
end
out[#out + 1] = ""
local masked = table.concat(out, "\\n")
ffi.C.SHA256(masked, #masked, digest)
ngx.req.set_body_data(masked)
"""

_ADDON = """
import base64, hashlib, hmac, json
KEY = b"0123456789abcdef0123456789abcdef"
def request(flow):
    body = flow.request.content
    received = hashlib.sha256(body).hexdigest()
    out = []
    for line in body.splitlines():
        record = json.loads(line)
        customer = record["customer"]
        customer["ssn"] = "[REDACTED]"
        mac = hmac.digest(KEY, customer["email"].encode(), "sha256")[:24]
        customer["email"] = "tok:k1:" + base64.urlsafe_b64encode(mac).decode()
        out.append(json.dumps(record, separators=(",", ":")))
    out.append("")
    flow.request.content = "\\n".join(out).encode()
    delivered = hashlib.sha256(flow.request.content).hexdigest()
"""


def start_lua(folder: Path, pki: Path, upstream: int, core: int) -> Proxy | None:
    """nginx with Lua; None where it, its module or cjson is not installed."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None or not (MODULES / "ngx_http_lua_module.so").exists():
        return None
    port = _port()
    (folder / "mask.lua").write_text(_LUA)
    config = folder / "lua.conf"
    config.write_text(
        _NGINX.format(
            folder=folder, pki=pki, port=port, upstream=upstream, modules=MODULES, lua=";;"
        )
    )
    command = [program, "-c", str(config)]
    return _ready("nginx + Lua", command, folder / "lua.out", port, core)


def start_mitmproxy(
    program: str | None, folder: Path, pki: Path, upstream: int, core: int
) -> Proxy | None:
    """mitmdump with an addon, as a reverse proxy; None where it is not installed."""
    program = program or shutil.which("mitmdump")
    if program is None:
        return None
    port, home = _port(), folder / "mitm"
    home.mkdir()
    (folder / "addon.py").write_text(_ADDON)
    pair = home / "pair"
    pair.touch(0o600)
    pair.write_text((pki / "gateway.key").read_text() + (pki / "gateway.pem").read_text())
    options = {
        "confdir": home,
        "client_certs": pair,
        "ssl_verify_upstream_trusted_ca": pki / "ca.pem",
        "connection_strategy": "lazy",
        "keep_host_header": "true",
        "request_client_cert": "true",
        "http2": "false",
    }
    command = [program, "-q", "--mode", f"reverse:https://localhost:{upstream}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command += ["--certs", str(pair), "-s", str(folder / "addon.py")]
    for name, value in options.items():
        command += ["--set", f"{name}={value}"]
    return _ready("mitmproxy + addon", command, folder / "mitm.out", port, core)


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def _ready(name: str, command: list[str], log: Path, port: int, core: int) -> Proxy:
    process = start(command, log, core)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return Proxy(name, port, process, False)
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise SystemExit(f"{name} did not start: {log.read_text()}")
