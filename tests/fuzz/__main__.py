"""`make fuzz-http`."""

import argparse
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
    given = parser.parse_args()
    seed = secrets.randbelow(2**32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        fuzz = Fuzz(Path(folder), seed)
        try:
            if given.only is not None:
                print(*Conversation(seed, given.only).pieces, sep="\n")
                print(fuzz.have(given.only))
            else:
                fuzz.run(given.requests, given.connections)
            fuzz.finish()
        finally:
            fuzz.gateway.close()
        seconds = time.monotonic() - started
    upstream = fuzz.upstream
    print(
        f"{fuzz.requests} requests in {fuzz.conversations} conversations, {seconds:.0f} s; "
        f"{fuzz.answers} answers that were due came; "
        f"{upstream.messages} messages upstream, each with one reading; {upstream.broken} cut off"
    )
    for (verdict, problem), count in sorted(fuzz.gateway.verdicts.items()):
        print(f"{count:8} {verdict} {problem}")
    print(*[f"FOUND {each}" for each in fuzz.found] or ["nothing found"], sep="\n")
    return 1 if fuzz.found else 0


if __name__ == "__main__":
    sys.exit(main())
