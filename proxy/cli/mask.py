"""`lockgate mask`: masks a file by a route's policy, with the code that masks transfers."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from proxy.app.prepare import prepare_rules
from proxy.cli.mask_files import failed, named_route, opened, written
from proxy.cli.mask_format import Kind, judge_kind
from proxy.cli.mask_show import metering, show
from proxy.cli.mask_suggest import suggest
from proxy.cli.wording import texts
from proxy.content.inspector import Inspector
from proxy.errors import Refusal
from proxy.policy.clearance import Scale
from proxy.settings.load import Loaded, load
from proxy.settings.schema import Route

_PIECE = 64 * 1024


def register(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", words: Sequence[str]
) -> None:
    """Add `mask`, which takes a file alone where `words` ask it to suggest."""
    mask = commands.add_parser(
        "mask",
        help="mask a file by a route's policy",
        **texts(
            "Mask FILE as the route NAME masks what crosses it: the same formats, paths, detection "
            "and limits, without a network. OUT appears when all of it is done, or not at all. "
            "What was masked and found is told on standard error. Exit code 1: refused.",
            "lockgate mask config/gateway.yaml --route orders orders.ndjson -o masked.ndjson",
            "lockgate mask config/gateway.yaml --route orders --format json --quiet -",
            "lockgate mask --suggest customers.csv",
        ),
    )
    suggests = "--suggest" in words
    if not suggests:
        mask.add_argument("config", type=Path, metavar="CONFIG")
    mask.add_argument("file", metavar="FILE", help="`-` is standard input")
    mask.add_argument(
        "--suggest",
        action="store_true",
        help="propose a policy for FILE instead, with neither CONFIG nor --route",
    )
    if suggests:
        mask.set_defaults(run=_suggest)
        return
    mask.add_argument("--route", required=True, metavar="NAME", help="whose policy")
    mask.add_argument("--response", action="store_true", help="its policy for answers")
    mask.add_argument(
        "--format", metavar="FORMAT", help="of FILE; by its name, or the route's only one"
    )
    mask.add_argument("--coding", metavar="CODING", help="gzip or zstd; by FILE's name (.gz, .zst)")
    mask.add_argument("-o", "--output", type=Path, metavar="OUT", help="standard output if omitted")
    mask.add_argument("--json", action="store_true", help="tell what was done as one JSON object")
    mask.add_argument("-q", "--quiet", action="store_true", help="tell nothing but what is wrong")
    mask.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Masked octets to OUT, the report to standard error. Raises ConfigError."""
    loaded = load(arguments.config)
    position, route = named_route(loaded, arguments.route)
    policy = route.response if arguments.response else route.request
    try:
        kind = judge_kind(arguments.file, arguments.format, arguments.coding, policy)
    except ValueError as error:
        return failed(error, arguments.file)
    rules = prepare_rules(loaded, position)[arguments.response]
    above: frozenset[str] = frozenset()
    if policy.on_violation == "redact":
        above = Scale(loaded.settings).above(_zone(loaded, route, response=arguments.response))
    inspector = rules.open(kind.format, kind.codings, above)
    try:
        with opened(arguments.file) as file, written(arguments.output) as out:
            label = _mask(file, out, inspector, kind, loaded, route, arguments)
    except (Refusal, OSError) as error:
        return failed(error, arguments.file, partly=arguments.output is None)
    if arguments.json:
        told = orjson.dumps(inspector.report()) + b"\n"
        sys.stderr.write(told.decode())
    elif not arguments.quiet:
        show(inspector.report(), label)
    return 0


def _suggest(arguments: argparse.Namespace) -> int:
    """The proposed policy to standard output."""
    try:
        print(suggest(arguments.file), end="")
    except (Refusal, OSError) as error:
        return failed(error, arguments.file)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _mask(
    file: BinaryIO,
    out: BinaryIO,
    inspector: Inspector,
    kind: Kind,
    loaded: Loaded,
    route: Route,
    arguments: argparse.Namespace,
) -> str:
    """Move all octets; the label under which they would cross. Raises Refusal, OSError."""
    limit, taken = route.limits.body, 0
    with metering(file, quiet=arguments.quiet) as tick:
        while piece := file.read(_PIECE):
            taken += len(piece)
            if taken > limit:
                raise Refusal("content-too-large", f"more than {limit} octets")
            out.write(inspector.feed(piece))
            tick(taken)
        if taken:
            out.write(inspector.finish())
    return _require_cleared(loaded, route, inspector, response=arguments.response)


def _require_cleared(loaded: Loaded, route: Route, inspector: Inspector, *, response: bool) -> str:
    """The label, which the zone that the content goes to has to be cleared for."""
    settings = loaded.settings
    policy = route.response if response else route.request
    zone = _zone(loaded, route, response=response)
    raised = inspector.report().label
    if policy.label_from:
        return Scale(settings).effective(policy.label, (), raised)
    return Scale(settings).require_cleared(policy.label, (), raised, zone)


def _zone(loaded: Loaded, route: Route, *, response: bool) -> str:
    """Where the content goes."""
    settings = loaded.settings
    if response:
        return settings.listeners[route.listener].zone
    return settings.upstreams[route.upstream].zone
