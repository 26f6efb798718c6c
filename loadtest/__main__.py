"""`python -m loadtest`: starts everything, takes turns, prints medians, leaves nothing behind."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from loadtest.proxies import Proxy, start_gateway, start_nginx
from proxy.cli.certs import make_folder

MIB = 1 << 20


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description="CPU of the gateway")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over these")
    parser.add_argument("--transfers", type=int, default=2000, help="small ones, a round")
    parser.add_argument("--mebibytes", type=int, default=256, help="of the bulk upload, a round")
    wanted = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])  # inherited by client and upstream
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        make_folder(folder / "pki")
        _measure(folder, folder / "pki", cores, wanted)


def _measure(folder: Path, pki: Path, cores: list[int], wanted: argparse.Namespace) -> None:
    upstream = subprocess.Popen(
        [sys.executable, "-m", "loadtest.upstream", str(pki)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    proxies: list[Proxy] = []
    try:
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline())
        proxies.append(start_gateway(folder, pki, port, cores[0]))
        nginx = start_nginx(folder, pki, port, cores[0])
        proxies += [nginx] if nginx else []
        loads = {"small": wanted.transfers, "bulk": wanted.mebibytes * MIB}
        costs = _rounds(proxies, pki, loads, wanted.rounds)
    finally:
        for proxy in proxies:
            proxy.stop()
        upstream.communicate()
    _print(proxies, costs, cores, wanted)


def _rounds(
    proxies: list[Proxy], pki: Path, loads: dict[str, int], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """(proxy, load) -> seconds of CPU a unit, one per round, after one round to warm up."""
    costs: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds + 1):
        for name, count in loads.items():
            for proxy in proxies:
                units = count if turn else max(1, count // 8)
                cost = load(proxy, pki, name, units) / units
                if turn:
                    costs.setdefault((proxy.name, name), []).append(cost)
    return costs


def load(proxy: Proxy, pki: Path, name: str, count: int) -> float:
    """Seconds of the proxy's CPU that one load took. Ends the run when any answer was wrong."""
    receipts = "yes" if proxy.receipts else "no"
    before = proxy.cpu()
    client = [sys.executable, "-m", "loadtest.client"]
    arguments = [str(pki), str(proxy.port), name, str(count), receipts]
    if subprocess.run([*client, *arguments], check=False).returncode:
        raise SystemExit(f"{proxy.name}: {name}: an answer was not as it should be")
    return proxy.cpu() - before


def _print(
    proxies: list[Proxy],
    costs: dict[tuple[str, str], list[float]],
    cores: list[int],
    wanted: argparse.Namespace,
) -> None:
    title = f"CPU, median of {wanted.rounds} rounds"
    print(f"{title:28} {'small POST':>14} {'bulk up':>13}")
    for proxy in proxies:
        small = statistics.median(costs[proxy.name, "small"]) * 1e6
        bulk = statistics.median(costs[proxy.name, "bulk"]) * 1e9
        print(f"{proxy.name:28} {small:11.1f} µs {bulk:8.2f} ns/B")
    if len(proxies) == 1:
        print("nginx is not installed here: nothing to compare with")
    if len(cores) == 1:
        print("one core only: proxy, client and upstream shared it, so caches were cold")


if __name__ == "__main__":
    main()
