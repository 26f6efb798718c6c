"""`lockgate check`: reads a configuration and says everything that is wrong with it, or weak."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.app.contents import require_contents
from proxy.app.expiry import endings
from proxy.app.lint import findings
from proxy.app.preparation import Secrets
from proxy.app.prepare import prepare_all
from proxy.cli.check_format import FORMATS, as_json, as_sarif, as_text
from proxy.cli.wording import count, texts
from proxy.errors import ConfigError, Problem
from proxy.observe.metrics import Metrics
from proxy.settings.load import Loaded, load


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    check = commands.add_parser(
        "check",
        help="validate a configuration",
        **texts(
            "Say everything that is wrong with CONFIG, as file:line:column: path: message, "
            "and open every certificate, key, trust bundle and CRL that it names. Warn of what is "
            "probably not meant, or weaker than it could be: docs/policy-lint.md explains each "
            "code, and how a comment allows one.",
            "lockgate check config/gateway.yaml",
            "lockgate check config/gateway.yaml --expiry-days 14",
            "lockgate check config/gateway.yaml --strict --format sarif",
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
    check.add_argument(
        "--strict", action="store_true", help="exit 1, too, when there is a warning; notes are none"
    )
    check.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="json and sarif (2.1.0) go to standard output, whatever was found; default: text",
    )
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """What was found to standard error and one line to standard output; or, in other formats, all
    of it to standard output. What the file allows is in those only."""
    if arguments.no_credentials and arguments.expiry_days is not None:
        sys.stderr.write("--expiry-days has to open what --no-credentials leaves closed\n")
        return 2
    loaded: Loaded | None = None
    found: tuple[Problem, ...]
    try:
        loaded = load(arguments.config)
        found = _found(loaded, arguments)
    except ConfigError as error:
        found = error.problems
    refused = {"error", "warning"} if arguments.strict else {"error"}
    accepted = not any(each.severity in refused and not each.allowed for each in found)
    _say(arguments, loaded, found, accepted=accepted)
    return 0 if accepted else 1


def _found(loaded: Loaded, arguments: argparse.Namespace) -> tuple[Problem, ...]:
    """Raises ConfigError where it cannot be used."""
    if arguments.no_credentials:
        require_contents(loaded)
        return findings(loaded)
    prepared = prepare_all(loaded, Metrics())
    found = findings(loaded, prepared)
    if arguments.expiry_days is not None:
        at_least = timedelta(days=arguments.expiry_days)
        found = (*found, *_ending(loaded, prepared.for_workers, at_least))
    return tuple(sorted(found))


def _say(
    arguments: argparse.Namespace,
    loaded: Loaded | None,
    found: tuple[Problem, ...],
    *,
    accepted: bool,
) -> None:
    sha256 = loaded.sha256.hex() if loaded is not None else None
    if arguments.format == "json":
        sys.stdout.write(as_json(arguments.config, found, accepted, sha256))
    elif arguments.format == "sarif":
        sys.stdout.write(as_sarif(found))
    else:
        sys.stderr.write(as_text(found))
        if accepted and loaded is not None:
            settings = loaded.settings
            print(
                f"{loaded.path}: ok: {settings.name}, "
                f"{count(len(settings.listeners), 'listener')}, "
                f"{count(len(settings.routes), 'route')}, "
                f"{count(len(settings.upstreams), 'upstream')}, sha256 {sha256}"
            )


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError("expected a whole number of days")
    return int(text)


def _ending(loaded: Loaded, read: Secrets, at_least: timedelta) -> Iterator[Problem]:
    """Everything that ends sooner, at the key that names its file."""
    now = datetime.now(UTC)
    for ending in endings(loaded, read):
        if ending.at - now < at_least or ending.at <= now:
            text = f"{ending.what}, {_when(ending.at, now)}"
            yield loaded.problem(ending.place, text, "ends-soon")


def _when(end: datetime, now: datetime) -> str:
    left = end - now
    if left <= timedelta():
        return f"has ended: {end:%Y-%m-%d %H:%M}Z"
    hours = int(left.total_seconds() // 3600)
    words = count(hours // 24, "day") if hours >= 48 else count(hours, "hour")
    return f"ends in {words}: {end:%Y-%m-%d %H:%M}Z"
