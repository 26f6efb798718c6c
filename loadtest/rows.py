"""The rows of the table: which work, beside whom, how much of it."""

from dataclasses import dataclass, fields
from typing import Final

from loadtest.contest import Contest

PLAIN: Final = ("nginx", "HAProxy", "Envoy")
HOLDERS: Final = ("nginx + Lua", "mitmproxy")
_PART: Final = (("nginx + Lua", 0.125), ("mitmproxy", 0.125))
"""They hold the whole content, at several octets for each, and take a minute for a gibibyte."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of each; the fields are options of the command."""

    rounds: int = 5
    transfers: int = 10_000
    """Small requests, a round."""
    mebibytes: int = 1024
    """Of each bulk transfer, the tunnel's and the records' too."""
    fresh: int = 1500
    """Connections with one request each, a round."""
    idle: int = 5000
    """Connections that stay."""
    growth: int = 3000
    """Small requests for one point of growth."""
    points: int = 3
    """Rounds of each point of growth."""
    settle: int = 10
    """Seconds that nobody asks anything, to see what idling costs."""

    def count(self, contest: Contest) -> int:
        """Units of one round."""
        if contest.octets:
            return self.mebibytes << 20
        return self.fresh if contest.kind == "fresh" else self.transfers


QUICK: Final = Sizes(2, 240, 8, 32, 60, 120, 2, 1)
"""To see whether all of it runs; what comes out tells nothing."""

CONTESTS: Final = {
    each.key: each
    for each in (
        Contest("plain", "small POST, plain pass", "small", "/plain/1", PLAIN),
        Contest(
            "masked",
            "small POST masked, checked, digests, signed receipt",
            "small",
            "/orders/1",
            HOLDERS,
            shares=(("mitmproxy", 0.1),),
        ),
        Contest("up", "opaque upload", "up", "/files/1", PLAIN, octets=True),
        Contest("down", "opaque download", "down", "/files/", PLAIN, octets=True),
        Contest(
            "records",
            "NDJSON masked and checked",
            "records",
            "/records/1",
            HOLDERS,
            octets=True,
            shares=_PART,
        ),
        Contest("tunnel", "tunnel", "up", "/files/tunnel", ("HAProxy tcp", "stunnel"), octets=True),
        Contest("fresh", "new mTLS connection a request", "fresh", "/plain/1", PLAIN),
    )
}
SPECIAL: Final = ("idle", "latency", "start", "workers", "sizes", "routes", "connections")
"""Those that are no load in turns: see `loadtest.stays` and `loadtest.growth`."""
ROWS: Final = (*CONTESTS, *SPECIAL)

SIZE_NAMES: Final = tuple(each.name for each in fields(Sizes))
