"""`lockgate check`: reads a configuration and says everything that is wrong with it."""

import argparse
import sys
from pathlib import Path

from proxy.app.lists import warnings
from proxy.app.prepare import prepare_all
from proxy.cli.wording import count, texts
from proxy.observe.metrics import Metrics
from proxy.settings.load import load


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    check = commands.add_parser(
        "check",
        help="validate a configuration",
        **texts(
            "Say everything that is wrong with CONFIG, as file:line:column: path: message, "
            "and open every certificate, key, trust bundle and CRL that it names.",
            "lockgate check config/gateway.yaml",
        ),
    )
    check.add_argument("config", type=Path, metavar="CONFIG")
    check.add_argument(
        "--no-credentials", action="store_true", help="open none of the files that it names"
    )
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Warnings to standard error, one line to standard output. Raises ConfigError."""
    loaded = load(arguments.config)
    for warning in loaded.warnings:
        sys.stderr.write(f"{warning} (warning)\n")
    if not arguments.no_credentials:
        gate = prepare_all(loaded, Metrics()).gate
        for code, what in warnings(gate.lists):
            sys.stderr.write(f"{loaded.path}: {code}: {what} (warning)\n")
    settings = loaded.settings
    print(
        f"{loaded.path}: ok: {settings.name}, "
        f"{count(len(settings.listeners), 'listener')}, {count(len(settings.routes), 'route')}, "
        f"{count(len(settings.upstreams), 'upstream')}, "
        f"sha256 {loaded.sha256.hex()}"
    )
    return 0
