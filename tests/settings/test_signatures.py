"""Signers and what routes demand of signatures: what may be together, and what means nothing."""

from pathlib import Path

import pytest

from proxy.model.signed import SIGNATURE_FAILURES
from proxy.settings.schema import Signature
from proxy.wire.signature_algorithms import ALGORITHMS
from tests.settings.example import Change, Data, changed, loaded, mistakes, put, settings, warned

ETL = {"jwks": "file:etl.jwks", "peers": [{"spiffe": "spiffe://acme/etl/a"}]}
SIGNED = put("routes.0.replay", {"require": "signature"})
SWORN = put("routes.0.integrity", {"require": "signature"})


def plain(data: Data) -> None:
    """No TLS on the listener."""
    data["listeners"]["in"]["tls"] = {"mode": "none"}
    data["routes"][0]["allow"] = [{"networks": ["127.0.0.1/32"]}]


def test_every_algorithm_that_can_be_verified_can_be_named() -> None:
    assert frozenset(Signature().algorithms) == ALGORITHMS


@pytest.mark.parametrize("demand", [SIGNED, SWORN])
def test_the_key_of_the_client_certificate_needs_no_signers(tmp_path: Path, demand: Change) -> None:
    assert mistakes(tmp_path, changed(demand)) == []


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            [SIGNED, put("routes.0.signature", {"keys": ["etl"]})],
            "routes[0].signature.keys[0]",
            "there are no such signers; there are: certificate",
        ),
        (
            [SIGNED, put("signers", {"a": ETL}), put("routes.0.signature", {"keys": ["a", "a"]})],
            "routes[0].signature.keys[1]",
            "these keys stand twice",
        ),
        ([SIGNED, plain], "routes[0]", "without TLS there are none: name `signers`"),
        (
            [SWORN, plain, put("routes.0.signature", {"keys": ["certificate"]})],
            "routes[0].signature.keys[0]",
            "without TLS there are none: name `signers`",
        ),
        ([put("signers", {"certificate": ETL})], "signers.certificate", "this name is taken"),
        (
            [put("signers", {"etl": ETL | {"peers": [{"spiffe": "acme/etl"}]}})],
            "signers.etl.peers[0].spiffe",
            "spiffe",
        ),
        (
            [put("routes.0.signature", {"components": ["X-A"]})],
            "routes[0].signature.components[0]",
            "a part of the message, such as @method or content-type, in lower case",
        ),
        (
            [put("routes.0.signature", {"if_present": ["@query"]})],
            "routes[0].signature.if_present[0]",
            "the name of a field in lower case, such as content-encoding",
        ),
        (
            [SIGNED, put("routes.0.signature", {"skew": "121s"})],
            "routes[0].signature.skew",
            "at most 120s: nonces of signatures are not remembered for longer",
        ),
        ([put("routes.0.signature", {"tag": "ü"})], "routes[0].signature.tag", "a tag: printable"),
        (
            [put("signers", {"etl": ETL | {"jwks": '{"keys": []}'}})],
            "signers.etl.jwks",
            "expected a reference",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_place(
    tmp_path: Path, changes: list[Change], place: str, message: str
) -> None:
    ((path, said),) = mistakes(tmp_path, changed(*changes))
    assert path == place
    assert message in said


def test_a_tunnel_has_no_signatures(tmp_path: Path) -> None:
    route = {
        "name": "raw", "listener": "in", "upstream": "out", "allow": [{"spiffe": "spiffe://a/b"}],
        "request": {"content": ["opaque"], "label": "public"}, "signature": {"tag": "a"},
    }  # fmt: skip
    changes = (
        put("routes", [route]),
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
    )
    assert [path for path, _ in mistakes(tmp_path, changed(*changes))] == ["routes[0].signature"]


def test_what_nobody_asks_for_is_told(tmp_path: Path) -> None:
    idle = put("routes.0.signature", {"keys": ["etl"]})
    found = warned(loaded(tmp_path, idle, put("signers", {"etl": ETL})))
    assert [(each.path, each.code) for each in found] == [
        ("routes[0].signature", "means-nothing"),
        ("signers.etl", "unused"),
    ]
    assert warned(loaded(tmp_path, idle, SIGNED, put("signers", {"etl": ETL}))) == ()


def test_signers_that_are_everybody_are_told(tmp_path: Path) -> None:
    wide = {"etl": ETL | {"peers": [{"spiffe": "spiffe://acme/**"}]}}
    keys = put("routes.0.signature", {"keys": ["etl"]})
    (found,) = warned(loaded(tmp_path, SIGNED, keys, put("signers", wide)))
    assert (found.path, found.code) == ("signers.etl.peers[0]", "wildcard-principal")


def test_ids_are_remembered_longer_than_any_signature_holds_by_both_clocks() -> None:
    route = settings(SIGNED, put("routes.0.signature", {"skew": "45s"})).routes[0]
    assert route.remembers == 300 + 45 + 120
    assert settings(SWORN).routes[0].remembers == 300 + 30 + 120
    times = put("routes.0.replay.window", "1500ms"), put("routes.0.signature", {"skew": "200ms"})
    assert settings(SIGNED, *times).routes[0].remembers == 2 + 1 + 120  # as signatures are judged
    assert settings(times[0]).routes[0].remembers == 1.5


@pytest.mark.parametrize(
    ("change", "digest", "signature", "proves"),
    [
        ([], False, False, False),
        ([SIGNED], True, True, True),
        ([SWORN], True, True, True),
        ([SIGNED, put("routes.0.streaming", value=True)], True, True, False),
        ([put("routes.0.integrity", {"require": "content-digest"})], True, False, True),
    ],
)
def test_what_is_signed_of_content_is_its_digest(
    change: list[Change], digest: bool, signature: bool, proves: bool
) -> None:
    route = settings(*change).routes[0]
    found = (route.demands_digest, route.demands_signature, route.proves)
    assert found == (digest, signature, proves)


def test_the_manual_has_every_reason() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "observing.md").read_text("utf-8")
    part = page.partition("## Why a signature is refused\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in part.splitlines() if line.startswith("| `")]
    said = {name.strip().strip("`"): text.strip() for name, text in rows}
    assert said == SIGNATURE_FAILURES
