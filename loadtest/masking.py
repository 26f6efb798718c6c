"""How others are told to mask and to testify: nginx with Lua and cjson, mitmproxy with an addon.

Both hold the whole content, decode and encode every record, take SHA-256 of both sides, sign what
they did with Ed25519, append it to a file and send it along; neither searches, checks a value, or
waits for the disk. It is what their users would write: cjson keeps no integer above 2**53.
"""

import base64
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loadtest.plain import NGINX_HTTP, NGINX_ONWARD, NGINX_TLS

MODULES: Final = Path("/usr/lib/nginx/modules")

_NGINX: Final = (
    """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
worker_rlimit_nofile 40000;
events {{ worker_connections 30000; }}
http {{"""
    + NGINX_HTTP
    + """
  client_body_buffer_size 2000m;
  lua_package_path "{folder}/?.lua;;";
  init_by_lua_block {{ gate = require "gate" }}
  server {{"""
    + NGINX_TLS
    + """
    location / {{
      access_by_lua_block {{ gate.mask() }}
      header_filter_by_lua_block {{ gate.testify() }}"""
    + NGINX_ONWARD
    + """    }}
  }}
}}
"""
)

_LUA: Final = """
local ffi, cjson = require "ffi", require "cjson"
ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
void *EVP_sha256(void);
unsigned char *HMAC(const void *type, const void *key, int size, const unsigned char *d,
                    size_t n, unsigned char *md, unsigned int *length);
void *EVP_PKEY_new_raw_private_key(int type, void *e, const unsigned char *key, size_t size);
void *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(void *ctx);
int EVP_DigestSignInit(void *ctx, void **pctx, void *type, void *e, void *pkey);
int EVP_DigestSign(void *ctx, unsigned char *sig, size_t *siglen, const unsigned char *d, size_t n);
]]
local ED25519 = 1087
local C = ffi.C
local digest, length = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local signature, size = ffi.new("unsigned char[64]"), ffi.new("size_t[1]")
local seed = ngx.decode_base64("@SEED@")
local signer = C.EVP_PKEY_new_raw_private_key(ED25519, nil, seed, 32)
local kind, key = C.EVP_sha256(), "0123456789abcdef0123456789abcdef"
local log = io.open("@FOLDER@/receipts", "a")

local function hex(text)
  return (text:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end
local function sha256(text)
  C.SHA256(text, #text, digest)
  return hex(ffi.string(digest, 32))
end
local function token(text)
  C.HMAC(kind, key, #key, text, #text, digest, length)
  local body = ngx.encode_base64(ffi.string(digest, 24))
  return "tok:k1:" .. body:gsub("+", "-"):gsub("/", "_")
end
local function sign(text)
  local ctx = C.EVP_MD_CTX_new()
  C.EVP_DigestSignInit(ctx, nil, nil, nil, signer)
  size[0] = 64
  C.EVP_DigestSign(ctx, signature, size, text, #text)
  C.EVP_MD_CTX_free(ctx)
  return ffi.string(signature, 64)
end
local function record(line)
  local value = cjson.decode(line)
  value.customer.ssn = "[REDACTED]"
  if value.customer.email then value.customer.email = token(value.customer.email) end
  if value.payment then
    local text = value.payment.reference
    value.payment.reference = ("*"):rep(#text - 4) .. text:sub(-4)
  end
  return cjson.encode(value)
end

local gate = {}
function gate.mask()
  ngx.req.read_body()
  local body, masked = ngx.req.get_body_data(), nil
  if ngx.var.uri:sub(1, 9) == "/records/" then
    local out = {}
    for line in body:gmatch("[^\\n]+") do out[#out + 1] = record(line) end
    out[#out + 1] = ""
    masked = table.concat(out, "\\n")
  else
    masked = record(body)
  end
  ngx.ctx.received, ngx.ctx.delivered = sha256(body), sha256(masked)
  ngx.req.set_body_data(masked)
end
function gate.testify()
  local text = cjson.encode({
    id = ngx.var.http_transfer_id, route = ngx.var.uri, sender = ngx.var.ssl_client_s_dn,
    received = ngx.ctx.received, delivered = ngx.ctx.delivered, status = ngx.status,
    at = ngx.time(),
  })
  local receipt = text .. "." .. ngx.encode_base64(sign(text))
  log:write(receipt, "\\n")
  log:flush()
  ngx.header["Transfer-Receipt"] = ":" .. ngx.encode_base64(receipt) .. ":"
end
return gate
"""

_ADDON: Final = """
import base64, hashlib, hmac, json, time
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
KEY = b"0123456789abcdef0123456789abcdef"
SIGNER = Ed25519PrivateKey.from_private_bytes(base64.b64decode("@SEED@"))
LOG = open("@FOLDER@/receipts", "ab")

def masked(line):
    record = json.loads(line)
    customer = record["customer"]
    customer["ssn"] = "[REDACTED]"
    if "email" in customer:
        mac = hmac.digest(KEY, customer["email"].encode(), "sha256")[:24]
        customer["email"] = "tok:k1:" + base64.urlsafe_b64encode(mac).decode()
    if "payment" in record:
        text = record["payment"]["reference"]
        record["payment"]["reference"] = "*" * (len(text) - 4) + text[-4:]
    return json.dumps(record, separators=(",", ":"))

def request(flow):
    body = flow.request.content
    flow.metadata["received"] = hashlib.sha256(body).hexdigest()
    if flow.request.path.startswith("/records/"):
        out = [masked(line) for line in body.splitlines()]
        out.append("")
        flow.request.content = "\\n".join(out).encode()
    else:
        flow.request.content = masked(body).encode()
    flow.metadata["delivered"] = hashlib.sha256(flow.request.content).hexdigest()

def response(flow):
    certificate = flow.client_conn.certificate_list[0]
    text = json.dumps({
        "id": flow.request.headers.get("transfer-id"), "route": flow.request.path,
        "sender": str(certificate.subject), "received": flow.metadata["received"],
        "delivered": flow.metadata["delivered"], "status": flow.response.status_code,
        "at": int(time.time()),
    }).encode()
    receipt = text + b"." + base64.b64encode(SIGNER.sign(text))
    LOG.write(receipt + b"\\n")
    LOG.flush()
    flow.response.headers["Transfer-Receipt"] = ":" + base64.b64encode(receipt).decode() + ":"
"""


def _filled(text: str, folder: Path, pki: Path) -> str:
    key = load_pem_private_key((pki / "receipts.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    seed = base64.b64encode(key.private_bytes_raw()).decode()
    return text.replace("@SEED@", seed).replace("@FOLDER@", str(folder))


def nginx(folder: Path, pki: Path, upstream: int, port: int) -> str:
    return _NGINX.format(folder=folder, pki=pki, upstream=upstream, port=port, modules=MODULES)


def lua(folder: Path, pki: Path) -> dict[str, str]:
    """The files that it loads."""
    return {"gate.lua": _filled(_LUA, folder, pki)}


def addon(folder: Path, pki: Path) -> str:
    return _filled(_ADDON, folder, pki)


def mitmdump(pair: Path, pki: Path, upstream: int, port: int, script: str) -> list[str]:
    """Its arguments, as a reverse proxy that verifies both sides."""
    options = {
        "confdir": pair.parent / "home",
        "client_certs": pair,
        "ssl_verify_upstream_trusted_ca": pki / "ca.pem",
        "connection_strategy": "lazy",
        "keep_host_header": "true",
        "request_client_cert": "true",
        "tls_version_client_min": "TLS1_3",
        "tls_version_server_min": "TLS1_3",
        "http2": "false",
    }
    settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    door = ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    mode = ["-q", "--mode", f"reverse:https://localhost:{upstream}"]
    return [*mode, *door, "--certs", str(pair), "-s", script, *settings]
