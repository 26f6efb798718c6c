"""Every command says what it is for, and has an example that can be pasted and is understood."""

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from proxy.cli import MODULES, parser


def parsers(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and all that are below it."""
    yield top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


ALL = {each.prog: each for each in parsers(parser())}


def examples(each: argparse.ArgumentParser) -> list[list[str]]:
    """The commands after `example:`, in words, as a shell would cut them."""
    _, _, text = each.format_help().partition("\nexample")
    assert re.match(r"s?:\n  lockgate ", text), text
    lines = text.partition("\n")[2].replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def test_all_commands_are_looked_at() -> None:
    assert {f"lockgate {name}" for name in MODULES} < ALL.keys()
    assert {"lockgate receipts verify", "lockgate certs pin"} < ALL.keys()


@pytest.mark.parametrize("name", ALL)
def test_it_has_a_description_and_examples_that_parse(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")  # examples stay as they are on a narrow terminal
    assert ALL[name].description
    found = examples(ALL[name])
    assert found
    for words in found:
        assert words[: len(name.split())] == name.split()
        assert callable(parser(words[1:]).parse_args(words[1:]).run)
