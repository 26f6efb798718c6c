"""What a table of keys shows of peers, and that it stays small."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from proxy.model import Certificate
from proxy.policy.hygiene import KEYS, Keys, name_of, place_of, too_long

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def certificate(
    name: str = "spiffe://a/one", key: int = 1, serial: int = 1, day: int = 0
) -> Certificate:
    spki, sha256 = key.to_bytes(32), serial.to_bytes(32)
    begin = NOW + day * DAY
    return Certificate(
        b"", (), sha256, spki, "CN=x", "CN=ca", serial, begin, begin + 30 * DAY, name, (name,)
    )  # fmt: skip


def shown(
    keys: Keys, each: Certificate, address: str | None = None, at: datetime = NOW, most: int = 2
) -> list[str]:
    return [kind for kind, _ in keys.note(each, address, at, most)]


def test_one_key_under_one_name_shows_nothing() -> None:
    keys = Keys()
    for _ in range(3):
        assert shown(keys, certificate(), "192.0.2.1") == []
    assert shown(keys, certificate("spiffe://a/two", key=2, serial=2)) == []


def test_one_key_under_two_names_shows_at_the_second() -> None:
    keys = Keys()
    one, two = certificate(), certificate("spiffe://a/two", serial=2)
    assert shown(keys, one) == []
    assert shown(keys, two) == ["two_identities"]
    assert shown(keys, one) == [], "the first is taken for the right one"
    ((_, text),) = keys.note(two, None, NOW, 1)
    assert text == "spiffe://a/two has the key of spiffe://a/one"


def test_a_renewal_with_the_old_key_shows_and_one_with_a_new_key_does_not() -> None:
    keys = Keys()
    old, renewed = certificate(), certificate(serial=2, day=10)
    assert shown(keys, old) == []
    assert shown(keys, renewed) == ["old_key"]
    assert shown(keys, old) == []
    assert shown(keys, certificate(key=2, serial=3, day=20)) == []


def test_an_older_certificate_that_comes_late_is_no_renewal() -> None:
    keys = Keys()
    assert shown(keys, certificate(serial=2, day=10)) == []
    assert shown(keys, certificate()) == []
    assert shown(keys, certificate(serial=2, day=10)) == ["old_key"]


def test_a_key_from_more_places_than_are_allowed_within_an_hour_is_shared() -> None:
    keys, each = Keys(), certificate()
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"):
        assert shown(keys, each, address) == []
    assert shown(keys, each, "192.0.2.3") == ["shared"]
    assert shown(keys, each, "192.0.2.1") == ["shared"]
    assert shown(keys, certificate("spiffe://a/two", key=2), "192.0.2.9") == []


def test_what_was_more_than_an_hour_ago_is_not_counted() -> None:
    keys, each = Keys(), certificate()
    for minutes, address in ((0, "192.0.2.1"), (30, "192.0.2.2"), (61, "192.0.2.3")):
        assert shown(keys, each, address, NOW + minutes * HOUR / 60) == []
    assert shown(keys, each, "192.0.2.1", NOW + 62 * HOUR / 60) == ["shared"]


def test_ipv6_counts_by_its_64_and_a_unix_socket_not_at_all() -> None:
    keys, each = Keys(), certificate()
    for last in range(1, 9):
        assert shown(keys, each, f"2001:db8::{last}") == []
        assert shown(keys, each, None) == []
    assert place_of("2001:db8:0:1::5") == "2001:db8:0:1::/64"
    assert place_of("fe80::1%eth0") == "fe80::/64"
    assert place_of("192.0.2.1") == "192.0.2.1"


def test_the_table_is_bounded_by_keys_and_by_places_of_a_key() -> None:
    keys = Keys()
    for key in range(KEYS + 10):
        shown(keys, certificate(f"spiffe://a/{key}", key=key + 1))
    assert len(keys) == KEYS
    assert shown(keys, certificate("spiffe://a/other", key=1)) == [], "long gone"
    busy = certificate("spiffe://a/busy", key=10**6)
    for number in range(1000):
        shown(keys, busy, f"10.0.{number // 250}.{number % 250}", NOW + number * HOUR / 10**6)
    assert len(keys._seen[busy.spki_sha256].places) == 3


def test_a_certificate_that_is_valid_for_longer_than_that_is_told_with_its_days() -> None:
    each = certificate()
    assert too_long(each, 30 * 86400.0) is None
    assert too_long(each, 30 * 86400.0 - 1) == ("spiffe://a/one is valid for 30 days, more than 30")


def test_whose_a_certificate_is() -> None:
    each = certificate()
    assert name_of(each) == "spiffe://a/one"
    bare = replace(each, spiffe=None, uris=(), dns=("a.example",), ips=("192.0.2.1",))
    assert name_of(bare) == "a.example"
    assert name_of(replace(bare, dns=())) == "192.0.2.1"
    assert name_of(replace(bare, dns=(), ips=())) == "CN=x"
