"""`make fuzz-http`: one run for each number of workers, which share the requests."""

import argparse
import math
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.run import Fuzz
from tests.fuzz.senders import Conversation


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz HTTP through the running program.")
    parser.add_argument("--requests", type=int, default=100_000, help="how many, in all")
    parser.add_argument("--seed", type=int, default=None, help="as an earlier run printed it")
    parser.add_argument("--only", type=int, default=None, help="one conversation of the seed")
    parser.add_argument("--connections", type=int, default=4, help="how many at once")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="a run for each")
    given = parser.parse_args()
    seed = secrets.randbelow(2**32) if given.seed is None else given.seed
    share = math.ceil(given.requests / len(given.workers))
    found: list[str] = []
    for turn, workers in enumerate(given.workers):
        print(f"seed {seed}, {workers} workers, from conversation {turn * share}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            fuzz = Fuzz(Path(folder), seed, workers)
            try:
                if given.only is not None:
                    print(*Conversation(seed, given.only).pieces, sep="\n")
                    print(fuzz.have(given.only))
                else:
                    fuzz.run(share, given.connections, first=turn * share)
                fuzz.finish()
            finally:
                fuzz.gateway.close()
            _print(fuzz, time.monotonic() - started)
        found += fuzz.found
    print(*[f"FOUND {each}" for each in found] or ["nothing found"], sep="\n")
    return 1 if found else 0


def _print(fuzz: Fuzz, seconds: float) -> None:
    upstream = fuzz.upstream
    print(
        f"{fuzz.requests} requests in {fuzz.conversations} conversations, {seconds:.0f} s; "
        f"{fuzz.answers} answers that were due came; "
        f"{upstream.messages} messages upstream, each with one reading, {upstream.masked} of them "
        f"with masked content; {upstream.broken} cut off"
    )
    for (verdict, problem), count in sorted(fuzz.gateway.verdicts.items()):
        print(f"{count:8} {verdict} {problem}")


if __name__ == "__main__":
    sys.exit(main())
