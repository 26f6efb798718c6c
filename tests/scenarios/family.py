"""A gateway of several processes, of which some have died: when it is whole again."""

import json
from collections import Counter

from tests.scenarios.gateway import Gateway, wait_until


def wait_until_whole(gateway: Gateway, workers: int = 2) -> None:
    """Until everybody is there and each worker has heard from the notary.

    The lines `worker_started` and `notary_started` come a moment before that, in which a worker
    still refuses everything.
    """
    everybody = {"supervisor": 1, "notary": 1, "worker": workers}

    def whole() -> bool:
        shown = json.loads(gateway.admin("/status")[1])["processes"]
        states = {each["state"] for each in shown}
        return Counter(each["kind"] for each in shown) == everybody and states <= _WELL

    wait_until(whole)


_WELL = {"running", "ready"}
