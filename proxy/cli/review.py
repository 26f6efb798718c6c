"""`lockgate review`: who may send what where, what of it is used, and how little is enough."""

import argparse
import sys
from pathlib import Path

from proxy.cli import past_log, review_show
from proxy.cli.past_judge import Candidate
from proxy.cli.receipts_files import UnreadableError, telling
from proxy.cli.review_narrow import narrower
from proxy.cli.review_use import Uses, uses
from proxy.cli.review_yaml import rewritten
from proxy.cli.wording import texts
from proxy.settings.load import Loaded, load, load_octets
from proxy.settings.yaml12 import parse


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `review`."""
    review = commands.add_parser(
        "review",
        help="which grants are used, and for what; a narrower policy",
        **texts(
            "Say of every grant of CONFIG who may send what where, when it was last used and for "
            "what, and when it ends, by the receipts of a log; and how narrow it could be so that "
            "whatever crossed would cross again. Nothing in the log is verified here: see receipts "
            "audit.",
            "lockgate review config/gateway.yaml --receipts var/receipts --since 90d",
            "lockgate review config/gateway.yaml --receipts https://gateway.example/log \\\n"
            "    --output config/narrower.yaml",
        ),
    )
    review.add_argument("config", type=Path, metavar="CONFIG")
    past_log.add_arguments(review, required=True)
    review.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write CONFIG with the narrower grants; what it names is relative to its folder",
    )
    review.add_argument("--json", action="store_true", help="as one JSON object")
    review.set_defaults(run=run, unusable=2)


@telling
def run(arguments: argparse.Namespace) -> int:
    """The review to standard output. Raises ConfigError and EvidenceError."""
    loaded = load(arguments.config)
    candidate = Candidate(loaded, past_log.configurations(arguments.was))
    with past_log.opened(arguments) as pasts:
        found = uses(candidate, pasts)
    lines, text = review_show.grants(loaded, found), narrowed(loaded, found)
    if arguments.output is not None:
        _write(arguments.output, text)
        if arguments.output.resolve().parent != loaded.path.resolve().parent:
            place = f"beside {arguments.config}: what it names is relative to its folder"
            sys.stderr.write(f"{arguments.output} is to stand {place}\n")
    show = review_show.write_json if arguments.json else review_show.write_text
    show(lines, found, text)
    return 0


def narrowed(loaded: Loaded, found: Uses) -> str:
    """The file, with grants as narrow as their use. Raises ConfigError where it is none."""
    data = parse(loaded.octets, str(loaded.path)).data
    changes: dict[int, review_show.Entries] = {}
    for index, route in enumerate(loaded.settings.routes):
        entries: review_show.Entries = {}
        for place, entry in enumerate(route.allow):
            keys = narrower(loaded.settings, route, entry, found.get(route.name, place))
            if keys is None:
                entries[place] = None
            elif keys:
                entries[place] = {**review_show.written(data, index, place), **keys}
        changes[index] = entries
    text = rewritten(loaded.octets.decode("utf-8-sig"), changes)
    load_octets(loaded.path, text.encode())
    return text


def _write(path: Path, text: str) -> None:
    """Where nothing is yet. Raises UnreadableError."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
