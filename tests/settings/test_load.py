"""A configuration file: loaded whole, or every mistake in plain words and in its place."""

import hashlib
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.settings.load import load
from tests.settings.example import BASE, Change, changed, loaded, mistakes, put, warned, write


def test_what_is_right_loads(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.settings.listeners["in"].limits.head == 32 * 1024
    assert found.path == tmp_path / "gate.yaml"
    assert found.directory == tmp_path
    assert found.sha256 == hashlib.sha256(found.path.read_bytes()).digest()
    assert warned(found) == ()


def test_a_relative_path_has_an_absolute_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load(Path("gate.yaml")).directory == tmp_path


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        (put("version", True), "version", "expected 1, the only version there is"),
        (put("version", "1"), "version", "expected 1, the only version there is"),
        (put("name", "a b"), "name", "expected a name: letters, digits, . _ and -, at most 64"),
        (put("name", 3), "name", "expected text; put it in quotes if it is"),
        (put("nmae", "x"), "nmae", "unknown key; did you mean name?"),
        (put("qqqqq", 1), "qqqqq", "unknown key"),
        (put("listeners.in.tsl", {}), "listeners.in.tsl", "unknown key; did you mean tls?"),
        (put("listeners.in.tls.mod", "x"), "listeners.in.tls.mod",
         "unknown key; did you mean mode?"),
        (put("routes.0.request.mask.0.action", {"partial": {"keep_lst": 1}}),
         "routes[0].request.mask[0].action.partial.keep_lst",
         "unknown key; did you mean keep_last?"),
        (put("routes.0.allow.0.schedule", {}), "routes[0].allow[0].schedule", "unknown key"),
        (put("routes.0.allow.0", {"subject": "x"}), "routes[0].allow[0].subject", "unknown key"),
        (put("admin", {}), "admin", "the key bind is missing"),
        (put("admin", None), "admin", "has no value; give it one, or leave the key out"),
        (put("upstreams.out.pins", None), "upstreams.out.pins",
         "has no value; give it one, or leave the key out"),
        (put("zones", []), "zones", "expected a mapping of keys to values"),
        (put("zones", {}), "zones", "needs at least one entry"),
        (put("zones.near", "x"), "zones.near", "expected a mapping of keys to values"),
        (put("routes", {}), "routes", "expected a list"),
        (put("routes.0.allow.0", {}), "routes[0].allow[0]",
         "an empty entry would name everybody; name at least one key"),
        (put("routes.0.allow.0.spiffe", []), "routes[0].allow[0].spiffe",
         "needs at least one entry"),
        (put("routes.0.allow.0.spiffe", ""), "routes[0].allow[0].spiffe[0]", "may not be empty"),
        (put("routes.0.match.methods", ["post"]), "routes[0].match.methods[0]",
         "expected a method in capitals, such as POST"),
        (put("routes.0.request.content", ["xml"]), "routes[0].request.content[0]",
         "expected 'json', 'ndjson', 'csv', 'tsv', 'form', 'text' or 'opaque'"),
        (put("routes.0.request.mask.0.action", "hide"), "routes[0].request.mask[0].action",
         "expected drop, redact, {partial: {keep_last: N}}, {generalize: {date: month}}, "
         "{hmac: {key: NAME}} or {encrypt: {key: NAME}}"),
        (put("routes.0.request.mask.0.action", ["drop"]), "routes[0].request.mask[0].action",
         "expected drop, redact, {partial: {keep_last: N}}, {generalize: {date: month}}, "
         "{hmac: {key: NAME}} or {encrypt: {key: NAME}}"),
        (put("routes.0.limits.body", "1 lot"), "routes[0].limits.body",
         "expected a size such as 64KiB, 8MiB or 1GiB"),
        (put("routes.0.limits.body", True), "routes[0].limits.body",
         "expected a size such as 64KiB, 8MiB or 1GiB"),
        (put("routes.0.limits.body", 0), "routes[0].limits.body", "must be more than 0"),
        (put("routes.0.limits.body", "0KiB"), "routes[0].limits.body",
         "expected a size such as 64KiB, 8MiB or 1GiB"),
        (put("routes.0.limits.depth", "9"), "routes[0].limits.depth",
         "expected a whole number, without quotes"),
        (put("routes.0.limits.depth", 2000), "routes[0].limits.depth", "must be 1024 or less"),
        (put("routes.0.allow.0", {"local": {"uid": [-1]}}), "routes[0].allow[0].local.uid[0]",
         "must be 0 or more"),
        (put("routes.0.limits.stall_timeout", 5), "routes[0].limits.stall_timeout",
         "expected a duration such as 500ms, 30s, 5m or 24h"),
        (put("routes.0.limits.stall_timeout", "0.0s"), "routes[0].limits.stall_timeout",
         "expected a duration such as 500ms, 30s, 5m or 24h"),
        (put("keys.pseudonym.0.id", "a b"), "keys.pseudonym[0].id",
         "expected a key id: letters, digits, . _ and -, at most 32"),
        (put("keys.-x", [{"id": "k", "secret": "env:K"}]), "keys.-x",
         "expected a name: letters, digits, . _ and -, at most 64"),
        (put("receipts.origin", "https://x"), "receipts.origin",
         "expected a log name without scheme, port, plus sign or space, such as log.example/a"),
        *(
            (put("workers", value), "workers", "expected auto, or a whole number from 1 to 256")
            for value in (0, -1, 257, "many", "2", 1.5, True)
        ),
        *(
            (put("users", {"worker": value, "notary": "n"}), "users.worker",
             "expected the name of a user, or its number")
            for value in (["w"], "", -1, True)
        ),
        (put("receipts.policy", "trust.policy"), "receipts.policy",
         "expected file: and the path of a file"),
        (put("upstreams.out.pins", ["sha256:abc"]), "upstreams.out.pins[0]",
         "expected sha256:<base64 of 32 octets>; `lockgate certs pin` prints it"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_in_plain_words(
    tmp_path: Path, change: Change, path: str, message: str
) -> None:
    assert mistakes(tmp_path, changed(change)) == [(path, message)]


def test_no_message_shows_what_library_found_it(tmp_path: Path) -> None:
    data = changed(put("name", 1), put("zones", 1), put("routes", [1, {"x": [1]}]), put("log", 5))
    for _, message in mistakes(tmp_path, data):
        assert not any(
            word in message.lower() for word in ("input", "pydantic", "instance", "dict")
        )


def test_a_whole_document_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert mistakes(tmp_path, [1]) == [("", "expected a mapping of keys to values")]
    assert mistakes(tmp_path, None)[0][1].startswith("has no value")


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(
        "version: 1\n"
        "nmae: gate\n"
        "sensitivity: [a]\n"
        "zones: {z: {clearance: b}}\n"
        "listeners:\n"
        "  in: {bind: nowhere, zone: y,\n"
        "       limits: {head: 1 lot}}\n"
        "receipts: {store: s, origin: o, key: file:k, log_key: file:l}\n"
        "admin: {bind: '0.0.0.0:1'}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        f"{path}:2:1: nmae: unknown key; did you mean name?",
        f"{path}:4:24: zones.z.clearance: there is no such label; there is: a",
        f"{path}:6:14: listeners.in.bind: expected HOST:PORT, [IPV6]:PORT or unix:PATH",
        f"{path}:6:29: listeners.in.zone: there is no such zone; there is: z",
        f"{path}:7:23: listeners.in.limits.head: expected a size such as 64KiB, 8MiB or 1GiB",
        f"{path}:9:15: admin.bind: the admin interface listens on loopback or a unix socket only",
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN " + "PRIVATE KEY-----\nmarker\n-----END",
        "file:-----BEGIN EC " + "PRIVATE KEY-----marker",
        "markerMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwgg",
        "marker/MIIEvQ+BADANBgkqhkiG9w0BAQEFAASCBKcwgg==",
        "file:markerMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwgg",
        "env:markerMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwgg",
        "file:" + "0123456789abcdef" * 4,
        "marker",
        "env:1marker",
        "file:",
    ],
)
def test_key_material_is_refused_and_not_repeated(tmp_path: Path, secret: str) -> None:
    found = mistakes(tmp_path, changed(put("keys.pseudonym.0.secret", secret)))
    assert [path for path, _ in found] == ["keys.pseudonym[0].secret"]
    assert "marker" not in str(found)
    assert "0123456789abcdef" not in str(found)


@pytest.mark.parametrize(
    "ref",
    ["file:../certs/log-pq.key", "file:/etc/lockgate/secrets/production/region/pseudonym-key",
     "env:LOCKGATE_KEY", "file:keys/0123456789abcdef0123456789abcdef0123456789abcdef.pem"],
)  # fmt: skip
def test_a_reference_is_no_key_material(tmp_path: Path, ref: str) -> None:
    assert mistakes(tmp_path, changed(put("keys.pseudonym.0.secret", ref))) == []


def test_a_strange_key_is_not_repeated(tmp_path: Path) -> None:
    found = mistakes(tmp_path, changed(put("-----BEGIN", "x")) | {"marker \x0bmarker" * 9: 1})
    assert "marker" not in str(found)


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_late_mistake_is_shown_in_its_place(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    problem = found.problem(("identity", "key"), "cannot be read")
    line = found.path.read_text().splitlines()[problem.line - 1]
    assert line[problem.column - 1 :] == '"file:c.key",'
    assert problem.path == "identity.key"


def test_the_example_of_these_tests_is_not_changed_by_them() -> None:
    assert changed() == BASE


def test_a_key_that_stands_twice_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    path = write(tmp_path, changed(put("routes.0.upstream", "no")))
    path.write_text(path.read_text().replace("{", '{"name": "first",', 1))
    with pytest.raises(ConfigError) as caught:
        load(path)
    messages = [problem.message for problem in caught.value.problems]
    assert len(messages) == 2
    assert "stands twice" in messages[0]
    assert "no such upstream" in messages[1]
