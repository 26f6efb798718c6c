"""A gateway whose peers cease to be acceptable: by list, trust, pin, grant, reload or clock."""

import copy
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.tls.credentials import Credentials
from proxy.tls.pki import CLIENT, issue, make_authority
from tests.pki import make_crl
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.parties import authority_of, pin, put
from tests.tls.crls import crl

Withdraw = Callable[[Gateway], None]


def with_lists(config: Config, folder: Path) -> Config:
    """`config` with a list of our authority, which names nobody, at `list.crl` beside it."""
    config = copy.deepcopy(config)
    config["identity"]["crl"] = f"file:{folder / 'list.crl'}"
    revoke(folder)
    return config


def revoke(folder: Path, *names: str) -> None:
    """Write the list, which names exactly these."""
    leaves = [Credentials((folder / f"{name}.pem").read_bytes(), b"") for name in names]
    (folder / "list.crl").write_bytes(make_crl(authority_of(folder), leaves))


def reload(gateway: Gateway, config: Config | None = None) -> None:
    if config is not None:
        gateway.write(config)
    assert gateway.admin("/reload", method="POST")[0] == 200


def a_while(gateway: Gateway) -> int:
    """Seconds in which, on a machine as busy as it is now, all can be done that has to be under way
    before something expires: some hundred times what it takes to ask for the metrics once."""
    began = time.monotonic()
    for _ in range(3):
        gateway.metric("lockgate_ready")
    return 3 + math.ceil(30 * (time.monotonic() - began))


def victim(folder: Path, seconds: float | None = None) -> datetime:
    """Issue `victim`, which has the names of `client`; when it expires, in `seconds` from now."""
    days = timedelta(days=1)
    end = datetime.now(UTC).replace(microsecond=0) + (
        timedelta(seconds=seconds) if seconds else days
    )
    credentials = issue(
        authority_of(folder), "client", usages=CLIENT, not_before=end - 2 * days, lifetime=2 * days
    )
    put(folder, "victim", credentials)
    return end


# --- ways ----------------------------------------------------------------------------------------


def by_list(gateway: Gateway) -> None:
    revoke(gateway.pki, "victim")
    reload(gateway)


def by_trust(gateway: Gateway) -> None:
    elsewhere = make_authority("Elsewhere")
    (gateway.folder / "elsewhere.pem").write_bytes(elsewhere.pem)
    (gateway.folder / "elsewhere.crl").write_bytes(crl(elsewhere))
    config = copy.deepcopy(gateway.config)
    config["listeners"]["ingest"]["tls"] = {
        "trust": "file:elsewhere.pem", "crl": "file:elsewhere.crl"
    }  # fmt: skip
    reload(gateway, config)


def by_pin(gateway: Gateway) -> None:
    config = copy.deepcopy(gateway.config)
    config["listeners"]["ingest"]["tls"] = {"pins": [pin(gateway.pki, "client")]}
    reload(gateway, config)


def by_denial(gateway: Gateway) -> None:
    config = copy.deepcopy(gateway.config)
    for route in config["routes"]:
        route["deny"] = [{"pins": [pin(gateway.pki, "victim")]}]
    reload(gateway, config)


def by_route(gateway: Gateway) -> None:
    reload(gateway, gateway.config | {"routes": []})


def by_nothing(gateway: Gateway) -> None:
    """The clock does it."""
