"""What the page says of where it was measured: date, processor, cores, versions, command."""

import os
import platform
import shlex
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from loadtest.peers import PEERS


def heading(words: list[str], programs: Path | None) -> list[str]:
    """Lines of Markdown. `words`: what the command was given."""
    lines = [
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Processor: {processor(Path('/proc/cpuinfo').read_text())}, {os.cpu_count()} cores",
        f"- Linux {platform.release()}, load before the run {os.getloadavg()[0]:.2f}",
        f"- Lockgate {version('lockgate')}, Python {platform.python_version()}, "
        f"{backend.openssl_version_text()}, trio {version('trio')}",
        f"- Command: `{command(words)}`",
    ]
    for peer in PEERS.values():
        program = peer.find(programs)
        lines.append(f"- {peer.name}: {peer.told(program) if program else _missing(peer.package)}")
    return lines


def _missing(package: str) -> str:
    return f"missing here; it comes with {package}"


def command(words: list[str]) -> str:
    """The make target with what it was given, without what it adds of itself."""
    left, given = iter(words), list[str]()
    for word in left:
        if word in ("--programs", "--write"):
            next(left)
        else:
            given.append(word)
    return f'make bench BENCH="{shlex.join(given)}"' if given else "make bench"


def processor(text: str) -> str:
    """The name in /proc/cpuinfo, or the machine's kind where it has none."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()
