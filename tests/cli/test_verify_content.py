"""`receipts verify --content`: which content a receipt is about, however large it is."""

import hashlib
import hmac
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.receipt.header import item
from proxy.tls.keys import public_pem
from tests.receipt.test_chain import KEYS, TRANSFER_KEYS, Change, chain

SIZE = 96 * 2**20
LIMITED = """
import contextlib, io, resource, sys
from proxy.cli import main
words = [*sys.argv[2:], "--content"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main([*words, "near.json"])
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main([*words, "large"]))
"""
"""A command that gets so many octets of address space beyond what it takes for small content."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large file, and a chain of two receipts about it."""
    folder = tmp_path_factory.mktemp("content")
    with (folder / "large").open("wb") as file:
        file.truncate(SIZE)
    digest, keyed = hashlib.sha256(), hmac.new(TRANSFER_KEYS[1], digestmod="sha256")
    for _ in range(SIZE // 2**20):
        digest.update(bytes(2**20))
        keyed.update(bytes(2**20))
    plain = {"sha256": digest.hexdigest(), "bytes": str(SIZE)}
    inner = {"hmacSha256": keyed.hexdigest(), "bytes": str(SIZE)}
    hops = chain(
        {
            1: lambda said: said["content"].update(received=plain, delivered=plain),
            2: lambda said: said["content"].update(received=inner),
        },
        hops=2,
    )
    lines = [("Transfer-Receipt", hop.envelope) for hop in reversed(hops)]
    lines += [("Transfer-Receipt-Key", hop.receipt_key or b"") for hop in reversed(hops)]
    saved = b"".join(b"%s: %s\n" % (name.encode(), item(value)) for name, value in lines)
    (folder / "all.headers").write_bytes(saved)
    (folder / "near.json").write_bytes(hops[0].envelope)
    for number, key in enumerate(KEYS[:2], 1):
        (folder / f"{number}.pub").write_bytes(public_pem(key))
    return folder


def verified(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`receipts verify` of the large file, with 24 MiB to work in: it does not fit in there."""
    command = [sys.executable, "-c", LIMITED, str(24 * 2**20), "receipts", "verify", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_content_that_does_not_fit_in_memory_is_held_against_a_receipt(folder: Path) -> None:
    done = verified(folder, "near.json", "--key", "1.pub")
    assert (done.returncode, done.stderr) == (0, "")
    assert "large: this is the content that was received and delivered" in done.stdout


def test_content_that_does_not_fit_in_memory_is_held_against_a_chain(folder: Path) -> None:
    done = verified(
        folder, "all.headers", "--chain", "--key", "1.pub", "--key", "2.pub", "--require", "request"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{SIZE} bytes, HMAC-SHA256" in done.stdout
    assert "this is the content that hop 1 received and delivered, hop 2 received" in done.stdout


@pytest.mark.parametrize("words", [["near.json", "--key", "1.pub"], ["all.headers", "--chain"]])
@pytest.mark.parametrize("content", ["missing", "."])
def test_content_that_cannot_be_read_exits_2(
    folder: Path, words: list[str], content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [str(folder / word) if "." in word else word for word in words]
    if "--chain" in words:
        line += ["--key", str(folder / "1.pub"), "--key", str(folder / "2.pub")]
    assert main(["receipts", "verify", *line, "--content", str(folder / content)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    "words",
    [
        ["near.json", "--key", "1.pub", "--target", "/"],
        ["near.json", "--key", "1.pub", "--json"],
        ["near.json", "--key", "1.pub", "--require", "all"],
        ["all.headers", "--chain", "--key", "1.pub", "--require", "ml-dsa-44"],
    ],
)
def test_what_is_of_the_other_kind_of_verification_is_a_wrong_word(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["receipts", "verify", *(str(folder / w) if "." in w else w for w in words)])
    assert ended.value.code == 2
    assert "--chain" in capsys.readouterr().err


def test_what_a_receipt_says_is_printed_without_what_a_terminal_would_act_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def colour(said: dict[str, Any]) -> None:
        said["request"]["method"] = "\x1b[31mPOST"

    def place(number: int, envelope: bytes) -> str:
        (path := tmp_path / f"{number}.json").write_bytes(envelope)
        return str(path)

    keys = []
    for number in (1, 2):
        (path := tmp_path / f"{number}.pub").write_bytes(public_pem(KEYS[number - 1]))
        keys += ["--key", str(path)]
    trials: list[tuple[dict[int, Change], int]]
    trials = [({1: colour}, 1), ({1: colour, 2: colour}, 0)]
    for changes, code in trials:
        files = [place(n, hop.envelope) for n, hop in enumerate(chain(changes, hops=2))]
        assert main(["receipts", "verify", *files, "--chain", *keys]) == code
        captured = capsys.readouterr()
        assert "[31mPOST" in captured.out + captured.err
        assert "\x1b" not in captured.out + captured.err
