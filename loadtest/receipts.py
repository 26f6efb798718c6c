"""`python -m loadtest.receipts`: what a receipt costs, from the outcome to the published log.

CPU is user and system time that the kernel accounts to the processes, everything around the
evidence left out: no TLS, no HTTP, no content. Attempts run at once, each intends and concludes;
the log is synced and published on a real disk. Prints one table and leaves nothing behind.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from loadtest import steps
from loadtest.evidence import alone, apart, keys_in
from loadtest.outcomes import outcomes
from loadtest.steps import Costs
from proxy.cli.certs import make_folder
from proxy.cli.receipts_helpers import helpers
from proxy.model import Outcome
from proxy.notary.folder import Folder, audit_log
from proxy.receipt.marks import Demand


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.receipts", description="CPU a receipt"
    )
    parser.add_argument("--receipts", type=int, default=20_000, help="a round")
    parser.add_argument("--attempts", type=int, default=256, help="at once")
    parser.add_argument("--rounds", type=int, default=3, help="medians are over these")
    parser.add_argument("--folder", type=Path, help="where the logs are written; else TMPDIR")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockgate-receipts-", dir=wanted.folder) as name:
        make_folder(Path(name) / "pki")
        Bench(Path(name), wanted.receipts, wanted.attempts, wanted.rounds).run()


class Bench:
    def __init__(self, folder: Path, receipts: int, attempts: int, rounds: int) -> None:
        self._folder, self._pki = folder, folder / "pki"
        self._receipts, self._attempts, self._rounds = receipts, attempts, rounds
        self._logs = 0

    def run(self) -> None:
        print(f"{self._receipts} receipts, {self._attempts} attempts at once; CPU of a receipt in")
        print(f"microseconds, medians of {self._rounds} rounds\n")
        self._together("one process", claimed=False)
        one = self._together("one process, with a claimed Transfer-Id", claimed=True)
        self._apart("worker and notary", claimed=False)
        self._apart("worker and notary, with a claimed Transfer-Id", claimed=True)
        self._steps(one)
        self._audit()

    def _together(self, name: str, *, claimed: bool) -> float:
        warm, found = self._found(claimed)
        costs = [alone(self._log(), self._pki, warm, each, self._attempts) for each in found]
        _line(name, cost := statistics.median(costs))
        return cost

    def _apart(self, name: str, *, claimed: bool) -> None:
        warm, found = self._found(claimed)
        costs = [apart(self._log(), self._pki, warm, each, self._attempts) for each in found]
        worker, notary, clock = (statistics.median(column) for column in zip(*costs, strict=True))
        _line(name, worker + notary, f"{1 / clock:,.0f} a second on these cores")
        _line("  the worker", worker)
        _line("  the notary", notary, f"{1 / notary:,.0f} a second on one core of its own")

    def _steps(self, whole: float) -> None:
        """Where the time goes, each step by itself, with a claimed id."""
        _, found = self._found(claimed=True)
        worker = _medians([steps.worker_steps(self._log(), each) for each in found])
        notary = _medians([steps.notary_steps(self._log(), self._pki, each) for each in found])
        channel = _medians([steps.channel_steps(each) for each in found])
        print("\nWhere it goes, with a claimed Transfer-Id:")
        for name, cost in (worker | notary).items():
            _line(name, cost)
        rest = whole - sum(worker.values()) - sum(notary.values())
        _line("the rest: tasks, waiting, telling", rest)
        for name, cost in channel.items():
            _line(f"in two processes: {name}", cost)

    def _audit(self) -> None:
        """The first log, with all cores."""
        folder, keys = Folder(self._folder / "log-1"), keys_in(self._pki)
        demand, receipt = Demand(keys.vkeys()), [keys.receipt.public_key()]
        with helpers(folder) as crew:
            started = time.perf_counter()
            found = audit_log(folder, demand, receipt, crew=crew)
            clock = time.perf_counter() - started
        size = found.log.checkpoint.size
        print(f"\naudit: {size} entries, {size / clock:,.0f} a second on these cores")

    def _found(self, claimed: bool) -> tuple[list[Outcome], list[list[Outcome]]]:
        """To warm up with, and for each round."""
        warm = outcomes(max(1, self._receipts // 10), claimed=claimed)
        return warm, [outcomes(self._receipts, claimed=claimed) for _ in range(self._rounds)]

    def _log(self) -> Path:
        """A folder for one more log."""
        self._logs += 1
        folder = self._folder / f"log-{self._logs}"
        folder.mkdir()
        return folder


def _medians(found: list[Costs]) -> Costs:
    return {name: statistics.median(costs[name] for costs in found) for name in found[0]}


def _line(name: str, seconds: float, note: str = "") -> None:
    print(f"  {name:<46} {seconds * 1e6:7.1f}   {note}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
