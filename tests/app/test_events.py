"""Every event that the gateway puts into its log is what the schema of the package says."""

from datetime import UTC, datetime
from importlib import resources

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from proxy.app import start
from proxy.model import Event, Missed
from proxy.notary import opening
from proxy.notary.shedding import Shedding, missed_event
from proxy.receipt import keychain, statement
from tests.settings.example import loaded

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORIGIN = "receipts.example/gateway-a"
OLD, NEW = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32).public_key() for n in (1, 2))


def shed() -> Event | None:
    shedding = Shedding(NOW)
    shedding.add({"ingest:no_certificate": 12, "ingest:crowded": 1})
    return shedding.event(NOW)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event | None]:
    policy = loaded(tmp_path_factory.mktemp("settings"))
    return {
        "start": start.event(policy, 2, keychain.describe(NEW)),
        "stop": Event("stop", {"clean": True}),
        "recovery": opening.recovery(3, 17),
        "reload": start.reload_event(policy, policy),
        "key": Event("key", keychain.handover(OLD, NEW)),
        "refused-handshakes": shed(),
        "refused-transfers": missed_event(Missed({"disk-full": 3}, NOW, NOW)),
    }


@pytest.mark.parametrize("kind", statement.EVENTS)
def test_it_fits_the_schema(kind: str, events: dict[str, Event | None]) -> None:
    event = events[kind]
    assert event is not None
    place = statement.Place(0, statement.event_stream(ORIGIN), 1, None)
    said = statement.build_event(event, place, origin=ORIGIN, completed=NOW)
    file = resources.files("proxy.receipt") / "schema" / "log-event-v1.json"
    predicate = orjson.loads(said)["predicate"]
    assert predicate["kind"] == kind
    Draft202012Validator(orjson.loads(file.read_bytes())).validate(predicate)
