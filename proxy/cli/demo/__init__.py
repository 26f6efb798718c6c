"""`lockgate demo`: the whole journey on this machine, explained step by step, and checked.

site       the folder, and the processes that run in it
config     the gateway's configuration
material   what is sent
deliver    sends it, with `lockgate send` or curl; reads back what arrived
checks     is what arrived what was promised?
evidence   receipts and their log, with public keys alone
story      the steps, with material of our own
own        the steps, with a file of the visitor's
policy     a policy for that file, from what detection finds in it
screen     how it looks
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from proxy.cli.demo import own, story
from proxy.cli.demo.screen import Screen
from proxy.cli.demo.site import Interrupted, NotAsTold, Site, shown
from proxy.cli.demo.stage import Stage
from proxy.cli.wording import texts
from proxy.errors import LockgateError, Refusal


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="the whole journey on this machine, step by step",
        **texts(
            "Make keys, start a receiver and a gateway, send files through, show what "
            "became of them, and check every claim. 0 when all was as told, else 1.",
            "lockgate demo --input customers.json",
        ),
    )
    parser.add_argument("--dir", type=Path, metavar="DIR", help="default: ./lockgate-demo-…")
    parser.add_argument("--input", type=Path, metavar="FILE", help="JSON or NDJSON of your own")
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the folder (default), or remove it at the end",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo in its folder. 0 as told, 1 not, 2 when a file or folder cannot be used."""
    source: Path | None = arguments.input
    try:
        data = _content(source) if source is not None else None
        made = arguments.dir is None or not arguments.dir.exists()
        folder = _folder(arguments.dir)
    except OSError as error:
        sys.stderr.write(f"{error.filename or arguments.dir}: {error.strerror}\n")
        return 2
    site = Site(folder)
    try:
        with site.guarded():
            return _tell(Stage(site, Screen()), source, data, keep=arguments.keep)
    except Interrupted as interrupted:
        left = f"{folder} is left" if arguments.keep else "nothing is left"
        sys.stderr.write(f"\ninterrupted; nothing runs any more, {left}\n")
        return 128 + interrupted.number
    finally:
        if not arguments.keep:
            _remove(folder, itself=made)


def _content(source: Path) -> bytes:
    """The file, which is read several times and by several processes. Raises OSError."""
    if source.exists() and not source.is_file():
        raise OSError(22, "not a regular file", str(source))
    return source.read_bytes()


def _remove(folder: Path, *, itself: bool) -> None:
    """What the demo has made: the folder, or, when it was there before, what is in it."""
    for path in [folder] if itself else list(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _folder(wanted: Path | None) -> Path:
    """A folder that is empty and ours. Raises OSError."""
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="lockgate-demo-", dir=Path.cwd()))
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        raise FileExistsError(17, "the folder is not empty", str(wanted))
    wanted.chmod(0o700)
    return wanted.absolute()


def _tell(stage: Stage, source: Path | None, data: bytes | None, *, keep: bool) -> int:
    began = time.monotonic()
    screen, folder = stage.screen, stage.site.folder
    screen.title(
        "Lockgate: nothing crosses unchecked, nothing crosses unreceipted",
        f"Everything happens on this machine, in {folder}",
    )
    try:
        if source is not None and data is not None:
            own.tell(stage, source, data)
        else:
            story.tell(stage)
    except Refusal as refusal:
        screen.failed(refusal.reason)
        return 1
    except (NotAsTold, LockgateError, OSError) as error:
        screen.failed(f"step {screen.step_number}: {error}")
        if keep:
            screen.say(f"The logs of the gateway and the receiver are in {folder}")
        else:
            screen.say("Without --no-keep the logs of the gateway and the receiver would be left.")
        return 1
    screen.step(f"That was it, in {time.monotonic() - began:.0f} seconds")
    (own if source is not None else story).sum_up(stage)
    if keep:
        _what_next(stage, source)
    return 0


def _what_next(stage: Stage, source: Path | None) -> None:
    folder = stage.site.folder
    stage.screen.say(f"All of it is in {folder}; nothing else is left, and nothing runs. Try:")
    commands = [
        ["cd", str(folder)],
        ["lockgate", "receipts", "list", "receipts"],
        ["lockgate", "receipts", "show", "receipts", "1"],
    ]
    if source is None:
        commands.append(["lockgate", "demo", "--input", "customers.ndjson"])
    else:
        commands.append(["lockgate", "check", "gateway.yaml"])
    for command in commands:
        stage.screen.command(shown(command))
