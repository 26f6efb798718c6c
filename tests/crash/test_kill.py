"""SIGKILL at random instants under load, and what the log is then held against."""

from pathlib import Path

import pytest

from tests.crash.conftest import StartSite
from tests.crash.judge import Judgement, require_audit_command
from tests.crash.kills import kill
from tests.crash.mutant import mutate

long = pytest.mark.crash_long


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kills", [20, pytest.param(300, marks=[long, pytest.mark.timeout(1800)])])
def test_no_kill_loses_doubles_or_leaves_undecided_anything(
    start_site: StartSite, workers: int, kills: int
) -> None:
    site = start_site(workers=workers, seed=kills + workers)
    site.load()
    kill(site, kills)
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    assert judged.kinds["indeterminate"] >= kills / 2, "the kills hit nothing"
    assert judged.acknowledged > 5 * kills
    assert len(site.checkpoints.kept) > kills
    require_audit_command(site)


KEEP = "self._disk.write_at(self._fd, slot * SLOT, data)"
WRITE = "self.store.append(batch)"
TELL = "[each.tell(receipt) for each, receipt in batch.written]; await trio.sleep(0.05); "
WRONG = {
    "no intent is kept": (
        ("notary/intents.py", KEEP, "pass"),
        "the receiver saw it, and it has no verdict",
    ),
    "receipts are given before they are written": (
        ("notary/writer.py", WRITE, TELL + WRITE),
        "is not in the log",
    ),
}


@long
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("wrong", WRONG)
def test_the_kills_find_that(
    start_site: StartSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    wrong: str,
) -> None:
    mutation, complaint = WRONG[wrong]
    monkeypatch.setenv("PYTHONPATH", str(mutate(tmp_path / "mutant", *mutation)))
    site = start_site(workers=workers, seed=workers)
    site.load()
    kill(site, 8)
    site.finish()
    assert any(complaint in each for each in Judgement(site).complaints)
