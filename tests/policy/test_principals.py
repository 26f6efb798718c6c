"""Who is named: every key must hold, deny beats allow, and whoever is not named is refused."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Certificate, Peer
from proxy.policy.authorize import Grants
from proxy.policy.entries import Facts
from proxy.policy.principals import matches
from proxy.settings.schema import Principal, Route
from tests.settings.example import changed

SPKI = bytes(range(32))
PIN = "sha256:" + base64.b64encode(SPKI).decode()
OTHER_PIN = "sha256:" + base64.b64encode(bytes(32)).decode()


def certified(
    spiffe: str | None = None, uris: tuple[str, ...] = (), dns: tuple[str, ...] = ()
) -> Peer:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = Certificate(
        b"", (), b"", SPKI, "CN=x", "CN=ca", 1, when, when, spiffe, uris, dns
    )  # fmt: skip
    return Peer(address="10.1.2.3", certificate=certificate)


def certified_with(**parts: tuple[str, ...]) -> Peer:
    peer = certified()
    assert peer.certificate is not None
    return replace(peer, certificate=replace(peer.certificate, **parts))  # type: ignore[arg-type]


def principal(**keys: Any) -> Principal:
    return Principal.model_validate(keys)


def require_allowed(peer: Peer, route: Route) -> str:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Grants(route, ["public"]).judge(Facts(peer, now)).rule


def route(allow: Sequence[dict[str, Any]], deny: Sequence[dict[str, Any]] = ()) -> Route:
    shape = changed()["routes"][0] | {"allow": list(allow), "deny": list(deny)}
    return Route.model_validate(shape)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("spiffe://acme/etl", ["spiffe://acme/etl", "spiffe://ACME/etl", "SPIFFE://acme/etl"],
         ["spiffe://acme/ETL", "spiffe://acme/etl/", "spiffe://acme/etl/x", "spiffe://acme.x/etl",
          "spiffe://acme/etl\n", "xspiffe://acme/etl", "spiffe://acme/etlx"]),
        ("spiffe://acme/etl/*", ["spiffe://acme/etl/a"],
         ["spiffe://acme/etl", "spiffe://acme/etl/", "spiffe://acme/etl/a/b", "spiffe://b/etl/a"]),
        ("spiffe://acme/etl-*", ["spiffe://acme/etl-1"], ["spiffe://acme/etl-", "spiffe://acme/etl-1/x"]),
        ("spiffe://acme/**", ["spiffe://acme/a", "spiffe://acme/a/b", "spiffe://acme"],
         ["spiffe://acme.evil/a", "spiffe://acme/", "spiffe://acme/a//b", "spiffe://acme/a?b"]),
        ("spiffe://a.b/x", ["spiffe://a.b/x"], ["spiffe://aXb/x"]),
        ("spiffe://acme/*/x", ["spiffe://acme/a/x"], ["spiffe://acme/x", "spiffe://acme/a/b/x"]),
    ],
)  # fmt: skip
def test_spiffe(pattern: str, yes: list[str], no: list[str]) -> None:
    named = principal(spiffe=pattern)
    assert [name for name in yes if not matches(certified(name), named)] == []
    assert [name for name in no if matches(certified(name), named)] == []
    assert not matches(certified(None, uris=(yes[0],), dns=(yes[0],)), named)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a.example.com", ["a.example.com", "A.Example.COM"],
         ["b.example.com", "a.example.com.", "a-example.com", "x.a.example.com"]),
        ("*.example.com", ["a.example.com", "A.EXAMPLE.com"],
         ["example.com", ".example.com", "a.b.example.com", "*.example.com", "a.example.com.evil",
          "-.example.com", "a.example.com\n"]),
    ],
)  # fmt: skip
def test_dns(pattern: str, yes: list[str], no: list[str]) -> None:
    named = principal(dns=pattern)
    assert [name for name in yes if not matches(certified(dns=("z", name)), named)] == []
    assert [name for name in no if matches(certified(dns=("z", name)), named)] == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("urn:acme:etl", ["urn:acme:etl"], ["urn:acme:ETL", "urn:acme:etl2", "URN:acme:etl"]),
        ("urn:acme:*", ["urn:acme:etl"], ["urn:acme:", "urn:acme:a/b", "urn:acme:a?b"]),
        ("https://acme.example/*/x", ["https://acme.example/a/x"], ["https://acme.example/a/b/x"]),
    ],
)
def test_uri(pattern: str, yes: list[str], no: list[str]) -> None:
    named = principal(uri=pattern)
    assert [name for name in yes if not matches(certified(uris=("z:", name)), named)] == []
    assert [name for name in no if matches(certified(uris=("z:", name)), named)] == []


@pytest.mark.parametrize(
    ("network", "yes", "no"),
    [
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "::c000:207"]),
        ("fd00::/8", ["fd00::1"], ["fe80::1"]),
    ],
)
def test_ip_is_an_address_name_of_the_certificate(
    network: str, yes: list[str], no: list[str]
) -> None:
    named = principal(ip=network)
    assert [name for name in yes if not matches(certified_with(ips=("::1", name)), named)] == []
    assert [name for name in no if matches(certified_with(ips=("::1", name)), named)] == []
    assert not matches(Peer(address=yes[0]), named), "where a peer is makes no name"
    assert not matches(certified_with(dns=(yes[0],), uris=(yes[0],)), named)


@pytest.mark.parametrize("key", ["cn", "ou"])
@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("etl", ["etl"], ["ETL", "etl ", " etl", "etl2", "xetl", ""]),
        ("etl-*", ["etl-1", "etl-a b", "etl-ü"], ["etl-", "etl-a\n", "etl-\x85", "ETL-1"]),
        ("*.acme", ["a.b.acme"], [".acme", "aXacme"]),
    ],
)
def test_cn_and_ou_are_of_the_subject(
    key: str, pattern: str, yes: list[str], no: list[str]
) -> None:
    named = principal(**{key: pattern})
    part, other = ("common_names", "units") if key == "cn" else ("units", "common_names")
    assert [text for text in yes if not matches(certified_with(**{part: ("z", text)}), named)] == []
    assert [text for text in no if matches(certified_with(**{part: ("z", text)}), named)] == []
    assert not matches(certified_with(**{other: (yes[0],), "dns": (yes[0],)}), named)


def test_pins_compare_the_key() -> None:
    assert matches(certified(), principal(pins=[OTHER_PIN, PIN]))
    assert not matches(certified(), principal(pins=[OTHER_PIN]))


@pytest.mark.parametrize(
    ("network", "yes", "no"),
    [
        (
            "10.0.0.0/8",
            ["10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1"],
            ["11.0.0.0", "::10.1.1.1"],
        ),
        ("127.0.0.1/32", ["127.0.0.1"], ["127.0.0.2"]),
        ("192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]),
        ("fd00::/8", ["fd00::1", "FD00:0::1"], ["fe00::1", "10.0.0.1"]),
        ("fe80::/10", ["fe80::1%eth0"], ["::1"]),
        ("0.0.0.0/0", ["1.2.3.4"], ["::1", "", "garbage", "1.2.3", "010.1.1.1"]),
    ],
)
def test_networks(network: str, yes: list[str], no: list[str]) -> None:
    named = principal(networks=["203.0.113.0/24", network])
    assert [address for address in yes if not matches(Peer(address), named)] == []
    assert [address for address in no if matches(Peer(address), named)] == []


def test_local() -> None:
    named = principal(local={"uid": [0, 1000]})
    assert matches(Peer(uid=0), named)
    assert matches(Peer(uid=1000), named)
    assert not matches(Peer(uid=1), named)


@pytest.mark.parametrize(
    "keys",
    [{"spiffe": "spiffe://acme/**"}, {"uri": "urn:*"}, {"dns": "*.example.com"}, {"pins": [PIN]},
     {"ip": ["0.0.0.0/0", "::/0"]}, {"cn": "x*"}, {"ou": "x*"},
     {"networks": ["0.0.0.0/0", "::/0"]}, {"local": {"uid": [0]}}],
)  # fmt: skip
def test_a_key_about_what_the_peer_does_not_have_does_not_hold(keys: dict[str, Any]) -> None:
    assert not matches(Peer(), principal(**keys))


def test_every_key_of_an_entry_must_hold() -> None:
    peer = certified("spiffe://acme/etl", dns=("a.example.com",))
    good = {"spiffe": "spiffe://acme/etl", "dns": "*.example.com", "pins": [PIN],
            "networks": "10.0.0.0/8"}  # fmt: skip
    bad = {"spiffe": "spiffe://acme/x", "dns": "b.example.com", "pins": [OTHER_PIN],
           "networks": "11.0.0.0/8", "local": {"uid": [0]}, "uri": "urn:x"}  # fmt: skip
    assert matches(peer, principal(**good))
    for key, value in bad.items():
        assert not matches(peer, principal(**(good | {key: value})))


def test_an_entry_without_keys_names_nobody() -> None:
    assert not matches(certified("spiffe://acme/etl"), Principal(spiffe=None))
    assert not matches(certified("spiffe://acme/etl"), Principal.model_construct())


def test_the_rule_that_admits_is_named() -> None:
    allow = [{"dns": "x"}, {"spiffe": "spiffe://acme/**"}]
    assert require_allowed(certified("spiffe://acme/etl"), route(allow)) == "allow[1]"


@pytest.mark.parametrize(
    ("allow", "deny", "reason"),
    [
        ([], [], "allow of route orders admits nobody"),
        ([{"spiffe": "spiffe://acme/x"}], [], "nothing in allow"),
        ([{"spiffe": "spiffe://acme/**"}], [{"dns": "x"}, {"pins": [PIN]}], "deny[1] of route"),
        ([{"spiffe": "spiffe://acme/etl"}], [{"spiffe": "spiffe://acme/etl"}], "deny[0] of route"),
    ],
)
def test_whoever_is_denied_or_not_named_is_refused(
    allow: list[dict[str, Any]], deny: list[dict[str, Any]], reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        require_allowed(certified("spiffe://acme/etl"), route(allow, deny))
    assert caught.value.code == "not-allowed"
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("denied", "names", "admitted"),
    [
        ("a.evil.example", "*.evil.example", False),
        ("*.evil.example", "*.evil.example", False),
        ("A.Evil.example", "*.eVIL.example", False),
        ("evil.example", "*.evil.example", True),
        ("a.b.evil.example", "*.evil.example", True),
        ("*.example", "*.evil.example", True),
        ("a.good.example", "*.evil.example", True),
    ],
)
def test_a_wildcard_in_a_certificate_is_denied_with_every_name_it_stands_for(
    denied: str, names: str, admitted: bool
) -> None:
    peer = certified("spiffe://acme/etl", dns=("z.test", names))
    only = route([{"spiffe": "spiffe://acme/etl"}], [{"dns": [denied]}])
    if admitted:
        assert require_allowed(peer, only) == "allow[0]"
    else:
        with pytest.raises(Refusal, match=r"deny\[0\]"):
            require_allowed(peer, only)


def test_a_wildcard_in_a_certificate_is_nobody_whom_allow_names() -> None:
    for pattern in ("a.good.example", "*.good.example"):
        assert not matches(certified(dns=("*.good.example",)), principal(dns=pattern))
