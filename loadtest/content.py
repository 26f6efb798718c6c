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
import time
from pathlib import Path
from typing import Final

from loadtest import orders
from loadtest.field import Field, standing
from loadtest.figures import octets
from loadtest.gateway import Setup
from loadtest.proxies import Proxy
from loadtest.rows import HOLDERS
from proxy.content.native import Native
from proxy.content.rules import compile_rules
from proxy.settings.schema import ContentPolicy, Limits

MIB: Final = 1 << 20
_PIECE = 64 * 1024
"""Octets of one feed, about what the gateway reads at once."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.content", description="CPU an octet")
    parser.add_argument("--rounds", type=int, default=3, help="medians are over these")
    parser.add_argument("--mebibytes", type=int, default=100, help="of each upload")
    parser.add_argument("--large", type=int, default=2000, help="MiB, once, ours; 0 for none")
    parser.add_argument("--programs", type=Path, help="where mitmproxy is; else looked for in PATH")
    wanted = parser.parse_args()
    _codec(wanted.rounds)
    _proxies(wanted)


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


def _proxies(wanted: argparse.Namespace) -> None:
    with standing(wanted.programs) as field:
        title = f"all of the proxy, {wanted.mebibytes} MiB"
        print(f"\n{title:38}{'ns an octet':>12}{'memory':>10}{'ratio':>8}")
        ours = 0.0
        for engine, algorithm in _ENGINES:
            with field.row():
                proxy = field.ours(Setup(engine=engine, algorithm=algorithm))
                name = f"lockgate, {engine}, {algorithm}"
                cost = _measured(field, name, proxy, wanted.mebibytes, wanted.rounds)
                if wanted.large and not ours:
                    _measured(field, f"  the same, {wanted.large} MiB", proxy, wanted.large, 1)
            ours = ours or cost
        for name in HOLDERS:
            _peer(field, name, wanted, ours)


_ENGINES: Final = (("compiled", "blake2b"), ("compiled", "hmac-sha256"), ("interpreted", "blake2b"))


def _peer(field: Field, name: str, wanted: argparse.Namespace, ours: float) -> None:
    with field.row():
        proxy = field.peer(name)
        if proxy is None:
            print(f"{name:38}{'not installed here':>22}")
            return
        _measured(field, name, proxy, wanted.mebibytes, wanted.rounds, ours)


def _measured(
    field: Field, name: str, proxy: Proxy, mebibytes: int, rounds: int, ours: float = 0
) -> float:
    def cost(size: int) -> float:
        return field.load(proxy, field.work(proxy, "records", "/records/1", size)).cpu / size

    cost(MIB)  # to warm up
    found = statistics.median(cost(mebibytes * MIB) for _ in range(rounds)) * 1e9
    ratio = f"{found / ours:8.1f}" if ours else ""
    print(f"{name:38}{found:12.2f}{octets(proxy.peak()):>10}{ratio}", flush=True)
    return found


if __name__ == "__main__":
    main()
