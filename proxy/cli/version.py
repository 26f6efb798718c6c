"""`lockgate --version`: the version, and what goes through content."""

import argparse
from collections.abc import Sequence
from importlib import metadata
from typing import Any


class Version(argparse.Action):
    """Prints and exits. What it says is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **rest: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, **rest)

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> None:
        from proxy.content.native import NATIVE

        print(f"lockgate {metadata.version('lockgate')}, content engine {NATIVE.name}")
        parser.exit()
