"""A tlog-policy that a configuration names is tried before anything starts."""

from pathlib import Path

import pytest

from proxy.notary.keys import vkeys
from tests.receipt.witnesses import VKEYS
from tests.settings.example import loaded, put
from tests.settings.test_credentials import folder as folder  # a fixture
from tests.settings.test_credentials import told

NORTH = f"witness north {VKEYS['north']}"


def said(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "policy").write_text(text)
    return told(folder, put("receipts.policy", "file:policy"))


def test_a_policy_may_name_this_log_or_no_log_at_all(folder: Path) -> None:
    settings = loaded(folder).settings.receipts
    log = vkeys(settings.origin, (folder / "l").read_bytes(), None)[0]
    assert said(folder, f"log {log}\n{NORTH} https://w.example/w\nquorum north\n") == []
    assert said(folder, f"{NORTH}\nquorum north\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quorum none", "cut off: its last line has no newline"),
        ("quorum b\n", "line 1: b is not defined above"),
        (f"log {{stranger}}\n{NORTH}\nquorum none\n", "names other logs, but not this one"),
        (f"{NORTH} ftp://x\nquorum north\n", "witness north: a URL begins with http"),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_at_its_place(
    folder: Path, text: str, words: str
) -> None:
    stranger = vkeys("stranger.example", (folder / "l").read_bytes(), None)[0]
    ((path, message),) = said(folder, text.replace("{stranger}", str(stranger)))
    assert (path, words in message) == ("receipts.policy", True), message


def test_a_policy_that_is_not_there_is_told(folder: Path) -> None:
    ((path, message),) = told(folder, put("receipts.policy", "file:no-such"))
    assert (path, message) == (
        "receipts.policy",
        "file:no-such cannot be read: No such file or directory",
    )
