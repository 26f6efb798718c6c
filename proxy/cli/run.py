"""`lockgate run CONFIG`: the proxy, in the foreground."""

import argparse
from pathlib import Path

from proxy.app.run import run
from proxy.cli.wording import texts


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="run the proxy in the foreground",
        **texts(
            "Run the proxy. SIGTERM and SIGINT drain it, SIGHUP reloads its configuration.",
            "lockgate run config/gateway.yaml",
        ),
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.set_defaults(run=lambda arguments: run(arguments.config))
