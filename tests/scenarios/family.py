"""A gateway of several processes, of which some may have died: who is there, and how they are."""

import json
from collections import Counter

from tests.scenarios.gateway import Gateway, wait_until


def states_of(gateway: Gateway) -> "Counter[tuple[str, str]]":
    """(kind, state) of each process, as /status has them."""
    shown = json.loads(gateway.admin("/status")[1])["processes"]
    return Counter((each["kind"], each["state"]) for each in shown)


def wait_until_whole(gateway: Gateway, workers: int = 2) -> None:
    """Until everybody is there and takes transfers.

    The lines `worker_started` and `notary_started` come a moment before that, in which a worker
    that has not heard from the notary still refuses everything; and readiness is that of one.
    """
    everybody = {("supervisor", "running"): 1, ("notary", "ready"): 1, ("worker", "ready"): workers}
    if workers == 1:
        everybody = {("all", "running"): 1}
    wait_until(lambda: gateway.admin("/readyz")[0] == 200 and states_of(gateway) == everybody)
