"""A defect in the one process that nobody replaces: the program ends in order, and says why."""

import os
import signal
from pathlib import Path

import pytest

from tests.crash import log
from tests.crash.conftest import StartSite
from tests.crash.judge import Judgement, require_audited
from tests.crash.mutant import mutate
from tests.crash.test_disk_trouble import require_crossing


def test_a_defect_in_the_supervisor_is_logged_and_leaves_the_last_word_to_the_others(
    start_site: StartSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ("app/family.py", "self.on_death(worker)", 'raise RuntimeError("said to nobody")')
    monkeypatch.setenv("PYTHONPATH", str(mutate(tmp_path / "copy", *wrong)))
    site = start_site(workers=2, seed=41)
    site.load()
    require_crossing(site)
    everybody = site.processes()
    os.kill(next(pid for pid, kind in everybody.items() if kind == "worker"), signal.SIGKILL)
    assert site.gateway.wait() == 1
    (line,) = site.gateway.logged("internal")
    assert line["error"] == "RuntimeError"
    assert line["where"][-1].startswith("family.py:")
    assert not site.gateway.other, "no traceback, which may quote anything"
    assert not [pid for pid in everybody if Path(f"/proc/{pid}").exists()]
    events = [each["predicate"] for each in map(log.statement, log.entries(site.store))]
    (stop,) = [each for each in events if each.get("kind") == "stop"]
    assert stop["details"] == {"clean": False}
    monkeypatch.delenv("PYTHONPATH")
    site.gateway.start()
    require_crossing(site)
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    require_audited(site)
