"""Entries that name nobody, cannot hold, or hold for longer than is admitted, are mistakes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.settings.example import Change, changed, mistakes, put

WHO = {"spiffe": "spiffe://acme/a"}
PLACE = "routes[0].allow[0]"


def entry(**keys: Any) -> Change:
    return put("routes.0.allow.0", WHO | keys)


def when(**keys: Any) -> Change:
    return entry(when=keys)


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        (put("routes.0.allow.0", {"methods": ["POST"]}), PLACE, "name the peer"),
        (entry(methods=["GET"]), PLACE + ".methods[0]", "this route does not admit it"),
        (entry(methods=["CONNECT"]), PLACE + ".methods[0]", "CONNECT is always refused"),
        (entry(methods=["post"]), PLACE + ".methods[0]", "a method in capitals"),
        (entry(paths="/a*"), PLACE + ".paths", "whole segments"),
        (entry(content=["csv"]), PLACE + ".content[0]", "this route does not admit it"),
        (entry(content=["xml"]), PLACE + ".content[0]", "expected 'json'"),
        (entry(label="pubic"), PLACE + ".label", "there is no such label"),
        (entry(size="1 MB/s"), PLACE + ".size", "expected a size"),
        (entry(rate="fast"), PLACE + ".rate", "expected a rate such as 100/s"),
        (entry(volume="1GiB"), PLACE + ".volume", "expected a volume"),
        (
            put("routes.0.deny", [WHO | {"rate": "1/s"}]),
            "routes[0].deny[0].rate",
            "an entry of `allow`",
        ),
        (
            put("routes.0.deny", [WHO | {"volume": "1B/s"}]),
            "routes[0].deny[0].volume",
            "write `limits`",
        ),
        (when(), PLACE + ".when", "name a time"),
        (when(timezone="Europe/Berlin"), PLACE + ".when", "name a time"),
        (when(until="2027-13-01"), PLACE + ".when.until", "expected a date or time"),
        (when(until="tomorrow"), PLACE + ".when.until", "expected a date"),
        (when(not_before="2027-01-01T24:30"), PLACE + ".when.not_before", "expected a date"),
        (when(days="mo-fr"), PLACE + ".when.days", "expected a day"),
        (when(days=["mon", "Fri"]), PLACE + ".when.days[1]", "expected a day"),
        (when(hours="6-20"), PLACE + ".when.hours", "expected hours"),
        (when(hours="06:00-06:00"), PLACE + ".when.hours", "end when they begin"),
        (when(hours="06:00-24:01"), PLACE + ".when.hours", "a day ends at 24:00"),
        (when(days="mon", timezone="Europe/Berlln"), PLACE + ".when.timezone", "no such zone"),
        (when(days="mon", timezone="../../etc/passwd"), PLACE + ".when.timezone", "no such zone"),
        (when(not_before="2027-01-02", until="2027-01-02"), PLACE + ".when.until", "never holds"),
        (put("policy", {"grants_expire_within": "90d"}), PLACE, "needs `when.until`"),
        (put("policy", {"grants_expire_within": 90}), "policy.grants_expire_within", "duration"),
    ],
)
def test_a_mistake_is_named_at_its_place(
    tmp_path: Path, change: Change, path: str, message: str
) -> None:
    ((place, told),) = mistakes(tmp_path, changed(change))
    assert place == path
    assert message in told


def test_a_denial_may_lie_within_an_hour_that_the_clock_shows_twice(tmp_path: Path) -> None:
    hour = {"not_before": "2026-10-25T02:15", "until": "2026-10-25T02:45"}
    twice = {"when": hour | {"timezone": "Europe/Berlin"}}
    assert mistakes(tmp_path, changed(put("routes.0.deny", [twice]))) == []
    ((place, told),) = mistakes(tmp_path, changed(put("routes.0.allow", [WHO | twice])))
    assert (place, "never holds" in told) == (PLACE + ".when.until", True)


def test_a_denial_may_be_about_everybody(tmp_path: Path) -> None:
    everybody = [{"when": {"days": "sun"}}, {"size": "1MB"}]
    assert mistakes(tmp_path, changed(put("routes.0.deny", everybody))) == []


@pytest.mark.parametrize("key", ["methods", "paths", "content", "label", "size"])
def test_a_tunnel_is_granted_by_peer_and_by_time(tmp_path: Path, key: str) -> None:
    value = {"methods": ["GET"], "paths": "/", "content": ["opaque"], "label": "public", "size": 1}
    tunnel = {
        "name": "t", "listener": "in", "allow": [WHO | {key: value[key]}], "upstream": "out",
        "request": {"content": ["opaque"], "label": "public"},
    }  # fmt: skip
    data = changed(
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
        put("routes", [tunnel]),
        put("keys", {}),
    )
    assert mistakes(tmp_path, data) == [
        (f"{PLACE}.{key}", "is of HTTP; a tunnel is granted by peer and by time")
    ]
    tunnel["allow"] = [WHO | {"when": {"days": "mon"}}]
    assert mistakes(tmp_path, data) == []


@pytest.mark.parametrize(("days", "admitted"), [(-1, True), (89, True), (91, False)])
def test_where_grants_have_to_end_one_that_ends_too_late_is_a_mistake(
    tmp_path: Path, days: int, *, admitted: bool
) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    found = mistakes(
        tmp_path, changed(put("policy", {"grants_expire_within": "90d"}), when(until=until))
    )
    late = [(PLACE + ".when.until", "later than policy.grants_expire_within from now")]
    assert found == ([] if admitted else late)
