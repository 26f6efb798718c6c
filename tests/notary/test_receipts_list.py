"""`lockgate receipts list`, `show` and `export`: asked as people ask, of folders and of URLs."""

import argparse
import base64
import csv
import hashlib
import io
import json
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio

from proxy.cli import main, receipts_csv
from proxy.cli.receipts_query import moment
from proxy.model import Event, Outcome, Verdict
from proxy.notary.folder import Folder
from proxy.receipt import dsse
from tests.notary.samples import (
    CERTIFICATE,
    ORIGIN,
    RECEIPT_KEY,
    SENDER,
    conclude,
    outcome,
    refusal,
    running,
)

Run = Callable[..., tuple[int, str, str]]
DAY = datetime(2026, 5, 1, tzinfo=UTC)
UUID = "0F8B8E5E-6A5C-4F0E-9F1E-3D8A2C0B7A11".lower()
MASKED = hashlib.sha256(b"masked").hexdigest()


class Hours:
    """A clock that stands at an hour of that day until it is told another."""

    hour = 0

    def __call__(self) -> datetime:
        return DAY + timedelta(hours=self.hour)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of an entry each hour from 00:00; the last is in the journal only."""
    folder = tmp_path_factory.mktemp("site")
    clock = Hours()
    bad = replace(CERTIFICATE, spiffe=None, uris=("=HYPERLINK(1)",), dns=())
    entries: list[Event | Outcome] = [
        Event("start", {"version": "1", "policySha256": "ab" * 32}),
        outcome(transfer_id=UUID),
        refusal("no-route", route=None, method="-2+3"),
        outcome(Verdict.FAILED, route="reports", status=502, problem="upstream-closed"),
        refusal(sender=replace(SENDER, certificate=bad)),
        outcome(receiver=bad),
        Event("stop", {"clean": True}),
    ]

    async def make() -> None:
        async with running(folder / "log", clock=clock) as notary:
            for clock.hour, entry in enumerate(entries):
                if isinstance(entry, Event):
                    await notary.note(entry)
                else:
                    await conclude(notary, entry)
                if clock.hour == len(entries) - 2:
                    await notary.publish()
            shutil.copytree(folder / "log", folder / "copy")

    trio.run(make)
    (folder / "copy").rename(folder / "store")
    return folder


@pytest.fixture
def run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Run:
    """Run one command in that folder: exit code, standard output, standard error."""
    monkeypatch.chdir(place)

    def command(*words: str) -> tuple[int, str, str]:
        try:
            code = main(["receipts", *words])
        except SystemExit as stop:
            code = int(str(stop.code))
        said = capfdbinary.readouterr()
        return code, said.out.decode(), said.err.decode()

    return command


def listed(run: Run, *options: str, log: str = "store") -> list[int]:
    code, out, err = run("list", log, *options)
    assert (code, err) == (0, "")
    return [int(line.split()[0]) for line in out.splitlines()]


# --- list ----------------------------------------------------------------------------------------

ASKED = [
    ([], [0, 1, 2, 3, 4, 5, 6]),
    (["--verdict", "delivered"], [1, 5]),
    (["--verdict", "failed"], [3]),
    (["--event", "any"], [0, 6]),
    (["--event", "stop"], [6]),
    (["--event", "key"], []),
    (["--problem", "no-route"], [2]),
    (["--route", "reports"], [3]),
    (["--route", "log"], []),
    (["--peer", "spiffe://example/etl/orders"], [1, 2, 3, 5]),
    (["--peer", "spiffe://*"], [1, 2, 3, 5]),
    (["--peer", "spki:*"], [4]),
    (["--id", UUID], [1]),
    (["--id", UUID.upper()], [1]),
    (["--digest", MASKED], [1, 5]),
    (["--digest", f"sha256:{MASKED.upper()}"], [1, 5]),
    (
        ["--digest", f"sha-256=:{base64.b64encode(bytes.fromhex(MASKED)).decode()}:"],
        [1, 5],
    ),
    (["--digest", "00" * 32], []),
    (["--since", "2026-05-01T03:00:00Z"], [3, 4, 5, 6]),
    (["--since", "2026-05-01 03:00"], [3, 4, 5, 6]),
    (["--since", "2026-05-01T05:00:00+02:00"], [3, 4, 5, 6]),
    (["--until", "2026-05-01T03:00:00Z"], [0, 1, 2, 3]),
    (["--until", "2026-05-01"], [0]),
    (["--since", "2026-05-02"], []),
    (["--since", "yesterday"], []),
    (["--since", "2026-05-01T01:30:00Z", "--until", "2026-05-01T04:30:00.5Z"], [2, 3, 4]),
    (["--reverse"], [6, 5, 4, 3, 2, 1, 0]),
    (["-n", "2"], [5, 6]),
    (["-n", "2", "-r"], [6, 5]),
    (["-n", "1", "--verdict", "delivered"], [5]),
    (["-n", "0"], []),
    (["--lines", "99"], [0, 1, 2, 3, 4, 5, 6]),
    (["--peer", "spiffe://*", "--verdict", "delivered", "--until", "2026-05-01T02:00Z"], [1]),
]


@pytest.mark.parametrize(("options", "expected"), ASKED)
def test_list_prints_what_is_asked_for(run: Run, options: list[str], expected: list[int]) -> None:
    assert listed(run, *options) == expected
    assert listed(run, *options, "--no-index") == expected


def test_a_line_says_when_what_why_and_who(run: Run) -> None:
    lines = run("list", "store")[1].splitlines()
    assert lines[0].split() == ["0", "2026-05-01T00:00:00Z", "event", "start", ORIGIN]
    name = "spiffe://example/etl/orders"
    assert lines[1].split() == [
        "1",
        "2026-05-01T01:00:00Z",
        "delivered",
        "201",
        "orders",
        UUID,
        name,
    ]
    assert lines[3].split()[2:5] == ["failed", "upstream-closed", "reports"]
    first = json.loads(run("list", "store", "--json")[1].splitlines()[0])
    assert (first["index"], first["statement"]["predicate"]["kind"]) == (0, "start")


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "soon"],
        ["--since", "2026-13-01"],
        ["--since", "20260501"],
        ["--since", "2026-05-01T25:00"],
        ["--verdict", "perhaps"],
        ["--problem", "none-such"],
        ["--digest", "abc"],
        ["--digest", "00" * 31],
        ["-n", "-1"],
        ["-n", "x"],
        ["--verdict", "failed", "--event", "any"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(run: Run, options: list[str]) -> None:
    code, out, _ = run("list", "store", *options)
    assert (code, out) == (2, "")


def test_times_are_said_as_people_say_them() -> None:
    now = datetime(2026, 5, 3, 10, 30, tzinfo=UTC)
    said = {
        "now": now,
        "today": datetime(2026, 5, 3, tzinfo=UTC),
        "yesterday": datetime(2026, 5, 2, tzinfo=UTC),
        "90s": now - timedelta(seconds=90),
        "15min ago": now - timedelta(minutes=15),
        "2h ago": now - timedelta(hours=2),
        "3d": now - timedelta(days=3),
        "2026-05-01t01:02:03.5z": datetime(2026, 5, 1, 1, 2, 3, 500_000, tzinfo=UTC),
    }
    assert {text: moment(text, now) for text in said} == said
    for text in (
        "999999d",
        "0001-01-01T00:00+23:59",
        "-1h",
        "2h hence",
        "1969-12-31",
        "9999-01-01",
    ):
        with pytest.raises(argparse.ArgumentTypeError):
            moment(text, now)


# --- show ----------------------------------------------------------------------------------------


def test_show_says_what_an_event_is(run: Run) -> None:
    code, out, _ = run("show", "store", "0")
    assert code == 0
    assert "start: the gateway started" in out
    assert "policySha256" in out
    assert "verdict" not in out


def test_show_finds_entries_of_the_journal_too(run: Run) -> None:
    assert "stop: the gateway stopped" in run("show", "store", "6")[1]
    assert run("show", "store", "7")[0] == 1
    assert run("show", "store", UUID.upper())[1].startswith("entry 1\n")


# --- export --------------------------------------------------------------------------------------


def test_an_intoto_export_is_the_very_envelopes(run: Run, place: Path) -> None:
    code, out, err = run("export", "store", "--format", "intoto", "--output", "all.intoto.jsonl")
    assert (code, out, err) == (0, "all.intoto.jsonl: 7 entries\n", "")
    data = (place / "all.intoto.jsonl").read_bytes()
    envelopes = [envelope for _, envelope in Folder(place / "store").entries()]
    assert data == b"".join(envelope + b"\n" for envelope in envelopes)
    for envelope in data.splitlines():
        dsse.verify(envelope, RECEIPT_KEY.public_key())
    assert stat.S_IMODE((place / "all.intoto.jsonl").stat().st_mode) & 0o137 == 0
    delivered = run("export", "store", "--format", "intoto", "--verdict", "delivered", "-r")[1]
    assert delivered.encode().splitlines() == [envelopes[5], envelopes[1]]


def test_a_csv_export_says_what_its_columns_promise(run: Run) -> None:
    code, out, err = run("export", "store", "--format", "csv")
    assert (code, err) == (0, "")
    assert out.count("\r\n") == 8
    table = list(csv.DictReader(io.StringIO(out, newline="")))
    assert tuple(table[0]) == receipts_csv.COLUMNS
    assert [row["index"] for row in table] == list("0123456")
    assert table[0]["kind"] == "event:start"
    assert (table[0]["route"], table[0]["sender"], table[0]["received"]) == ("", "", "")
    row = table[1]
    assert row["completed"] == "2026-05-01T01:00:00.000000Z"
    assert (row["kind"], row["status"], row["route"]) == ("delivered", "201", "orders")
    assert (row["transfer_id"], row["delivered_sha256"]) == (UUID, MASKED)
    assert (row["received_bytes"], row["delivered_bytes"], row["records"]) == ("100", "90", "1")
    assert (row["format"], row["label"]) == ("json", "confidential")
    assert table[3]["problem"] == "upstream-closed"
    envelope = run("show", "store", "1", "--envelope")[1].strip()
    assert row["sha256"] == hashlib.sha256(envelope.encode()).hexdigest()


def test_no_cell_of_an_export_is_a_formula(run: Run) -> None:
    table = list(csv.reader(io.StringIO(run("export", "store", "--format", "csv")[1], newline="")))
    cells = [cell for row in table for cell in row]
    assert "'-2+3" in cells
    assert "'=HYPERLINK(1)" in cells
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]
    dangerous = ("=1", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "\n+1", "\uff1d1")
    for text in dangerous:
        cell = receipts_csv._cell(text)
        assert cell[0] in "'\ufffd"
        assert not {"\t", "\r", "\n"} & set(cell)
    assert receipts_csv._cell("a=1") == "a=1"
    assert receipts_csv._cell(None) == ""


def test_an_export_that_fails_leaves_no_file_and_keeps_the_one_before(
    run: Run, place: Path
) -> None:
    shutil.copytree(place / "store", place / "torn")
    (place / "torn" / "tile" / "entries" / "000.p" / "6").write_bytes(b"\0\2nn\0")
    (place / "kept").write_text("before")
    code, out, err = run("export", "torn", "--format", "intoto", "--output", "kept", "--no-index")
    assert (code, out) == (1, "")
    assert "torn: tile/entries/000.p/6: " in err
    assert (place / "kept").read_text() == "before"
    assert not list(place.glob(".kept*"))
    shutil.rmtree(place / "torn")
    code, _, err = run("export", "store", "--format", "csv", "--output", "no/such/folder")
    assert code == 2
    assert "no/such/folder" in err


def test_an_export_goes_into_a_pipe_as_well(run: Run, place: Path) -> None:
    os.mkfifo(place / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((place / "pipe").read_bytes()))
    reader.start()
    options = ("--format", "intoto", "--event", "stop", "--output", "pipe")
    assert run("export", "store", *options)[0] == 0
    reader.join()
    assert len(read[0].splitlines()) == 1
    (place / "pipe").unlink()


# --- a log's URL ---------------------------------------------------------------------------------


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder that a web server serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_log_is_read_by_its_url_as_far_as_its_checkpoint(run: Run, place: Path) -> None:
    with served(place) as url:
        for options, expected in ASKED[:20:3]:
            published = [index for index in expected if index != 6]
            assert listed(run, *options, log=f"{url}/store/") == published
        assert run("show", f"{url}/store", "1")[1] == run("show", "store", "1")[1]
        words = ("--format", "csv", "--verdict", "delivered")
        assert run("export", f"{url}/store", *words) == run("export", "store", *words)
        assert run("list", f"{url}/nothing")[::2] == (
            1,
            f"{url}/nothing: no log is here: neither a checkpoint nor a journal to read\n",
        )


def test_a_url_that_leads_elsewhere_is_not_followed(run: Run, place: Path) -> None:
    with served(place) as url:
        code, out, err = run("list", f"{url}/moved")
        assert (code, out) == (2, "")
        assert "302" in err
    for address in ("file:///etc", "ftp://example/log", f"{url}/store?x=1"):
        assert run("list", address)[:2] == (2, "")
    code, out, err = run("list", f"{url}/store")
    assert (code, out, "Connection refused" in err) == (2, "", True)


@pytest.mark.parametrize("word", ["7", "the-id", UUID[:-1], UUID + "0", "*"])
def test_an_id_that_is_none_is_a_usage_error(run: Run, word: str) -> None:
    for command in (["list", "store"], ["export", "store", "--format", "csv"]):
        code, out, err = run(*command, "--id", word)
        assert (code, out) == (2, "")
        assert "argument --id: not a transfer id, which is a UUID" in err


def test_a_folder_that_is_not_there_is_a_usage_error(run: Run) -> None:
    for command in (["list"], ["export", "--format", "csv"]):
        code, out, err = run(*command, "nowhere")
        assert (code, out) == (2, "")
        assert err.startswith("nowhere: this is not a folder")
