"""What masking costs, an octet: the codec by itself, and all of the proxy beside its peers.

    python -m loadtest.content    also `make bench-content`; --help for sizes

The work: NDJSON orders of some 290 octets, `ssn` redacted and `email` made a token by path, all
default detectors on, digests of both sides, a receipt, mutual TLS on both sides. The peers do less
of it, as their users would: see peers. CPU is what the kernel accounts to the proxy's processes,
memory the most that they ever had. Other work on the machine makes every figure larger: look at
the ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loadtest import orders
from loadtest.__main__ import MIB, load
from loadtest.peers import start_lua, start_mitmproxy
from loadtest.proxies import Proxy, family, start_gateway
from proxy.cli.certs import make_folder
from proxy.content.native import Native
from proxy.content.rules import compile_rules
from proxy.settings.schema import ContentPolicy, Limits

_PIECE = 64 * 1024
"""Octets of one feed, about what the gateway reads at once."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.content", description="CPU an octet")
    parser.add_argument("--rounds", type=int, default=3, help="medians are over these")
    parser.add_argument("--mebibytes", type=int, default=100, help="of each upload")
    parser.add_argument("--large", type=int, default=2000, help="MiB, once, ours; 0 for none")
    parser.add_argument("--mitmdump", help="where mitmproxy is; else looked for in PATH")
    wanted = parser.parse_args()
    _codec(wanted.rounds)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])  # inherited by client and upstream
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        make_folder(Path(name) / "pki")
        _proxies(Path(name), cores[0], wanted)


# --- the codec -----------------------------------------------------------------------------------


def _natives() -> list[Native]:
    try:
        return [Native(compiled=True), Native(compiled=False)]
    except ImportError:
        print("compiled: not here, there was no C compiler")
        return [Native(compiled=False)]


def _codec(rounds: int) -> None:
    print("the codec alone, ns of CPU an octet" + " " * 8 + "compiled  interpreted")
    steps = {
        "checked only": _policy(None, detect=False),
        "masked, tokens by hmac-sha256": _policy("hmac-sha256", detect=False),
        "masked, tokens by blake2b": _policy("blake2b", detect=False),
        "masked (blake2b) and searched": _policy("blake2b", detect=True),
    }
    for name, policy in steps.items():
        costs = [_cost(policy, native, rounds) for native in _natives()]
        print(f"  {name:36}" + "".join(f"{cost:12.2f}" for cost in costs), flush=True)


def _policy(algorithm: str | None, *, detect: bool) -> ContentPolicy:
    token = {"hmac": {"key": "k", "algorithm": algorithm}}
    mask = [
        {"path": "$.customer.ssn", "action": "redact"},
        {"path": "$.customer.email", "action": token},
    ]
    return ContentPolicy.model_validate(
        {
            "content": ["ndjson"],
            "mask": mask if algorithm else [],
            "detect": [{"type": "default", "action": "redact"}] if detect else [],
        }
    )


def _cost(policy: ContentPolicy, native: Native, rounds: int) -> float:
    """Nanoseconds an octet; the least of several runs, as other work only ever adds."""
    keys = {"k": [("k1", os.urandom(32))]}
    rules = compile_rules(policy, Limits(), keys, "top", ["top"], native=native)
    data = orders.PIECE * (8 if native.name == "compiled" else 1)
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    spent = []
    for _ in range(4 * rounds + 1):
        inspector = rules.open("ndjson")
        before = time.process_time()
        for piece in pieces:
            inspector.feed(piece)
        inspector.finish()
        spent.append(time.process_time() - before)
    return min(spent) / len(data) * 1e9


# --- the whole proxy -----------------------------------------------------------------------------


def _proxies(folder: Path, core: int, wanted: argparse.Namespace) -> None:
    pki = folder / "pki"
    upstream = subprocess.Popen(
        [sys.executable, "-m", "loadtest.upstream", str(pki)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline())
        title = f"all of the proxy, {wanted.mebibytes} MiB"
        print(f"\n{title:38}{'ns an octet':>12}{'memory':>10}{'ratio':>8}")
        ours = 0.0
        for name in ("compiled, blake2b", "compiled, hmac-sha256", "interpreted, blake2b"):
            cost = _ours(name, folder, pki, port, core, wanted)
            ours = ours or cost
        lua = start_lua(folder, pki, port, core)
        _peer("nginx + Lua", lua, pki, wanted, ours)
        mitm = start_mitmproxy(wanted.mitmdump, folder, pki, port, core)
        _peer("mitmproxy + addon", mitm, pki, wanted, ours)
    finally:
        upstream.communicate()


def _ours(
    name: str, folder: Path, pki: Path, upstream: int, core: int, wanted: argparse.Namespace
) -> float:
    engine, _, algorithm = name.partition(", ")
    proxy = start_gateway(folder, pki, upstream, core, algorithm, engine)
    try:
        cost = _measured(f"lockgate, {name}", proxy, pki, wanted.mebibytes, wanted.rounds)
        if wanted.large and name == "compiled, blake2b":
            _measured(f"  the same, {wanted.large} MiB", proxy, pki, wanted.large, 1)
        return cost
    finally:
        proxy.stop()


def _peer(
    name: str, proxy: Proxy | None, pki: Path, wanted: argparse.Namespace, ours: float
) -> None:
    if proxy is None:
        print(f"{name:38}{'not installed here':>22}")
        return
    try:
        _measured(name, proxy, pki, wanted.mebibytes, wanted.rounds, ours)
    finally:
        proxy.stop()


def _measured(
    name: str, proxy: Proxy, pki: Path, mebibytes: int, rounds: int, ours: float = 0
) -> float:
    load(proxy, pki, "records", MIB)  # to warm up
    size = mebibytes * MIB
    costs = [load(proxy, pki, "records", size) / size for _ in range(rounds)]
    cost = statistics.median(costs) * 1e9
    ratio = f"{cost / ours:8.1f}" if ours else ""
    print(f"{name:38}{cost:12.2f}{_memory(proxy):>10}{ratio}", flush=True)
    return cost


def _memory(proxy: Proxy) -> str:
    """The most that its processes ever had in memory, together."""
    total = 0
    for pid in family(proxy.process.pid):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return f"{total // 1024} MiB"


if __name__ == "__main__":
    main()
