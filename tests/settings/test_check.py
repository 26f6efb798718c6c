"""What values may be, by their own grammar and together; and what is warned of."""

from pathlib import Path

import pytest

from proxy.errors import ConfigError, Problem
from tests.settings.example import PIN, Change, changed, loaded, mistakes, put, warned


def because(tmp_path: Path, *changes: Change) -> tuple[str, str]:
    """The one mistake that these changes make."""
    found = mistakes(tmp_path, changed(*changes))
    assert len(found) == 1, found
    return found[0]


def loaded_wrongly(tmp_path: Path, *changes: Change) -> Problem:
    """The one mistake that these changes make, with its place."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *changes)
    (problem,) = caught.value.problems
    return problem


def line_of(tmp_path: Path, key: str) -> int:
    lines = (tmp_path / "gate.yaml").read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if key in line)
    return number


@pytest.mark.parametrize(
    ("place", "value", "path", "words"),
    [
        ("routes.0.listener", "no", "routes[0].listener", "no such listener; there is: in"),
        ("routes.0.upstream", "no", "routes[0].upstream", "no such upstream; there is: out"),
        ("listeners.in.zone", "no", "listeners.in.zone", "no such zone; there is: near, far"),
        ("upstreams.out.zone", "no", "upstreams.out.zone", "no such zone"),
        ("zones.near.clearance", "no", "zones.near.clearance", "no such label"),
        ("routes.0.request.label", "no", "routes[0].request.label", "no such label"),
        ("routes.0.response.label", "no", "routes[0].response.label", "no such label"),
        ("routes.0.request.detect", [{"type": "email", "action": "flag", "raises": "no"}],
         "routes[0].request.detect[0].raises", "no such label"),
        ("routes.0.request.mask.0.action.hmac.key", "no",
         "routes[0].request.mask[0].action.hmac.key", "no such masking key; there is: pseudonym"),
        ("sensitivity.3", "public", "sensitivity[3]", "this label stands twice"),
        ("keys.pseudonym.1", {"id": "k1", "secret": "env:K"}, "keys.pseudonym[1].id",
         "this key id stands twice"),
        ("listeners.in.bind", "gate.example:1", "listeners.in.bind", "not another name"),
        ("listeners.in.bind", "1.2.3.4:99999", "listeners.in.bind", "at most 65535"),
        ("listeners.in.bind", "1.2.3.4", "listeners.in.bind", "expected HOST:PORT"),
        ("listeners.in.bind", "::1:8443", "listeners.in.bind", "expected HOST:PORT"),
        ("listeners.in.bind", "[1.2.3.4]:8443", "listeners.in.bind", "IPv6 address"),
        ("listeners.in.bind", "unix:", "listeners.in.bind", "expected unix:PATH"),
        ("listeners.in.bind", "unix:/" + "x" * 107, "listeners.in.bind", "at most 107 octets"),
        ("admin.bind", "0.0.0.0:9090", "admin.bind", "loopback or a unix socket only"),
        ("admin.bind", "10.0.0.1:9090", "admin.bind", "loopback or a unix socket only"),
        ("metrics", {"bind": "x"}, "metrics.bind", "expected HOST:PORT"),
        ("upstreams.out.server_name", "1.2.3.4", "upstreams.out.server_name", "a DNS name"),
        ("upstreams.out.server_name", "a.example:1", "upstreams.out.server_name", "a DNS name"),
        ("upstreams.out.server_name", "*.example", "upstreams.out.server_name", "a DNS name"),
        ("listeners.in.tls", {"groups": ["ffdhe2048"]}, "listeners.in.tls.groups[0]",
         "unknown or weak group"),
        ("upstreams.out.tls", {"ciphers": ["RC4-SHA"]}, "upstreams.out.tls.ciphers[0]",
         "unknown or weak cipher"),
        ("upstreams.out.tls", {"ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]},
         "upstreams.out.tls.ciphers", "none of these is for TLS 1.3"),
        ("receipts.store", "", "receipts.store", "the path of a folder"),
        ("receipts.store", " ", "receipts.store", "the path of a folder"),
        ("receipts.store", "var\tx", "receipts.store", "the path of a folder"),
        ("routes.0.match.methods", ["POST", "CONNECT"], "routes[0].match.methods[1]",
         "CONNECT is always refused: no tunnel"),
        ("routes.0.match.path", "orders", "routes[0].match.path", "begins with /"),
        ("routes.0.match.path", "/a/../b", "routes[0].match.path", "a dot segment"),
        ("routes.0.match.path", "/a//b", "routes[0].match.path", "an empty segment"),
        ("routes.0.match.path", "/a?b", "routes[0].match.path", "normal form"),
        ("routes.0.match.path", "/a*", "routes[0].match.path", "whole segments"),
        ("routes.0.match.path", "/***", "routes[0].match.path", "whole segments"),
        ("routes.0.request.label_from", "Data Label", "routes[0].request.label_from",
         "the name of a header"),
        ("routes.0.request.mask.0.path", "email", "routes[0].request.mask[0].path", "JSONPath"),
        ("routes.0.request.mask.0.path", "$.a[?@.b]", "routes[0].request.mask[0].path",
         "filters and functions are refused"),
        ("routes.0.request.mask.0.path", "$[?length(@) > 1]", "routes[0].request.mask[0].path",
         "filters and functions are refused"),
        ("routes.0.request.mask.0.path", "$..a[?@.b].c", "routes[0].request.mask[0].path",
         "filters and functions are refused"),
        ("routes.0.allow.0", {"spiffe": "spiffe://*/x"}, "routes[0].allow[0].spiffe",
         "wildcard in the trust domain"),
        ("routes.0.allow.0", {"spiffe": ["spiffe://a/b", "https://a/b"]},
         "routes[0].allow[0].spiffe[1]", "expected spiffe://"),
        ("routes.0.allow.0", {"spiffe": "spiffe://a/b**"}, "routes[0].allow[0].spiffe",
         "whole segments"),
        ("routes.0.allow.0", {"spiffe": "spiffe://a//b"}, "routes[0].allow[0].spiffe", "empty"),
        ("routes.0.allow.0", {"spiffe": "spiffe://a/b/"}, "routes[0].allow[0].spiffe", "empty"),
        ("routes.0.allow.0", {"spiffe": "spiffe://a/../b"}, "routes[0].allow[0].spiffe", "segment"),
        ("routes.0.allow.0", {"spiffe": "spiffe://a:1/b"}, "routes[0].allow[0].spiffe",
         "trust domain"),
        ("routes.0.deny", [{"dns": "a.*.example"}], "routes[0].deny[0].dns", "first label"),
        ("routes.0.deny", [{"dns": "*.*.com"}], "routes[0].deny[0].dns", "first label"),
        ("routes.0.deny", [{"dns": "*"}], "routes[0].deny[0].dns", "first label"),
        ("routes.0.deny", [{"uri": "https://*.acme.example/x"}], "routes[0].deny[0].uri",
         "wildcard in the host"),
        ("routes.0.deny", [{"uri": "spiffe://acme/x"}], "routes[0].deny[0].uri", "under spiffe"),
        ("routes.0.deny", [{"uri": "acme"}], "routes[0].deny[0].uri", "with its scheme"),
        ("routes.0.deny", [{"networks": "10.0.0.1/8"}], "routes[0].deny[0].networks", "no bits"),
        ("routes.0.deny", [{"networks": ["::ffff:10.0.0.0/104"]}],
         "routes[0].deny[0].networks[0]", "as IPv4"),
        ("routes.0.deny", [{"ip": "10.0.0.1/8"}], "routes[0].deny[0].ip", "no bits"),
        ("routes.0.deny", [{"cn": "*"}], "routes[0].deny[0].cn", "something must stand beside"),
        ("routes.0.deny", [{"ou": ["a", "b**"]}], "routes[0].deny[0].ou[1]", "something must"),
        ("routes.0.deny", [{"cn": "a\n"}], "routes[0].deny[0].cn", "expected printable text"),
        ("upstreams.out.peer", {"ip": "localhost"}, "upstreams.out.peer.ip", "expected a network"),
        ("upstreams.out.peer", {"dns": "x", "local": {"uid": [1]}}, "upstreams.out.peer.local",
         "is of senders"),
        ("upstreams.out.peer", {"dns": "x", "networks": "10.0.0.0/8"},
         "upstreams.out.peer.networks", "is of senders"),
        ("upstreams.out.peer", {"spiffe": "acme"}, "upstreams.out.peer.spiffe", "expected spiffe:"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(
    tmp_path: Path, place: str, value: object, path: str, words: str
) -> None:
    where, message = because(tmp_path, put(place, value))
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://receiver.example:80", "only reaches this machine"),
        ("http://10.0.0.1", "only reaches this machine"),
        ("http://127.0.0.1.example", "only reaches this machine"),
        ("tcp://receiver.example:9", "only reaches this machine"),
        ("tcp://127.0.0.1", "a tcp:// endpoint needs a port"),
        ("tls://receiver.example", "a tls:// endpoint needs a port"),
        ("https://user@receiver.example", "no user"),
        ("https://receiver.example/", "no user, path"),
        ("https://receiver.example?x", "no user, path"),
        ("https://receiver.example:x", "no user, path"),
        ("https://receiver.example:70000", "at most 65535"),
        ("https://1.2.3.400", "four numbers"),
        ("https://[::g]", "no user, path"),
        ("https://-a.example", "a host name"),
        ("https://", "no user, path"),
        ("receiver.example:9443", "expected https://"),
        ("HTTPS://receiver.example", "expected https://"),
        ("", "expected https://"),
        ("https://10.0.0.1:9443", "give `server_name`"),
        ("https://[::1]:9443", "give `server_name`"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(tmp_path: Path, endpoint: str, words: str) -> None:
    where, message = because(tmp_path, put("upstreams.out.endpoints", [endpoint]))
    assert where == "upstreams.out.endpoints[0]"
    assert words in message


@pytest.mark.parametrize(
    "endpoint",
    ["https://a.example", "https://a-b.example:1", "http://127.0.0.1:80", "http://[::1]:80",
     "http://localhost", "unix:/run/a.sock", "unix:a.sock"],
)  # fmt: skip
def test_an_endpoint_that_can_be_is_accepted(tmp_path: Path, endpoint: str) -> None:
    assert mistakes(tmp_path, changed(put("upstreams.out.endpoints", [endpoint]))) == []


def test_an_ip_endpoint_with_a_server_name_is_accepted(tmp_path: Path) -> None:
    assert (
        warned(
            loaded(
                tmp_path,
                put("upstreams.out.endpoints", ["https://127.0.0.1:9443"]),
                put("upstreams.out.server_name", "receiver.example"),
            )
        )
        == ()
    )


@pytest.mark.parametrize("bind", ["0.0.0.0:80", "10.1.1.1:80", "[::]:80"])
def test_a_listener_without_tls_must_be_local(tmp_path: Path, bind: str) -> None:
    where, message = because(
        tmp_path, put("listeners.in.bind", bind), put("listeners.in.tls.mode", "none")
    )
    assert where == "listeners.in.tls.mode"
    assert message == "none is for loopback and unix sockets only"


@pytest.mark.parametrize("bind", ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "unix:/run/x"])
def test_a_local_listener_may_do_without_tls(tmp_path: Path, bind: str) -> None:
    data = changed(put("listeners.in.bind", bind), put("listeners.in.tls.mode", "none"))
    assert mistakes(tmp_path, data) == []


@pytest.mark.parametrize(("key", "value"), [("pins", [PIN]), ("trust", "env:T"), ("crl", "env:C")])
def test_what_tls_would_check_is_refused_where_there_is_none(
    tmp_path: Path, key: str, value: object
) -> None:
    where, message = because(tmp_path, put("listeners.in.tls", {"mode": "none", key: value}))
    assert where == f"listeners.in.tls.{key}"
    assert "cannot be checked" in message


def test_pins_and_peers_of_an_upstream_need_tls_at_every_endpoint(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        changed(
            put("upstreams.out.endpoints", ["https://a.example", "http://127.0.0.1"]),
            put("upstreams.out.pins", [PIN]),
            put("upstreams.out.peer", {"spiffe": "spiffe://acme/x"}),
        ),
    )
    assert [path for path, _ in found] == ["upstreams.out.pins", "upstreams.out.peer.spiffe"]


def test_tls_needs_an_identity(tmp_path: Path) -> None:
    data = changed()
    del data["identity"]
    assert [path for path, _ in mistakes(tmp_path, data)] == ["listeners.in", "upstreams.out"]
    put("upstreams.out.tls.trust", "file:ca.pem")(data)
    assert [path for path, _ in mistakes(tmp_path, data)] == ["listeners.in"]


@pytest.mark.parametrize("way", ["request", "response"])
@pytest.mark.parametrize("key", ["mask", "detect"])
def test_opaque_excludes_mask_and_detect(tmp_path: Path, way: str, key: str) -> None:
    rule = {"mask": {"path": "$.a", "action": "drop"}, "detect": {"type": "iban", "action": "flag"}}
    policy = {"content": ["opaque", "json"], "label": "public", key: [rule[key]]}
    where, message = because(tmp_path, put(f"routes.0.{way}", policy), *_key_is_used(way))
    assert where == f"routes[0].{way}.{key}"
    assert "forwards bytes unseen" in message


@pytest.mark.parametrize("content", ["text", "opaque"])
@pytest.mark.parametrize(
    ("key", "rule"), [("mask", {"path": "$.a", "action": "drop"}), ("allow_only", "$.a")]
)
def test_what_has_no_fields_excludes_paths(
    tmp_path: Path, content: str, key: str, rule: object
) -> None:
    policy = {"content": [content, "csv"], "label": "public", key: [rule]}
    where, message = because(tmp_path, put("routes.0.request", policy), *_key_is_used("request"))
    assert where == f"routes[0].request.{key}"
    assert "use a route of its own" in message


def test_text_goes_with_detection(tmp_path: Path) -> None:
    rules = [{"type": "email", "action": "redact"}]
    policy = {"content": ["text"], "label": "public", "detect": rules}
    assert mistakes(tmp_path, changed(put("routes.0.request", policy), put("keys", {}))) == []


def test_opaque_content_goes_with_masks_beside_it(tmp_path: Path) -> None:
    rules = [{"header": "X-User", "action": "redact"}, {"query": "id", "action": "drop"}]
    policy = {"content": ["opaque"], "label": "public", "mask": rules}
    change = changed(put("routes.0.request", policy), put("keys", {}))
    assert mistakes(tmp_path, change) == []


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ({"query": "id", "action": "drop"}, "query", "only a request has a query"),
        ({"header": "X", "action": {"redact": {"with": "a\u200bb"}}}, "action", "printable"),
        ({"header": "X", "action": {"redact": {"with": " a"}}}, "action", "printable"),
    ],
)
def test_a_mask_that_cannot_hold_where_it_stands_is_refused(
    tmp_path: Path, rule: dict[str, object], place: str, words: str
) -> None:
    policy = {"content": ["json"], "label": "public", "mask": [rule]}
    where, message = because(tmp_path, put("routes.0.response", policy))
    assert where == f"routes[0].response.mask[0].{place}"
    assert words in message


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "drop"},
        {"path": "$.a", "header": "X", "action": "drop"},
        {"header": "X", "query": "y", "action": "drop"},
        {"header": "", "action": "drop"},
        {"header": "x_user", "action": "drop"},
        {"header": "X User", "action": "drop"},
        {"query": "email[]", "action": "drop"},
        {"query": " email", "action": "drop"},
        {"query": "", "action": "drop"},
    ],
)
def test_a_mask_names_one_place_that_there_can_be(tmp_path: Path, rule: dict[str, object]) -> None:
    where, _ = because(tmp_path, put("routes.0.request.mask", [rule]), put("keys", {}))
    assert where.startswith("routes[0].request.mask[0]")


def test_a_key_that_makes_pseudonyms_does_not_encrypt_as_well(tmp_path: Path) -> None:
    rule = {"path": "$.ssn", "action": {"encrypt": {"key": "pseudonym"}}}
    where, message = because(tmp_path, put("routes.0.request.mask.1", rule))
    assert where == "routes[0].request.mask[1].action.encrypt.key"
    assert "guess its pseudonyms" in message
    vault = {"vault": [{"id": "v", "secret": "file:p.key"}]}
    unlike = put("routes.0.request.mask", [rule])
    assert mistakes(tmp_path, changed(unlike)) == []
    assert because(tmp_path, put("keys", vault), unlike)[1].startswith("there is no such masking")


def _key_is_used(way: str) -> tuple[Change, ...]:
    return () if way == "response" else (put("keys", {}),)


def test_one_of_label_and_label_from(tmp_path: Path) -> None:
    where, message = because(
        tmp_path,
        put("routes.0.request.label", "public"),
        put("routes.0.request.label_from", "Data-Sensitivity"),
    )
    assert where == "routes[0].request.label_from"
    assert "not both" in message


def test_what_nothing_detects_is_told_with_what_may_be_meant(tmp_path: Path) -> None:
    for name, hint in (("us_sn", "did you mean us_ssn"), ("x" * 20, "docs/masking.md lists")):
        rules = [{"type": "financial", "action": "flag"}, {"type": name, "action": "redact"}]
        where, message = because(tmp_path, put("routes.0.request.detect", rules))
        assert where == "routes[0].request.detect[1].type"
        assert hint in message


@pytest.mark.parametrize("section", ["admin", "metrics"])
def test_two_cannot_listen_in_one_place(tmp_path: Path, section: str) -> None:
    where, message = because(tmp_path, put(section, {"bind": "127.0.0.1:8443"}))
    assert where == f"{section}.bind"
    assert message == "in is bound to the same address"


def test_two_listeners_cannot_share_a_bind_however_it_is_written(tmp_path: Path) -> None:
    where, _ = because(
        tmp_path,
        put("listeners.in.bind", "[::1]:8443"),
        put("listeners.two", {"bind": "[0:0:0:0:0:0:0:1]:8443", "zone": "far"}),
    )
    assert where == "listeners.two.bind"


def test_any_free_port_may_be_asked_for_twice(tmp_path: Path) -> None:
    data = changed(put("listeners.in.bind", "127.0.0.1:0"), put("admin.bind", "127.0.0.1:0"))
    assert mistakes(tmp_path, data) == []


def test_two_routes_cannot_have_one_name(tmp_path: Path) -> None:
    second = changed()["routes"][0] | {"match": {"path": "/other"}}
    assert because(tmp_path, put("routes.1", second)) == (
        "routes[1].name",
        "this route stands twice",
    )


@pytest.mark.parametrize(
    ("first", "second", "dead"),
    [
        (["POST"], ["POST"], True),
        (["POST", "PUT"], ["PUT"], True),
        (None, ["PUT"], True),
        (None, None, True),
        (["POST"], ["POST", "PUT"], False),
        (["POST"], None, False),
        (["POST"], ["PUT"], False),
    ],
)
def test_a_route_behind_one_that_takes_all_of_it_is_refused(
    tmp_path: Path, first: list[str] | None, second: list[str] | None, dead: bool
) -> None:
    route = changed()["routes"][0]
    routes = [
        route | {"name": name, "match": {"path": "/x"} | ({"methods": methods} if methods else {})}
        for name, methods in (("a", first), ("b", second))
    ]
    found = mistakes(tmp_path, changed(put("routes", routes)))
    expected = "never matches: route a stands before it and takes it all"
    assert found == ([("routes[1].match", expected)] if dead else [])


@pytest.mark.parametrize("root", ["root", 0])
@pytest.mark.parametrize("role", ["worker", "notary"])
def test_no_process_is_given_to_root(tmp_path: Path, role: str, root: str | int) -> None:
    users = {"worker": "lock", "notary": "keys"} | {role: root}
    found = loaded_wrongly(tmp_path, put("users", users))
    assert (found.path, found.line) == (f"users.{role}", line_of(tmp_path, f'"{role}"'))
    assert "root could read everything" in found.message


@pytest.mark.parametrize("user", ["lock", 1000])
def test_worker_and_notary_are_two_users(tmp_path: Path, user: str | int) -> None:
    found = loaded_wrongly(tmp_path, put("users", {"worker": user, "notary": user}))
    assert (found.path, found.line) == ("users.notary", line_of(tmp_path, '"notary"'))
    assert "the same user as the worker" in found.message


def test_a_key_does_not_replace_itself(tmp_path: Path) -> None:
    found = loaded_wrongly(tmp_path, put("receipts.previous_key", "file:r"))
    assert (found.path, found.line) == (
        "receipts.previous_key",
        line_of(tmp_path, '"previous_key"'),
    )
    assert "the same as `key`" in found.message


@pytest.mark.parametrize("name", ["document", "hold"])
def test_nothing_may_be_larger_than_all_transfers_may_keep_together(
    tmp_path: Path, name: str
) -> None:
    place = f"routes.0.limits.{name}"
    mistake = because(tmp_path, put("memory.held", "16MiB"), put(place, "13MiB"))
    assert mistake[0] == f"routes[0].limits.{name}"
    assert "more than the three quarters of memory.held" in mistake[1]
    assert not mistakes(tmp_path, changed(put("memory.held", "16MiB"), put(place, "12MiB")))


def test_what_is_held_whole_fits_the_room_for_it(tmp_path: Path) -> None:
    held = changed(put("routes.0.integrity", {"require": "content-digest"}),
                   put("spill.size", "4MiB"), put("routes.0.limits.body", "3073KiB"))  # fmt: skip
    ((path, message),) = mistakes(tmp_path, held)
    assert path == "routes[0].limits.body"
    assert "more than the three quarters of spill.size" in message
    held["routes"][0]["limits"]["body"] = "3MiB"
    assert not mistakes(tmp_path, held)
    held["routes"][0]["limits"]["body"] = "5MiB"
    held["routes"][0]["streaming"] = True
    assert not mistakes(tmp_path, held)


def test_what_streams_before_its_digest_holds_is_worth_a_note(tmp_path: Path) -> None:
    digest = put("routes.0.integrity", {"require": "content-digest"})
    assert warned(loaded(tmp_path, digest)) == ()
    (note,) = warned(loaded(tmp_path, digest, put("routes.0.streaming", True)))
    assert (note.path, note.code) == ("routes[0].streaming", "streams-unproven")


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (put("routes.0.allow", []), "routes[0]", "an empty `allow` admits nobody"),
        (put("upstreams.x", {"zone": "near", "endpoints": ["unix:x"]}), "upstreams.x", "uses this"),
        (put("zones.x", {"clearance": "public"}), "zones.x", "nothing uses this"),
        (put("keys.x", [{"id": "k", "secret": "env:K"}]), "keys.x", "nothing uses this"),
        (put("listeners.x", {"bind": "127.0.0.1:1", "zone": "far"}), "listeners.x", "uses this"),
        (put("zones.near.clearance", "internal"), "routes[0].request", "labelled secret, above"),
        (put("routes.0.response", {"content": ["json"], "label": "secret"}), "routes[0].response",
         "labelled secret, above the clearance of zone far"),
        (put("upstreams.out.server_name", "other.example"), "upstreams.out.endpoints[0]",
         "`server_name`, which is not this host"),
        (put("routes.0.deny", [{"local": {"uid": [1]}}]), "routes[0].deny[0]", "never holds"),
        (put("routes.0.response", {"content": ["opaque", "json", "ndjson"], "label": "public"}),
         "routes[0].response.content", "what Content-Type calls json or ndjson is looked into"),
        (put("routes.0.replay", {"after_indeterminate": "forward"}),
         "routes[0].replay.after_indeterminate", "means nothing while `replay.require` is off"),
        (put("routes.0.replay", {"require": "off", "window": "1h"}), "routes[0].replay.window",
         "means nothing while"),
        (put("routes.0.streaming", True), "routes[0].streaming", "while no digest is demanded"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_warned_of(
    tmp_path: Path, change: Change, path: str, words: str
) -> None:
    (warning,) = warned(loaded(tmp_path, change))
    assert warning.path == path
    assert words in warning.message
    assert warning.line > 1


def test_what_becomes_of_an_id_may_be_said_where_ids_count(tmp_path: Path) -> None:
    replay = {"require": "transfer-id", "window": "1h", "after_indeterminate": "forward"}
    (warning,) = warned(loaded(tmp_path, put("routes.0.replay", replay)))
    assert warning.code == "forwards-undecided", "it is weak, and means something"


@pytest.mark.parametrize("content", [[], ["opaque"], ["json", "ndjson"]])
def test_what_is_looked_into_whole_or_not_at_all_is_not_warned_of(
    tmp_path: Path, content: list[str]
) -> None:
    policy = {"content": content, "label": "public"}
    assert warned(loaded(tmp_path, put("routes.0.response", policy))) == ()


def test_opaque_beside_a_format_is_warned_of_in_requests(tmp_path: Path) -> None:
    policy = {"content": ["json", "opaque"]}
    (warning,) = warned(loaded(tmp_path, put("routes.0.request", policy), put("keys", {})))
    assert warning.path == "routes[0].request.content"
    assert "everything else cross unseen" in warning.message


def test_grants_by_certificate_are_warned_of_where_there_is_no_tls(tmp_path: Path) -> None:
    (warning,) = warned(loaded(tmp_path, put("listeners.in.tls.mode", "none")))
    assert warning.path == "routes[0].allow[0]"


@pytest.mark.parametrize("section", ["zones", "listeners", "sensitivity"])
def test_names_of_a_section_that_is_missing_are_not_told_besides(
    tmp_path: Path, section: str
) -> None:
    data = changed()
    del data[section]
    assert mistakes(tmp_path, data) == [("", f"the key {section} is missing")]


@pytest.mark.parametrize("broken", [3, "x", None, []])
def test_names_of_a_section_that_is_broken_are_not_told_besides(
    tmp_path: Path, broken: object
) -> None:
    found = mistakes(tmp_path, changed(put("zones", broken)))
    assert {path for path, _ in found} == {"zones"}


@pytest.mark.parametrize(("section", "typo"), [("zones", "zone"), ("upstreams", "upstream")])
def test_a_section_that_is_misspelt_is_one_mistake(tmp_path: Path, section: str, typo: str) -> None:
    data = changed()
    data[typo] = data.pop(section)
    assert mistakes(tmp_path, data) == [(typo, f"unknown key; did you mean {section}?")]


def test_names_of_a_section_that_may_be_missing_are_told(tmp_path: Path) -> None:
    data = changed()
    del data["upstreams"]
    assert mistakes(tmp_path, data) == [
        ("routes[0].upstream", "there is no such upstream; there is: none")
    ]
