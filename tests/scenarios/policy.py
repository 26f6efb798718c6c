"""The configuration that scenarios begin with, and the ways in which they vary it."""

import copy
from pathlib import Path
from typing import Any

from tests.scenarios.gateway import Config

CLIENT = {"spiffe": "spiffe://lockgate.example/client"}
STRANGER = {"spiffe": "spiffe://lockgate.example/stranger"}
RECEIVER = {"spiffe": "spiffe://lockgate.example/receiver"}
SSN = "-".join(["536", "90", "4399"])
CARD = "4111" + "1111" * 3
KEEP_LAST = {"partial": {"keep_last": 4}}


def policy(pki: Path, endpoint: str, **changes: Any) -> Config:
    """A gateway between a partner and a warehouse; `changes` replace top-level keys."""

    def file(name: str) -> str:
        return f"file:{pki / name}"

    config: Config = {
        "version": 1,
        "name": "gateway-a",
        "identity": {
            "certificate": file("gateway.pem"),
            "key": file("gateway.key"),
            "trust": file("ca.pem"),
        },
        "keys": {"pseudonym": [{"id": "k1", "secret": file("pseudonym.key")}]},
        "sensitivity": ["public", "internal", "confidential", "restricted"],
        "zones": {
            "partner": {"clearance": "internal"},
            "warehouse": {"clearance": "confidential"},
        },
        "listeners": {"ingest": {"bind": "127.0.0.1:0", "zone": "partner"}},
        "upstreams": {
            "warehouse": {
                "zone": "warehouse",
                "endpoints": [endpoint],
                "server_name": "receiver.lockgate.example",
                "peer": RECEIVER,
            }
        },
        "routes": routes(),
        "receipts": {
            "store": "var/receipts",
            "origin": "receipts.lockgate.example/gateway-a",
            "key": file("receipts.key"),
            "log_key": file("log.key"),
            "log_pq_key": file("log-pq.key"),
            "patience": "10s",  # what else a machine does must not make a disk slow
        },
        "admin": {"bind": "127.0.0.1:0"},
        "reload": {"watch": False, "poll": "off"},
    }
    return config | changes


def routes() -> list[Config]:
    orders = {
        "content": ["json", "ndjson"],
        "label": "confidential",
        "mask": [
            {"path": "$.customer.ssn", "action": "redact"},
            {"path": "$..email", "action": {"hmac": {"key": "pseudonym"}}},
            {"path": "$.card", "action": KEEP_LAST},
        ],
        "detect": [
            {"type": "credit_card", "action": "reject"},
            {"type": "us_ssn", "action": "redact"},
        ],
    }
    return [
        route("orders", request=orders, methods=["POST", "PUT"]),
        route("files", request=opaque("internal"), response=opaque("internal")),
    ]


def opaque(label: str) -> Config:
    return {"content": ["opaque"], "label": label}


def route(name: str, *, methods: list[str] | None = None, **changes: Any) -> Config:
    """A route for /NAME/** that admits the client."""
    match: Config = {"path": f"/{name}/**"}
    if methods:
        match["methods"] = methods
    return {
        "name": name,
        "listener": "ingest",
        "match": match,
        "allow": [CLIENT],
        "upstream": "warehouse",
        "request": {"content": ["json", "ndjson"], "label": "internal"},
        "response": {"content": ["json"], "label": "internal"},
    } | changes


def with_routes(config: Config, *added: Config) -> Config:
    config = copy.deepcopy(config)
    config["routes"] += added
    return config


def framing_routes() -> list[Config]:
    """Routes on which little is held, so that messages stream, with receipts in every place."""
    limits = {"hold": 4096, "record": 1024}
    masked = {
        "content": ["ndjson"],
        "label": "internal",
        "mask": [{"path": "$.secret", "action": "redact"}],
    }
    return [
        route("stream", request=masked, response=opaque("internal"), limits=limits),
        route("trailer", receipt="trailer"),
        route("log", receipt="log"),
        route("masked-answer", response=masked, limits=limits),
    ]
