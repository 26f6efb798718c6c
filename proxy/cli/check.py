"""`lockgate check`: reads a configuration and says everything that is wrong with it."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.app.anchors import useless
from proxy.app.contents import require_contents
from proxy.app.expiry import endings
from proxy.app.lists import warnings
from proxy.app.preparation import Secrets
from proxy.app.prepare import prepare_all
from proxy.cli.wording import count, texts
from proxy.errors import ConfigError
from proxy.observe.metrics import Metrics
from proxy.settings.load import Loaded, load


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    check = commands.add_parser(
        "check",
        help="validate a configuration",
        **texts(
            "Say everything that is wrong with CONFIG, as file:line:column: path: message, "
            "and open every certificate, key, trust bundle and CRL that it names.",
            "lockgate check config/gateway.yaml",
            "lockgate check config/gateway.yaml --expiry-days 14",
        ),
    )
    check.add_argument("config", type=Path, metavar="CONFIG")
    check.add_argument(
        "--no-credentials", action="store_true", help="open none of the files that it names"
    )
    check.add_argument(
        "--expiry-days",
        type=_days,
        metavar="N",
        help="exit 1, too, when a certificate or CRL that it names ends within N days; names each",
    )
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Warnings to standard error, one line to standard output. Raises ConfigError."""
    if arguments.no_credentials and arguments.expiry_days is not None:
        sys.stderr.write("--expiry-days has to open what --no-credentials leaves closed\n")
        return 2
    loaded = load(arguments.config)
    for warning in loaded.warnings:
        sys.stderr.write(f"{warning} (warning)\n")
    if arguments.no_credentials:
        require_contents(loaded)
    else:
        prepared = prepare_all(loaded, Metrics())
        for warning in useless(loaded, prepared.for_workers):
            sys.stderr.write(f"{warning} (warning)\n")
        careless = [(f"hygiene.{kind}", what) for kind, what in prepared.gate.careless]
        for code, what in (*warnings(prepared.gate.lists), *careless):
            sys.stderr.write(f"{loaded.path}: {code}: {what} (warning)\n")
        if arguments.expiry_days is not None:
            _require_lasting(loaded, prepared.for_workers, timedelta(days=arguments.expiry_days))
    settings = loaded.settings
    print(
        f"{loaded.path}: ok: {settings.name}, "
        f"{count(len(settings.listeners), 'listener')}, {count(len(settings.routes), 'route')}, "
        f"{count(len(settings.upstreams), 'upstream')}, "
        f"sha256 {loaded.sha256.hex()}"
    )
    return 0


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError("expected a whole number of days")
    return int(text)


def _require_lasting(loaded: Loaded, read: Secrets, at_least: timedelta) -> None:
    """Raises ConfigError with everything that ends sooner, at the key that names its file."""
    now = datetime.now(UTC)
    problems = [
        loaded.problem(ending.place, f"{ending.what}, {_when(ending.at, now)}")
        for ending in endings(loaded, read)
        if ending.at - now < at_least or ending.at <= now
    ]
    if problems:
        raise ConfigError(problems)


def _when(end: datetime, now: datetime) -> str:
    left = end - now
    if left <= timedelta():
        return f"has ended: {end:%Y-%m-%d %H:%M}Z"
    hours = int(left.total_seconds() // 3600)
    words = count(hours // 24, "day") if hours >= 48 else count(hours, "hour")
    return f"ends in {words}: {end:%Y-%m-%d %H:%M}Z"
