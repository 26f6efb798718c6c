"""`lockgate check`: reads a configuration and says everything that is wrong with it."""

import argparse
import sys
from pathlib import Path

from proxy.settings.load import load


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    check = commands.add_parser("check", help="validate a configuration")
    check.add_argument("config", type=Path, metavar="CONFIG")
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Warnings to standard error, one line to standard output. Raises ConfigError."""
    loaded = load(arguments.config)
    for warning in loaded.warnings:
        sys.stderr.write(f"{warning} (warning)\n")
    settings = loaded.settings
    print(
        f"{loaded.path}: ok: {settings.name}, {len(settings.listeners)} listeners, "
        f"{len(settings.routes)} routes, {len(settings.upstreams)} upstreams, "
        f"sha256 {loaded.sha256.hex()}"
    )
    return 0
