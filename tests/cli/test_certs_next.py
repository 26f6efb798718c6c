"""`lockgate certs init` names the command that somebody new wants next, so that it can be typed."""

import shlex
import subprocess
from pathlib import Path

import pytest

from proxy.cli.wording import lockgate


def init(folder: Path, directory: str, path: str) -> list[list[str]]:
    """The words of the commands that it names."""
    ran = subprocess.run(
        [*lockgate(), "certs", "init", directory],
        cwd=folder,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ran.stdout.partition("Next:")[2].splitlines()
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("on_path", [False, True])
def test_keys_of_the_example_lead_to_the_example(tmp_path: Path, on_path: bool) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.yaml").touch()
    path = str(Path(lockgate()[0]).parent) if on_path else "/nowhere"
    ours = ["lockgate"] if on_path else lockgate()
    example = "config/gateway.yaml"
    assert init(tmp_path, "./certs", path) == [[*ours, "check", example], [*ours, "run", example]]


def test_other_keys_lead_to_what_they_say(tmp_path: Path) -> None:
    (command,) = init(tmp_path, "my certs", "/nowhere")
    assert command == [*lockgate(), "certs", "inspect", "my certs/gateway.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
