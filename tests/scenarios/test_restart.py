"""What is known after a restart, and after a crash."""

import uuid
from collections import Counter

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import begun, chunk, request
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.proof import audit, receipt_of, receipts
from tests.scenarios.receiver import Exchange, Held, Receiver

workers = BOTH_FORMS


@pytest.fixture
def gateway(own_gateway: Gateway) -> Gateway:
    return own_gateway


def test_a_crash_in_mid_transfer_leaves_one_undecided_verdict_for_each(
    gateway: Gateway, receiver: Receiver
) -> None:
    held = receiver.behave = Held()
    before = receiver.octets
    ids = [str(uuid.uuid4()) for _ in range(3)]
    head = begun("/files/1", f"Transfer-Id: {ids[1]}", kind="a/b")
    with gateway.connect() as first, gateway.connect() as second, gateway.connect() as third:
        first.send(request("/once/1", b"{}", f"Transfer-Id: {ids[0]}"))
        assert held.asked.wait(PATIENCE)
        second.send(head + chunk(b"x" * 100000))
        third.send(begun("/orders/1", f"Transfer-Id: {ids[2]}"))
        gateway.wait_for_metric(3, "lockgate_transfers_in_flight")
        wait_until(lambda: receiver.octets >= before + 100000)
        gateway.crash()
        for client in (first, second, third):
            with pytest.raises(Broken):
                client.answer()
    held.go.set()
    receiver.behave = Exchange.answer
    for restarts in range(2):
        gateway.start()
        kinds = Counter((each["transferId"], each["kind"]) for each in receipts(gateway))
        assert kinds[ids[0], "indeterminate"] == 1
        assert kinds[ids[1], "indeterminate"] == 1
        assert sum(kinds.values()) == 2, "the third had sent nothing on"
        if not restarts:
            gateway.stop()
    with gateway.connect() as client:
        again = client.ask(request("/files/2", b"x", f"Transfer-Id: {ids[1]}", kind="a/b"))
        assert again.status == 200
        predicate = receipt_of(gateway, again)
        assert (predicate["attempt"], predicate["kind"]) == ("2", "delivered")
        undecided = client.ask(request("/once/1", b"{}", f"Transfer-Id: {ids[0]}"))
        assert undecided.status == 409, "nobody knows what became of the first attempt"
        assert b"undecided" in undecided.body
    gateway.stop()
    audit(gateway)
