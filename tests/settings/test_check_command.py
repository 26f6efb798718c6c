"""`lockgate check`: ok, or every mistake, and an exit code to match."""

from pathlib import Path

import pytest

from proxy.cli import main
from tests.settings.example import changed, put, write

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_a_mistake_goes_to_standard_error_and_the_answer_is_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, changed(put("version", 2), put("routes.0.upstream", "no")))
    assert main(["check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["version", "routes[0].upstream"]
    assert all(line.startswith(f"{path}:") for line in err.splitlines())


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no-such-file.yaml"]) == 1
    assert capsys.readouterr().err == (
        "no-such-file.yaml:1:1: cannot be read: No such file or directory\n"
    )
