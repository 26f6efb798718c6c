"""`lockgate map`: the data flows of a configuration as a picture for a design review.

shapes     what is shown: frozen, plain text
facts      a configuration -> what is shown
custody    which process holds which reference
text       how wide text is
ink        colours, lines, boxes: SVG
cards      what stands in the boxes
place      where the boxes stand and how ways run between them: graphlay
picture    the whole as SVG
page       the whole as HTML, with everything in tables
chart      the whole as Mermaid, for pages that draw that
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.wording import texts

if TYPE_CHECKING:
    from proxy.cli.map.ink import Theme
    from proxy.cli.map.shapes import Facts

FORMS = (".svg", ".html", ".mmd")
THEMES = ("auto", "light", "dark")


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `map`."""
    parser = commands.add_parser(
        "map",
        help="draw what flows where: zones, routes, labels, encryption, keys",
        **texts(
            "Draw the data flows of CONFIG for a design review: zones, listeners, routes and "
            "upstreams, where TLS begins and ends, labels and masks on every way, and which "
            "process holds which key. The file needs nothing beside it. No file that CONFIG names "
            "is opened. docs/map.md shows one.",
            "lockgate map config/gateway.yaml -o map.svg",
            "lockgate map config/gateway.yaml -o map.html",
            "lockgate map config/gateway.yaml -o map.mmd",
        ),
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "-o",
        "--output",
        type=_output,
        metavar="FILE",
        required=True,
        help="what it is called decides what it is: .svg, .html (with tables), .mmd (Mermaid)",
    )
    parser.add_argument(
        "--theme",
        choices=THEMES,
        default="auto",
        help="of svg and html; auto: as its reader has it",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The map to its file. Raises ConfigError."""
    from proxy.app.contents import require_contents
    from proxy.cli.map.facts import gather
    from proxy.cli.map.place import MissingEngineError
    from proxy.cli.mask_files import written
    from proxy.settings.load import load

    loaded = load(arguments.config)
    require_contents(loaded)
    try:
        text = _made(gather(loaded), arguments.output.suffix, arguments.theme)
    except MissingEngineError:
        sys.stderr.write(
            "what draws it is not installed: pip install 'lockgate[map]'; or -o *.mmd\n"
        )
        return 2
    try:
        with written(arguments.output) as file:
            file.write(text.encode())
    except OSError as error:
        sys.stderr.write(f"{arguments.output}: {error.strerror or error}\n")
        return 2
    return 0


def _made(facts: "Facts", form: str, theme: "Theme") -> str:
    """Raises MissingEngineError."""
    if form == ".mmd":
        from proxy.cli.map.chart import chart

        return chart(facts)
    from proxy.cli.map.picture import draw

    picture = draw(facts, theme)
    if form == ".svg":
        return picture
    from proxy.cli.map.page import page

    return page(facts, picture, theme)


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix not in FORMS:
        raise argparse.ArgumentTypeError(f"expected a name that ends in {', '.join(FORMS)}")
    return path
