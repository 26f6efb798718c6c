"""`lockgate health`: asks the running proxy whether it is ready, for container health checks."""

import argparse
import os
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from proxy.cli.wording import texts
from proxy.settings.load import load

DEFAULT = "/etc/lockgate/config.yaml"
_TIMEOUT = 3.0


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "health",
        help="ask the running proxy whether it is ready",
        **texts(
            "Ask the admin listener that CONFIG names for /readyz: 0 ready, 1 not.",
            "lockgate health config/gateway.yaml",
        ),
    )
    parser.add_argument(
        "config",
        type=Path,
        nargs="?",
        metavar="CONFIG",
        default=Path(os.environ.get("LOCKGATE_CONFIG", DEFAULT)),
        help=f"default: LOCKGATE_CONFIG, or {DEFAULT}",
    )
    parser.set_defaults(run=_health)


def _health(arguments: argparse.Namespace) -> int:
    loaded = load(arguments.config)
    try:
        status, text = _ask(loaded.settings.admin.bind, loaded.directory)
    except (OSError, HTTPException) as error:
        sys.stderr.write(f"not running: {type(error).__name__}\n")
        return 1
    print(text)
    return 0 if status == 200 else 1


def _ask(bind: str, directory: Path) -> tuple[int, str]:
    host, _, port = bind.rpartition(":")
    unix = bind.startswith("unix:")
    connection = HTTPConnection(
        "localhost" if unix else host.strip("[]"), None if unix else int(port), timeout=_TIMEOUT
    )
    with closing(connection):
        if unix:
            connection.sock = socket(AF_UNIX, SOCK_STREAM)
            connection.sock.settimeout(_TIMEOUT)
            connection.sock.connect(str(directory / bind.removeprefix("unix:")))
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode("ascii", "replace").strip()
