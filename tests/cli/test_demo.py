"""The demo keeps its word, notices when it does not, and leaves nothing but its folder."""

import base64
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from proxy.cli import main, survey
from proxy.cli.demo import checks, evidence, material, policy
from proxy.cli.demo.config import config
from proxy.cli.demo.deliver import Outcome, require
from proxy.cli.demo.screen import Screen
from proxy.cli.demo.site import NotAsTold, Ran, Site
from proxy.cli.demo.stage import Stage
from proxy.errors import Refusal
from proxy.settings.load import load
from tests.patience import PATIENCE
from tests.pki import write

DEMO = [sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())", "demo"]
SSN = "078-05-" + "1120"
NAMED = "tel a@b.example"
OWN = b"""{"mail": "ada@x.example", "n": 1.10, "note": "mail bob@y.example"}
{"mail": "eve@z.example", "n": 18446744073709551616, "note": "none", "mail2": "a"}

{"mail": null, "note": "caf\\u00e9 eve@z.example \\ud83d\\ude00"}
""" + orjson.dumps({NAMED: 1, SSN: {"z": 4111111111111111}, "ok": "c@d.example"})


def processes(folder: Path) -> list[str]:
    """Ids of the processes that work in a folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            where = (entry / "cwd").readlink() if entry.name.isdigit() else None
        except OSError:
            continue
        if where is not None and where.is_relative_to(folder):
            found.append(entry.name)
    return found


def demo(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo without a terminal, in a folder of its own."""
    return subprocess.run(
        [*DEMO, *options],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_tells_its_whole_story_and_leaves_only_the_folder_that_it_names(tmp_path: Path) -> None:
    ran = demo(tmp_path, NO_COLOR="1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("lockgate-demo-")
    assert str(folder) in ran.stdout
    assert ran.stderr == ""
    assert "\x1b" not in ran.stdout
    assert "PRIVATE KEY" not in ran.stdout
    assert "Transfer-Duplicate: ?1" in ran.stdout
    for problem in ("finding-rejected", "not-allowed", "above-clearance", "unparseable"):
        assert f"({problem})" in ran.stdout
    assert len(list((folder / "inbox").iterdir())) == 2
    assert processes(tmp_path) == []
    assert follow(ran.stdout, folder) == 3


def follow(text: str, folder: Path) -> int:
    """Run the commands that it says to try, but for the next demo. How many, `cd` included."""
    commands = re.findall(r"^  \$ (.*)$", text.partition("Try:")[2], re.MULTILINE)
    assert commands[0] == f"cd {folder}"
    tried = [command for command in commands if " demo " not in command]
    subprocess.run(
        ["sh", "-c", " && ".join(tried)], check=True, capture_output=True, cwd=folder.parent
    )
    return len(tried)


@pytest.mark.large
def test_it_works_without_curl_in_a_folder_of_ones_choice(tmp_path: Path) -> None:
    ran = demo(tmp_path, "--dir", "here", PATH=str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "curl is not installed here" in ran.stdout
    assert "curl -q" not in ran.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a demo with a file of one's own was run."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.ndjson").write_bytes(OWN)
    ran = demo(folder, "--input", "own.ndjson", "--dir", "here")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_a_file_of_ones_own_crosses_by_a_policy_made_for_it(own: Path) -> None:
    config = (own / "here" / "gateway.yaml").read_text()
    assert '{path: "$.mail", action: {hmac: {key: pseudonym}}}' in config
    assert "{type: email, action: redact}" in config
    (arrived,) = (own / "here" / "inbox").iterdir()
    content = arrived.read_bytes()
    assert content.count(b"tok:k1:") == 3
    assert content.count(b"[REDACTED:email]") == 3
    assert b"@" not in content
    assert (own / "own.ndjson").read_bytes() == OWN
    assert processes(own) == []


def test_data_in_names_gets_into_no_policy_and_no_receipt(own: Path) -> None:
    policy = (own / "here" / "gateway.yaml").read_text()
    receipt = orjson.loads((own / "here" / "input.ndjson.receipt.json").read_bytes())
    says = base64.b64decode(receipt["payload"]).decode()
    for text in (policy, says):
        assert "$.ok" in text
        assert SSN not in text
        assert "a@b.example" not in text


@pytest.fixture
def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a demo that starts nothing, in this process: its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> tuple[int, str, str]:
        return (main(["demo", *options]), *capsys.readouterr())

    return run


def test_what_is_no_json_is_refused_in_plain_words(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir,\nthis is no JSON.\n")
    code, said, _ = ask("--input", "letter.txt", "--no-keep")
    assert code == 1
    assert "letter.txt: neither JSON nor NDJSON" in said
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_files_and_folders_that_cannot_be_used_exit_2(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    missing = ask("--input", "missing.json")
    assert missing == (2, "", "missing.json: No such file or directory\n")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert ask("--dir", "full")[0] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 2000 + b"]" * 2000, "it is nested deeper than 1024"),
        (b'{"a": 1}\n' + b"[" * 2000 + b"]" * 2000, "it is nested deeper than 1024"),
        (b'{"a":\n' * 2000 + b"1" + b"}" * 2000, "it is nested deeper than 1024"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "it begins with a byte order mark"),
    ],
)
def test_json_that_is_too_deep_or_has_a_mark_is_not_called_no_json(
    content: bytes, words: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        survey.judge_format(content, ".json")
    assert refusal.value.reason.startswith(words)


def test_brackets_in_a_string_are_not_taken_for_depth() -> None:
    with pytest.raises(Refusal, match="not valid JSON"):
        survey.judge_format(b'{"a": "' + b"[" * 2000 + b'", }', ".json")


def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/stdin", "."):
        assert ask("--input", name) == (2, "", f"{name}: not a regular file\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_that_was_there_before_is_left_empty_and_no_log_is_promised(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "own.json").write_text('{"n": 1}')
    # no process gets the time to start
    (tmp_path / "sitecustomize.py").write_text(
        "import proxy.cli.demo.site as site\nsite._START = -1.0\n"
    )
    options = ("--input", "own.json", "--dir", "mine", "--no-keep")
    ran = demo(tmp_path, *options, PYTHONPATH=str(tmp_path))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "did not start" in ran.stdout
    assert "logs of the gateway and the receiver are in" not in ran.stdout
    assert list((tmp_path / "mine").iterdir()) == []
    assert "1 value," in ran.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle_it_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([*DEMO], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "both are ready" in line:
                break
        assert len(processes(tmp_path)) >= 3
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert processes(tmp_path) == []


# --- the checks notice ---------------------------------------------------------------------------

SENT = b'{"a": "secret", "b": "x@y.example", "c": "123456", "d": [1.10, {"e": "f"}]}\n'
TOKEN = b"tok:k1:" + b"A" * 32
GOOD = (
    SENT.replace(b"secret", b"[REDACTED]")
    .replace(b"x@y.example", TOKEN)
    .replace(b"123456", b"**3456")
)


def compared(arrived: bytes) -> Counter[str]:
    """What the demo makes of SENT and what arrived."""
    judges = {"$.a": checks.redacted, "$.b": checks.pseudonyms(), "$.c": checks.keeps_last_four}
    return checks.require_same_but(SENT, arrived, checks.at(judges))


def test_what_arrived_as_promised_passes() -> None:
    assert compared(GOOD) == {"$.a": 1, "$.b": 1, "$.c": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[REDACTED]", b"secret"),
        (b"[REDACTED]", b"[REDACTED]x"),
        (TOKEN, b"x@y.example"),
        (TOKEN, b"tok:k1:short"),
        (b"**3456", b"123456"),
        (b"**3456", b"***456"),
        (b"1.10", b"1.1"),
        (b'"f"', b'"g"'),
        (b'"e"', b'"E"'),
        (b", {", b",{"),
        (b"]}\n", b"]}"),
        (b"]}\n", b', "g": 1]}\n'),
        (b', {"e": "f"}', b""),
    ],
)
def test_the_demo_notices_whatever_did_not_arrive_as_promised(old: bytes, new: bytes) -> None:
    with pytest.raises(NotAsTold):
        compared(GOOD.replace(old, new))


def test_it_notices_pseudonyms_that_are_not_one_to_one() -> None:
    other = b'"tok:k1:' + b"B" * 32 + b'"'
    judge = checks.pseudonyms()
    assert judge(b'"a"', b'"' + TOKEN + b'"')
    assert not judge(b'"a"', other)
    assert not judge(b'"c"', b'"' + TOKEN + b'"')


@pytest.mark.parametrize(
    ("after", "fine"),
    [
        (b'"see [REDACTED:email] and [REDACTED:email]"', True),
        (b'"see a@b.example and c@d.example"', True),
        (b'"[REDACTED:email]"', True),
        (b'"see [REDACTED:email] or [REDACTED:email]"', False),
        (b'"see [REDACTED:email]"', True),
        (b'"look [REDACTED:email]"', False),
        (b'"see a@b.example and c@d.example!"', False),
        (b'"see "', False),
    ],
)
def test_it_notices_text_that_was_changed_beside_a_finding(after: bytes, fine: bool) -> None:
    assert checks.only_redacted(b'"see a@b.example and c@d.example"', after) is fine


def test_it_notices_a_plain_value_that_arrived() -> None:
    with pytest.raises(NotAsTold):
        checks.require_nothing_of([b"secret"], b"a secret b")


@pytest.mark.parametrize(
    ("status", "verdict", "problem"),
    [(200, "delivered", None), (201, "failed", None), (201, "delivered", "x"), (None, None, None)],
)
def test_it_notices_another_answer_or_verdict(
    status: int | None, verdict: str | None, problem: str | None
) -> None:
    outcome = Outcome(("x",), "id", status, problem, verdict, {}, "", "file")
    with pytest.raises(NotAsTold):
        require(outcome, 201, "delivered")


def test_it_notices_a_receiver_that_has_more_than_it_should(tmp_path: Path) -> None:
    stage = Stage(Site(tmp_path), Screen())
    (tmp_path / "inbox").mkdir()
    stage.require_inbox()
    (tmp_path / "inbox" / "what-was-refused.json").touch()
    with pytest.raises(NotAsTold):
        stage.require_inbox()


def test_it_notices_an_audit_that_passes_or_fails_when_it_should_not() -> None:
    passed, failed = Ran((), 0, "log: 6 entries, as", ""), Ran((), 1, "", "entry 2: no")
    evidence.require_audit_passes(passed, 6)
    evidence.require_audit_fails(failed)
    wrong: list[Callable[[], None]] = [
        lambda: evidence.require_audit_passes(passed, 7),
        lambda: evidence.require_audit_passes(failed, 6),
        lambda: evidence.require_audit_fails(passed),
        lambda: evidence.require_audit_fails(Ran((), 2, "", "usage")),
    ]
    for each in wrong:
        with pytest.raises(NotAsTold):
            each()


START, STOP = ["0", "now", "event", "start"], ["3", "now", "event", "stop"]


def test_it_notices_a_log_that_lists_other_entries_than_there_were() -> None:
    listed = [START, ["1", "now", "delivered"], ["2", "now", "rejected"], STOP]
    evidence.require_listed(listed, 2)
    for wrong in ([], listed[1:], listed[:-1], [*listed[:2], STOP], [*listed[1:], START]):
        with pytest.raises(NotAsTold):
            evidence.require_listed(wrong, 2)
    with pytest.raises(NotAsTold):
        evidence.require_listed(listed, 3)


# --- the policy made for a file ------------------------------------------------------------------


def test_paths_of_one_type_are_masked_and_the_rest_is_redacted_in_place() -> None:
    found = survey.survey(
        b'{"people": [{"e-mail": "a@b.example"}, {"e-mail": "c@d.example", "ssn": "078051120"}],'
        b' "free": "x a@b.example", "mixed": ["a@b.example", "b", "c"]}',
        ".json",
    )
    assert found.format == "json"
    assert survey.masked_paths(found) == {
        '$.people[*]["e-mail"]': "{hmac: {key: pseudonym}}",
        "$.people[*].ssn": "redact",
    }
    assert found.inside == {("$.free", "email"): 1}
    assert found.types == ["us_ssn", "email"]


def test_a_name_is_one_path_however_it_is_written_and_the_policy_can_be_loaded(
    tmp_path: Path,
) -> None:
    data = rb'{"caf\u00e9-1": "a@b.example", "\u0085": "a@b.example"}' + b"\n"
    data += '{"café\\u002d1": "c@d.example"}\n'.encode()
    found = survey.survey(data, ".ndjson")
    assert found.whole == {('$["café-1"]', "email"): 2, ('$["\\u0085"]', "email"): 1}
    write(tmp_path / "certs")
    (tmp_path / "gateway.yaml").write_text(config("127.0.0.1:1", policy.route(found, len(data))))
    (route,) = load(tmp_path / "gateway.yaml").settings.routes
    assert {rule.path for rule in route.request.mask} == {'$["café-1"]'}


def test_no_path_is_made_from_a_name_that_may_be_data() -> None:
    card, ssn, aws = "41111111" * 2, "078-05-1120", "AKIA" + "IOSFODNN7EXAMPLE"
    names = ["tel a@b.example", ssn, "078051120", card, f"card_{card}", aws, "Ada Lovelace"]
    data = {name: {"z": "a@b.example"} for name in names} | {"y_2024": {"z": "c@d.example"}}
    data |= {"outer": dict.fromkeys(names, "a@b.example")}
    found = survey.survey(orjson.dumps(data), ".json")
    assert survey.masked_paths(found).keys() == {"$.y_2024.z"}
    route = policy.route(found, 1)
    assert not any(name in route for name in names)
    assert "{type: email, action: redact}" in route


@pytest.mark.parametrize(
    ("data", "suffix", "expected"),
    [
        (b'{"a": 1}', ".json", ("json", 1)),
        (b'{"a": 1}\n', ".ndjson", ("ndjson", 1)),
        (b"[1,\n2]", ".txt", ("json", 1)),
        (b"1\n\n2\r\n", ".json", ("ndjson", 2)),
    ],
)
def test_json_and_ndjson_are_told_apart(
    data: bytes, suffix: str, expected: tuple[str, int]
) -> None:
    assert survey.judge_format(data, suffix)[:2] == expected


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"{", b'{"a": 1}\n{', b"\xff", b"{'a': 1}", b"a,b\n"]
)
def test_neither_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal):
        survey.judge_format(data, ".json")


def test_what_it_sends_is_the_same_every_time() -> None:
    assert material.customers(100) == material.customers(100)
    assert material.customers(100).count(b"\n") == 100
    assert material.customers(100).count(b"verified by phone") == material.notes_with_ssn(100)
