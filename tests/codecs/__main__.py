"""`make fuzz`: each codec under a coverage-guided fuzzer (atheris), a while each.

What it has found worth keeping stays in FOLDER/CODEC and is where the next run begins; octets that
break something are named, and come again with `--replay FILE`.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.codecs.seeds import CODECS, seeds


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the codecs.")
    parser.add_argument("--seconds", type=int, default=60, help="for each codec")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    parser.add_argument("--codec", choices=CODECS, default=None, help="one alone, in this process")
    parser.add_argument("--replay", type=Path, default=None, help="octets for it, once")
    given = parser.parse_args()
    if given.codec is None:
        words = [sys.executable, "-m", "tests.codecs", "--seconds", str(given.seconds)]
        words += ["--folder", str(given.folder), "--codec"]
        bad = [codec for codec in CODECS if subprocess.run([*words, codec], check=False).returncode]
        print(f"FOUND something in: {', '.join(bad)}" if bad else "nothing found")
        return 1 if bad else 0
    if given.replay is not None:
        from tests.codecs.targets import Target

        print("passed" if Target(given.codec)(given.replay.read_bytes()) else "refused")
        return 0
    _fuzz(given.codec, given.folder / given.codec, given.seconds)
    return 0


def _fuzz(codec: str, folder: Path, seconds: int) -> None:
    """Ends the process, as libFuzzer does."""
    atheris: Any = importlib.import_module("atheris")  # installed by `make fuzz` alone
    with atheris.instrument_imports(include=["proxy.content"]):
        from tests.codecs.targets import Target
    corpus, found = folder / "corpus", folder / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds(codec)):
        (corpus / f"seed-{number:02}").write_bytes(bytes([number * 37 % 256]) + seed)
    target = Target(codec)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=2048", "-timeout=20"]
    print(f"{codec}: {seconds} s", flush=True)
    atheris.Setup(
        [sys.argv[0], *options, "-print_final_stats=1", f"-artifact_prefix={found}/", str(corpus)],
        lambda octets: target(octets) and None,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
