"""Receipts of every kind, asked about again: what is taken from them, and what stays open."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.cli.past import Past, past
from proxy.cli.past_change import change
from proxy.cli.past_judge import PASSES, REFUSED, UNSURE, Candidate
from proxy.cli.review_use import uses
from proxy.errors import EvidenceError
from proxy.model import Content, Digest, Outcome, Peer, Report, Verdict
from proxy.notary.search import Found
from proxy.receipt import reading, statement
from tests.receipt.logs import Maker, files
from tests.receipt.outcomes import CERTIFICATE, ORIGIN, START, intent_of, outcome, refusal
from tests.settings.example import Change, changed, loaded, put, write

PLACE = statement.Place(1, "spiffe://example/etl/orders/orders", 1, None)
OPAQUE = Content(Digest(9, b"\x01" * 32), Digest(9, b"\x01" * 32), Report("opaque"), "internal")


def asked() -> list[Change]:
    """What makes of the example a configuration that could have written the receipts here."""
    return [
        put("sensitivity", ["internal", "confidential"]),
        put("zones", {"near": {"clearance": "confidential"}, "far": {"clearance": "internal"}}),
        put("listeners", {"ingest": {"bind": "127.0.0.1:8443", "zone": "far"}}),
        put("routes.0.listener", "ingest"),
        put("routes.0.response", {"content": ["json"], "label": "internal"}),
        put("routes.0.allow", [{"spiffe": "spiffe://example/**"}]),
    ]


def told(found: Outcome) -> Past:
    submission = statement.submission(found)
    return read(statement.build(submission, PLACE, origin=ORIGIN, completed=START))


def read(payload: bytes) -> Past:
    found = past(Found(0, b"", payload, reading.summarise(payload)))
    assert found is not None
    return found


def candidate(folder: Path, *changes: Change) -> Candidate:
    return Candidate(loaded(folder, *asked(), *changes))


def test_what_a_certificate_is_named_by_is_known_and_its_subject_is_not(tmp_path: Path) -> None:
    names = replace(CERTIFICATE, uris=(*CERTIFICATE.uris, "urn:x"), ips=("2001:db8::1", "10.0.0.1"))
    found = told(outcome(sender=Peer("10.9.9.9", certificate=names)))
    assert found.peer.certificate is not None
    assert found.peer.certificate.uris == names.uris
    assert (found.peer.certificate.dns, found.peer.certificate.ips) == (names.dns, names.ips)
    assert found.unknown == {"cn", "ou", "networks", "local"}
    for keys, verdict in [
        ({"uri": "urn:x"}, PASSES),
        ({"dns": "*.example"}, PASSES),
        ({"ip": "2001:db8::/32"}, PASSES),
        ({"ip": "192.0.2.0/24"}, REFUSED),
        ({"cn": "sender"}, UNSURE),
        ({"networks": "10.0.0.0/8"}, UNSURE),
        ({"dns": "x.example.org", "cn": "sender"}, REFUSED),
    ]:
        judged = candidate(tmp_path, put("routes.0.allow", [keys])).judge(found)
        assert judged.verdict == verdict, keys


def test_names_that_a_receipt_had_no_room_for_are_not_known(tmp_path: Path) -> None:
    many = replace(CERTIFICATE, dns=tuple(f"{n}.example" for n in range(40)))
    found = told(outcome(sender=Peer(certificate=many)))
    for name, verdict in [("0.example", PASSES), ("39.example", UNSURE), ("x.example", UNSURE)]:
        judged = candidate(tmp_path, put("routes.0.allow", [{"dns": name}])).judge(found)
        assert judged.verdict == verdict, name


@pytest.mark.parametrize(
    ("peer", "keys", "verdict"),
    [
        (Peer("10.0.0.1"), {"networks": "10.0.0.0/8"}, PASSES),
        (Peer("10.0.0.1"), {"networks": "192.0.2.0/24"}, REFUSED),
        (Peer("10.0.0.1"), {"cn": "x"}, REFUSED),
        (Peer(uid=1000), {"local": {"uid": [1000]}}, PASSES),
        (Peer(uid=1001), {"local": {"uid": [1000]}}, REFUSED),
    ],
)
def test_a_peer_without_a_certificate_is_known_whole(
    tmp_path: Path, peer: Peer, keys: dict[str, Any], verdict: str
) -> None:
    judged = candidate(tmp_path, put("routes.0.allow", [keys])).judge(told(outcome(sender=peer)))
    assert judged.verdict == verdict


def test_of_what_a_crash_cut_short_only_the_grant_is_asked(tmp_path: Path) -> None:
    found = read(
        statement.build_interrupted(intent_of(outcome()), PLACE, origin=ORIGIN, completed=START)
    )
    assert (found.verdict, found.method, found.request.size) == (Verdict.INDETERMINATE, None, None)
    assert candidate(tmp_path).judge(found).verdict == PASSES
    small = put("routes.0.allow", [{"spiffe": "spiffe://example/**", "size": 1}])
    assert candidate(tmp_path, small).judge(found).keys == ("size",)
    for keys, verdict in [
        ({"spiffe": "spiffe://other/**"}, REFUSED),
        ({"pins": ["sha256:" + "A" * 43 + "="]}, UNSURE),
        ({"dns": "*.example"}, UNSURE),
    ]:
        judged = candidate(tmp_path, put("routes.0.allow", [keys])).judge(found)
        assert judged.verdict == verdict, keys
    gone = put("routes.0.name", "other")
    assert candidate(tmp_path, gone).judge(found).keys == ("listener",)


def test_what_had_no_content_has_no_format_no_label_and_no_octets(tmp_path: Path) -> None:
    nothing = Content(Digest(0), Digest(0), Report("opaque"), None)
    found = told(outcome(method="POST", content_length=0, request=nothing))
    assert found.request.empty
    narrow = {"spiffe": "spiffe://example/**", "content": ["json"], "label": "internal", "size": 1}
    assert candidate(tmp_path, put("routes.0.allow", [narrow])).judge(found).verdict == PASSES


def test_a_tunnel_is_asked_by_its_peer(tmp_path: Path) -> None:
    found = told(
        outcome(method="tunnel", content_length=None, request=OPAQUE, answer=OPAQUE, status=None,
                answer_status=None)
    )  # fmt: skip
    tunnels = [
        put("listeners.ingest.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
        put("routes.0.match", {}),
        put("routes.0.request", {"content": ["opaque"], "label": "internal"}),
        put("routes.0.response", {"content": ["opaque"], "label": "internal"}),
    ]
    assert candidate(tmp_path, *tunnels).judge(found).verdict == PASSES
    deny = put("routes.0.deny", [{"spiffe": "spiffe://example/etl/orders"}])
    assert candidate(tmp_path, *tunnels, deny).judge(found).verdict == REFUSED
    assert candidate(tmp_path).judge(found).code == "no-route"


@pytest.mark.parametrize(
    ("code", "changes", "kind"),
    [
        ("transfer-id-required", [], PASSES),
        ("transfer-id-required", [put("routes.0.replay.require", "transfer-id")], None),
        ("digest-required", [put("routes.0.integrity.require", "content-digest")], None),
        ("content-not-allowed", [], UNSURE),
        ("content-too-large", [], UNSURE),
        ("content-too-large", [put("routes.0.limits.body", 99)], None),
        ("above-clearance", [put("routes.0.request.label", "internal")], PASSES),
        ("above-clearance", [put("zones.near.clearance", "internal")], None),
        ("above-clearance", [put("routes.0.request.label_from", "data-label")], UNSURE),
        ("finding-rejected", [], UNSURE),
        ("not-allowed", [put("routes.0.allow", [])], None),
        ("replayed", [], None),
        ("unparseable", [], None),
    ],
)
def test_what_was_refused_is_listed_only_where_a_receipt_tells_enough(
    tmp_path: Path, code: str, changes: list[Change], kind: str | None
) -> None:
    found = told(refusal(code))
    now = candidate(tmp_path, *changes)
    seen = change(found, now.judge(found))
    assert (seen and seen.kind) == kind


@pytest.mark.parametrize("rule", ["deny[0]", "allow[01]", "allow[x]", ""])
def test_a_rule_that_is_none_is_no_receipt(rule: str) -> None:
    with pytest.raises(EvidenceError):
        told(outcome(rule=rule))


def test_what_fell_by_its_size_was_admitted_by_nothing(tmp_path: Path) -> None:
    small = put("routes.0.allow", [{"spiffe": "spiffe://example/**", "size": 8}])
    found = told(refusal("not-allowed", rule="allow[0]", content_length=9))
    was = candidate(tmp_path, small)
    now = Candidate(loaded(tmp_path, *asked(), small), {found.policy or "": was.settings})
    assert change(found, now.judge(found)) is None


@pytest.mark.parametrize(
    ("until", "on_expiry", "kind"),
    [("20:00", "cut", None), ("20:00", "finish", PASSES), ("22:00", "cut", PASSES)],
)
def test_what_outlived_its_grant_is_cut_again_where_it_would_be(
    tmp_path: Path, until: str, on_expiry: str, kind: str | None
) -> None:
    begun = told(refusal("not-allowed", rule="allow[0]"))
    day = begun.received.date()
    found = replace(
        begun,
        received=datetime(day.year, day.month, day.day, 19, tzinfo=UTC),
        completed=datetime(day.year, day.month, day.day, 21, tzinfo=UTC),
    )
    grant = {"spiffe": "spiffe://example/**", "when": {"until": f"{day}T{until}"}}
    grants = put("routes.0.allow", [grant]), put("routes.0.on_expiry", on_expiry)
    now = candidate(tmp_path, *grants)
    seen = change(found, now.judge(found))
    assert (seen and seen.kind) == kind


@pytest.mark.parametrize(("volume", "keys"), [("1kB/day", ("volume",)), ("2kB/day", ())])
def test_what_was_refused_may_have_been_more_than_a_volume_gives(
    tmp_path: Path, volume: str, keys: tuple[str, ...]
) -> None:
    found = told(refusal("not-allowed", rule="allow[0]", content_length=1001))
    grant = {"spiffe": "spiffe://example/**", "volume": volume}
    now = candidate(tmp_path, put("routes.0.allow", [grant]))
    seen = change(found, now.judge(found))
    assert seen is not None
    assert (seen.kind, seen.keys) == (UNSURE if keys else PASSES, keys)


def test_entries_before_the_one_that_admitted_it_did_not_hold(tmp_path: Path) -> None:
    entries = [{"spiffe": "spiffe://example/**", "paths": path} for path in ("/b", "/orders/1")]
    found = told(outcome(rule="allow[1]"))
    of_then = loaded(tmp_path, *asked(), put("routes.0.allow", entries))
    now = Candidate(of_then, {found.policy or "": of_then.settings})
    assert now.judge(found).rules == ("allow[1]",)


SIGNED = put("routes.0.replay", {"require": "signature", "window": "5m"})
IDS = put("routes.0.replay", {"require": "transfer-id"})
DIGESTS = put("routes.0.integrity", {"require": "content-digest"})
OFF = [put("routes.0.replay", {"require": "off"}), put("routes.0.integrity", {"require": "off"})]
FRONT = put("routes.0.match.path", "/orders/in/**")


def later(folder: Path, found: Past, then: Sequence[Change], now: Sequence[Change]) -> Candidate:
    """A configuration, and another that judged what was found."""
    was = loaded(folder, *asked(), *then).settings
    return Candidate(loaded(folder, *asked(), *now), {found.policy or "": was})


@pytest.mark.parametrize(
    ("then", "now", "keys"),
    [
        (OFF, [IDS], ("transfer-id",)),
        (OFF, [OFF[0], DIGESTS], ("content-digest",)),
        (OFF, [SIGNED], ("transfer-id", "content-digest", "signature")),
        ([IDS, DIGESTS], [SIGNED], ("signature",)),
        ([SIGNED], [SIGNED], ()),
        ([SIGNED], [IDS, DIGESTS], ()),
        ([SIGNED], [SIGNED, put("routes.0.signature", {"tag": "etl"})], ("signature",)),
        ([IDS], OFF, ()),
    ],
)
def test_what_is_demanded_newly_is_not_known_to_have_been_there(
    tmp_path: Path, then: list[Change], now: list[Change], keys: tuple[str, ...]
) -> None:
    found = told(outcome())
    judged = later(tmp_path, found, then, now).judge(found)
    assert (judged.verdict, judged.keys, judged.assumed) == (UNSURE if keys else PASSES, keys, ())


def test_what_is_demanded_is_assumed_of_what_was_judged_by_nobody_knows_what(
    tmp_path: Path,
) -> None:
    judged = candidate(tmp_path, SIGNED).judge(told(outcome()))
    assert judged.verdict == PASSES
    assert judged.assumed == ("path", "transfer-id", "content-digest", "signature")


@pytest.mark.parametrize(
    ("code", "then", "now", "kind"),
    [
        ("signature-required", [SIGNED], [SIGNED, put("routes.0.signature", {"tag": "x"})], None),
        ("signature-required", [SIGNED], [IDS], PASSES),
        ("signature-refused", [SIGNED], [SIGNED], None),
        ("signature-refused", [SIGNED], [SIGNED, put("routes.0.signature.tag", "x")], UNSURE),
        ("signature-refused", [SIGNED], [IDS], PASSES),
        ("not-allowed", OFF, [SIGNED], PASSES),
    ],
)
def test_a_signature_that_was_refused_is_refused_again_by_the_same_terms(
    tmp_path: Path, code: str, then: list[Change], now: list[Change], kind: str | None
) -> None:
    found = told(refusal(code, status=403))
    seen = change(found, later(tmp_path, found, then, now).judge(found))
    assert (seen and seen.kind) == kind


def ahead(path: str) -> Change:
    """Another route of the listener in front, which takes this path."""

    def added(data: dict[str, Any]) -> None:
        other = json.loads(json.dumps(data["routes"][0])) | {"name": "ahead"}
        data["routes"].insert(0, other | {"match": {"path": path, "methods": ["POST"]}})

    return added


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [
        ([], [], PASSES),
        ([], [FRONT], UNSURE),
        ([FRONT], [], PASSES),
        ([], [ahead("/orders/x")], UNSURE),
        ([ahead("/orders/x")], [], PASSES),
        ([ahead("/orders/x/**")], [ahead("/orders/x/y")], PASSES),
        ([ahead("/orders/x/y")], [ahead("/orders/x/**")], UNSURE),
    ],
)
def test_without_a_path_a_route_is_sure_only_where_it_takes_what_it_took(
    tmp_path: Path, then: list[Change], now: list[Change], verdict: str
) -> None:
    found = told(outcome())
    judged = later(tmp_path, found, then, now).judge(found)
    assert (judged.verdict, judged.assumed) == (verdict, ())
    assert judged.keys == (("path",) if verdict == UNSURE else ())


@pytest.mark.parametrize(
    ("code", "used"),
    [("signature-required", 0), ("signature-refused", 0), ("rate-limited", 0), ("unparseable", 1)],
)
def test_what_no_policy_let_go_on_used_no_grant(tmp_path: Path, code: str, used: int) -> None:
    found = told(refusal(code, rule="allow[0]"))
    counted = uses(candidate(tmp_path, SIGNED), iter([found]))
    assert (counted.refused_now, counted.get("orders", 0).certain) == (0, used)


def test_an_entry_that_the_configuration_of_then_has_not_proves_nothing(tmp_path: Path) -> None:
    found = told(outcome(rule="allow[7]"))
    was = candidate(tmp_path)
    now = Candidate(loaded(tmp_path, *asked()), {found.policy or "": was.settings})
    assert now.judge(found).verdict == PASSES


def log(folder: Path, found: Sequence[Outcome]) -> Path:
    maker = Maker()
    for each in found:
        maker.receipt(each)
    for name, data in files(maker.entries).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_a_log_is_told_as_it_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = log(tmp_path / "log", [outcome() for _ in range(600)])
    for file in (store / "tile" / "entries").glob("001*"):
        file.unlink()
    config = write(tmp_path, changed(*asked(), put("routes.0.allow", [])))
    assert main(["explain", str(config), "--receipts", str(store)]) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 256, "what came before the damage has been told"
    assert "tile/entries/001" in said.err


def test_what_nobody_changes_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = log(tmp_path / "log", [outcome() for _ in range(300)])
    config = write(tmp_path, changed(*asked()))
    assert main(["explain", str(config), "--receipts", str(store), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["transfers"], answer["changes"]) == (300, [])
