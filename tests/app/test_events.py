"""Every event that the gateway puts into its log is what the schema of the package says."""

from datetime import UTC, datetime
from importlib import resources
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator, ValidationError

from proxy.app import start
from proxy.model import Event, Missed
from proxy.notary import opening
from proxy.notary.messages import unpack_counts
from proxy.notary.shedding import Shedding, missed_event
from proxy.receipt import keychain, statement
from tests.settings.example import loaded

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORIGIN = "receipts.example/gateway-a"
OLD, NEW = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32).public_key() for n in (1, 2))


def shed(kinds: int = 2) -> Event:
    """Counts of many kinds, each name and count as long as a worker may say it, and longer."""
    shedding = Shedding(NOW)
    for number in range(kinds):
        counts = {f"{number:0>99}": 2**63}
        assert unpack_counts(orjson.dumps(counts)) == counts
        shedding.add(counts)
    event = shedding.event(NOW)
    assert event is not None
    return event


def predicate_of(event: Event) -> Any:
    place = statement.Place(0, statement.event_stream(ORIGIN), 1, None)
    said = statement.build_event(event, place, origin=ORIGIN, completed=NOW)
    return orjson.loads(said)["predicate"]


def require_valid(predicate: Any) -> None:
    file = resources.files("proxy.receipt") / "schema" / "log-event-v1.json"
    Draft202012Validator(orjson.loads(file.read_bytes())).validate(predicate)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event | None]:
    policy = loaded(tmp_path_factory.mktemp("settings"))
    return {
        "start": start.event(policy, 2, keychain.describe(NEW)),
        "stop": Event("stop", {"clean": True}),
        "recovery": opening.recovery(3, 17),
        "reload": start.reload_event(policy, policy, bytes(32), bytes(32)),
        "key": Event("key", keychain.handover(OLD, NEW)),
        "refused-handshakes": shed(),
        "refused-transfers": missed_event(Missed({"disk-full": 3}, NOW, NOW)),
    }


@pytest.mark.parametrize("kind", statement.EVENTS)
def test_it_fits_the_schema(kind: str, events: dict[str, Event | None]) -> None:
    event = events[kind]
    assert event is not None
    predicate = predicate_of(event)
    assert predicate["kind"] == kind
    require_valid(predicate)


@pytest.mark.parametrize(
    ("kinds", "names"), [(32, 32), (33, 33), (256, 256), (257, 257), (999, 257)]
)
def test_it_fits_however_much_was_turned_away(kinds: int, names: int) -> None:
    predicate = predicate_of(shed(kinds))
    require_valid(predicate)
    counts = predicate["details"]["counts"]
    assert len(counts) == names
    assert ("others" in counts) is (kinds > 256)


def test_more_names_than_that_are_not_of_this_program() -> None:
    predicate = predicate_of(shed(256))
    predicate["details"]["counts"] |= {"a": "1", "b": "1"}
    with pytest.raises(ValidationError):
        require_valid(predicate)
