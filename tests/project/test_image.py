"""The image as it is promised: few files in, locked wheels, no root, nothing to write to."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.project.tree import ROOT, pyproject, read

STATE = "/var/lib/lockgate"


def instructions() -> list[tuple[str, str]]:
    """(keyword, rest) of every instruction, continued lines joined, comments left out."""
    lines = [line for line in read("Dockerfile").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(keyword, rest.strip()) for keyword, _, rest in pairs]


def final() -> list[tuple[str, str]]:
    """The instructions of the last stage."""
    everything = instructions()
    last = max(place for place, (keyword, _) in enumerate(everything) if keyword == "FROM")
    return everything[last:]


def only(keyword: str) -> str:
    (rest,) = [rest for word, rest in final() if word == keyword]
    return rest


def is_ignored(path: str) -> bool:
    """By the rules of .dockerignore: the last pattern that matches decides."""
    ignored = False
    for line in read(".dockerignore").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parts = [path, *map(str, Path(path).parents)][:-1] or [path]
        deep = pattern.removeprefix("**/")
        names = [Path(part).name for part in parts] if deep != pattern else parts
        if any(fnmatch(name, deep) for name in names):
            ignored = not line.startswith("!")
    return ignored


def test_it_is_built_in_two_stages_on_a_slim_base() -> None:
    assert [rest for word, rest in instructions() if word == "FROM"] == [
        "${PYTHON} AS build",
        "${PYTHON}",
    ]
    (base,) = [rest for word, rest in instructions() if word == "ARG"]
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.\d+-slim", base)


def test_only_locked_wheels_with_hashes_come_from_elsewhere() -> None:
    steps = [step for word, rest in instructions() if word == "RUN" for step in rest.split("&&")]
    installs = [step for step in steps if re.search(r"/pip .*(install|wheel) ", step)]
    assert len(installs) == 4
    for command in installs:
        locked = "--require-hashes" in command and "--only-binary=:all:" in command
        assert locked or "--no-deps" in command, command
        assert "--no-index" in command or "--no-build-isolation" in command or locked, command


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock"])
def test_every_requirement_of_a_lock_is_pinned_with_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", read(name), flags=re.M))
    wanted = [entry for entry in entries if entry.strip()]
    assert wanted
    for entry in wanted:
        assert re.match(r"[a-z0-9._-]+==[^ ;]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_every_python_gets_the_one_version_that_is_tested() -> None:
    locked = re.findall(r"^([a-z0-9-]+)==", read("requirements.lock"), re.M)
    assert len(locked) == len(set(locked))


def test_the_lock_of_the_image_holds_every_dependency() -> None:
    locked = re.findall(r"^([a-z0-9-]+)==", read("requirements.lock"), re.M)
    for dependency in pyproject()["project"]["dependencies"]:
        assert re.split(r"[<>=!~ ]", dependency)[0] in locked


def test_every_file_that_is_copied_is_there_and_not_ignored() -> None:
    copies = [rest for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    names = [name for rest in copies for name in rest.split()[:-1]]
    assert {"proxy", "pyproject.toml", "requirements.lock"} <= set(names)
    for name in names:
        assert (ROOT / name).exists(), name
        assert not is_ignored(name), name
    assert not is_ignored("proxy/tls/engine.py")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "certs/gateway.key",
        "proxy/gateway.key",
        "proxy/tls/ca.pem",
        "var/receipts/journal",
        "proxy/__pycache__/errors.cpython-311.pyc",
        "tests/conftest.py",
    ],
)
def test_keys_logs_and_history_never_reach_the_build(path: str) -> None:
    assert is_ignored(path)


def test_the_final_stage_installs_nothing_and_has_no_compiler() -> None:
    text = "\n".join(rest for _, rest in final())
    assert not re.search(r"\b(pip|apt-get|apk|gcc|build-essential)\b", text)
    assert [rest for word, rest in final() if word == "COPY"] == [
        "--from=build /opt/lockgate /opt/lockgate"
    ]


def test_it_runs_as_a_number_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", only("USER"))


def test_it_writes_to_its_state_only() -> None:
    assert only("VOLUME") == STATE
    assert only("WORKDIR") == STATE
    (made,) = [rest for word, rest in final() if word == "RUN"]
    user, group = only("USER").split(":")
    assert made == f"install -d -m 0700 -o {user} -g {group} {STATE}"
    assert "PYTHONDONTWRITEBYTECODE=1" in only("ENV")
    assert "compileall" in read("Dockerfile")


def test_it_starts_drains_and_is_asked_as_the_contract_says() -> None:
    assert only("ENTRYPOINT") == '["lockgate"]'
    assert only("CMD") == '["run", "/etc/lockgate/config.yaml"]'
    assert only("HEALTHCHECK").endswith('CMD ["lockgate", "health"]')
    assert only("STOPSIGNAL") == "SIGTERM"
