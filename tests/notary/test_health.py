"""Why the log takes nothing, in codes that operators can rely on."""

import errno

import pytest

from proxy.errors import TROUBLES, EvidenceError, LogFailure
from proxy.model import Trouble, named_trouble
from proxy.notary.health import Health, trouble_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "disk-full"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.EIO, "Input/output error"), "disk-failing"),
        (EvidenceError("the tree is another"), "inconsistent"),
        (LogFailure("ids.sqlite is held by another program"), "ids-failing"),
    ],
)
def test_what_fails_has_a_code_and_says_of_what(error: Exception, code: str) -> None:
    trouble = trouble_with("the journal cannot be written", error)
    assert trouble.code == code
    assert code in TROUBLES
    words = error.strerror if isinstance(error, OSError) else str(error)
    assert trouble.text == f"the journal cannot be written: {words}"


def test_each_change_of_the_reason_is_told_once_and_nothing_else() -> None:
    health, told = Health(), list[str | None]()
    full = Trouble("disk-full", "no space")

    def on_change() -> None:
        told.append(None if health.trouble is None else health.trouble.code)

    with health.watching(on_change):
        health.running(True)
        health.publication_is(None)
        health.journal_is(full)
        health.journal_is(full)
        health.publication_is(named_trouble("inconsistent"))
        health.journal_is(None)
        health.publication_is(None)
        health.running(False)
    assert told == [None, "disk-full", "inconsistent", None, "stopping"]
