"""How others are told to pass content as it comes: nginx, HAProxy, Envoy; stunnel for tunnels."""

from pathlib import Path
from typing import Any, Final

_NAME: Final = "receiver.lockgate.example"
_SUITE: Final = "TLS_AES_128_GCM_SHA256"

NGINX_TLS: Final = """
    listen 127.0.0.1:{port} ssl backlog=1024; keepalive_requests 100000000; keepalive_timeout 1h;
    ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_certificate {pki}/gateway.pem; ssl_certificate_key {pki}/gateway.key;
    ssl_client_certificate {pki}/ca.pem; ssl_verify_client on;
"""
NGINX_ONWARD: Final = """
      proxy_pass https://receiver; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse off;
      proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
      proxy_ssl_certificate {pki}/gateway.pem; proxy_ssl_certificate_key {pki}/gateway.key;
      proxy_ssl_trusted_certificate {pki}/ca.pem; proxy_ssl_verify on;
      proxy_ssl_name receiver.lockgate.example; proxy_ssl_server_name on;
"""
NGINX_HTTP: Final = """
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream receiver {{
    server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; keepalive_timeout 1h;
  }}
"""
_NGINX: Final = (
    """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
worker_rlimit_nofile 40000;
events {{ worker_connections 30000; }}
http {{"""
    + NGINX_HTTP
    + "  server {{"
    + NGINX_TLS
    + """
    location / {{
      proxy_request_buffering off; proxy_max_temp_file_size 0;"""
    + NGINX_ONWARD
    + """    }}
  }}
}}
"""
)


def nginx(folder: Path, pki: Path, upstream: int, port: int) -> str:
    """Content goes on as it comes, and never to the disk."""
    return _NGINX.format(folder=folder, pki=pki, upstream=upstream, port=port)


_HAPROXY: Final = """
global
  nbthread 1
  maxconn 9000
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-bind-ciphersuites {suite}
  ssl-default-server-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-server-ciphersuites {suite}
defaults
  mode {mode}
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  {http}
listen gate
  bind 127.0.0.1:{port} ssl crt {pair} ca-file {pki}/ca.pem verify required backlog 1024
  server receiver 127.0.0.1:{upstream} ssl crt {pair} ca-file {pki}/ca.pem verify required \
sni str({name}) verifyhost {name} no-ssl-reuse
"""
_HTTP: Final = """timeout http-keep-alive 1h
  timeout http-request 1h
  http-reuse always"""


def haproxy(mode: str, pair: Path, pki: Path, upstream: int, port: int) -> str:
    """`mode`: http or tcp."""
    return _HAPROXY.format(
        mode=mode,
        http=_HTTP if mode == "http" else "",
        suite=_SUITE,
        pair=pair,
        pki=pki,
        upstream=upstream,
        port=port,
        name=_NAME,
    )


_STUNNEL: Final = """
foreground = yes
pid =
debug = warning
sslVersion = TLSv1.3
ciphersuites = {suite}
cert = {pair}
CAfile = {pki}/ca.pem
verifyChain = yes
sessionCacheSize = 1
options = NO_TICKET
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[in]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{between}
requireCert = yes
[out]
client = yes
accept = 127.0.0.1:{between}
connect = 127.0.0.1:{upstream}
sni = {name}
checkHost = {name}
"""


def stunnel(pair: Path, pki: Path, upstream: int, port: int, between: int) -> str:
    """TLS is taken off by one service and put on by another, in one process: it cannot do both
    at once."""
    return _STUNNEL.format(
        suite=_SUITE,
        pair=pair,
        pki=pki,
        upstream=upstream,
        port=port,
        between=between,
        name=_NAME,
    )


# --- Envoy ---------------------------------------------------------------------------------------

_TYPES: Final = "type.googleapis.com/envoy.extensions."
_TLS: Final = _TYPES + "transport_sockets.tls.v3."
_MANAGER: Final = _TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _socket(kind: str, pki: Path, names: list[str], **more: Any) -> dict[str, Any]:
    trust: dict[str, Any] = {"trusted_ca": {"filename": f"{pki}/ca.pem"}}
    if names:
        trust["match_typed_subject_alt_names"] = [
            {"san_type": "DNS", "matcher": {"exact": name}} for name in names
        ]
    files = {
        "certificate_chain": {"filename": f"{pki}/gateway.pem"},
        "private_key": {"filename": f"{pki}/gateway.key"},
    }
    common = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [files],
        "validation_context": trust,
    }
    settings = {"@type": _TLS + kind, "common_tls_context": common, **more}
    return {"name": "envoy.transport_sockets.tls", "typed_config": settings}


def envoy(pki: Path, upstream: int, port: int) -> dict[str, Any]:
    """A bootstrap without an admin door."""
    router = {"@type": _TYPES + "filters.http.router.v3.Router"}
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "receiver", "timeout": "0s"}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "gate",
        "stream_idle_timeout": "0s",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [everything]}]
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {
        "transport_socket": _socket(
            "DownstreamTlsContext",
            pki,
            [],
            require_client_certificate=True,
            disable_stateless_session_resumption=True,
            disable_stateful_session_resumption=True,
        ),
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ],
    }
    cluster = {
        "name": "receiver",
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": 4096, "max_pending_requests": 4096}]
        },
        "load_assignment": {
            "cluster_name": "receiver",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
        "transport_socket": _socket(
            "UpstreamTlsContext", pki, [_NAME], sni=_NAME, max_session_keys=0
        ),
    }
    return {
        "static_resources": {
            "listeners": [{"name": "gate", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [cluster],
        }
    }
