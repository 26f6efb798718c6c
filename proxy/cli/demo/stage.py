"""What every step of the demo needs: send a file, judge how it ended, read back what arrived."""

import shutil
from dataclasses import dataclass, field

from proxy.cli.demo.config import config
from proxy.cli.demo.deliver import Outcome, read_back, require, with_curl, with_lockgate
from proxy.cli.demo.screen import Screen
from proxy.cli.demo.site import NotAsTold, Site, shown
from proxy.cli.wording import count


@dataclass(slots=True)
class Stage:
    """What the steps share."""

    site: Site
    screen: Screen
    has_curl: bool = field(default_factory=lambda: shutil.which("curl") is not None)
    arrived: list[str] = field(default_factory=list)
    """Names of the files that the receiver should have."""
    entries: int = 0
    """Attempts that should be on record; beside them the log has events of its own."""

    def start(self, routes: str) -> None:
        """Make the keys, start the receiver and a gateway with `routes`. Raises NotAsTold."""
        site = self.site
        site.make_keys()
        site.start_receiver()
        site.start_gateway(config(site.receiver, routes))
        self.screen.say(
            f"client  ==mTLS==>  gateway {site.gateway}  ==mTLS==>  receiver {site.receiver}"
        )
        self.screen.checked("both are ready; the configuration is gateway.yaml")

    def write(self, name: str, content: bytes) -> bytes:
        (self.site.folder / name).write_bytes(content)
        return content

    def send(
        self,
        path: str,
        file: str,
        *headers: str,
        party: str | None = "client",
        curl: bool = True,
        identity: str | None = None,
    ) -> Outcome:
        tool = with_curl if curl and self.has_curl else with_lockgate
        outcome = tool(self.site, path, file, party, *headers, identity=identity)
        self.screen.command(shown(outcome.command))
        self.entries += outcome.status is not None
        return outcome

    def refused(
        self,
        path: str,
        file: str,
        status: int,
        problem: str,
        *headers: str,
        party: str = "client",
        curl: bool = True,
    ) -> None:
        outcome = self.send(path, file, *headers, party=party, curl=curl)
        require(outcome, status, "rejected", problem)
        self.require_not_there(outcome)
        self.verdict(outcome)
        self.screen.checked("the receiver has nothing of it; the refusal has a signed receipt too")

    def collect(self, outcome: Outcome, suffix: str) -> bytes:
        name = f"{outcome.transfer_id}.{suffix}"
        found = read_back(self.site, name)
        if found is None:
            raise NotAsTold(f"the receiver does not have {name}")
        self.arrived.append(name)
        self.require_inbox()
        return found

    def require_not_there(self, outcome: Outcome) -> None:
        for suffix in ("json", "ndjson", "bin"):
            if read_back(self.site, f"{outcome.transfer_id}.{suffix}") is not None:
                raise NotAsTold("the receiver has what was refused")
        self.require_inbox()

    def require_inbox(self) -> None:
        there = sorted(path.name for path in (self.site.folder / "inbox").iterdir())
        if there != sorted(self.arrived):
            raise NotAsTold(
                f"the receiver has {count(len(there), 'file')}, not {len(self.arrived)}"
            )

    def verdict(self, outcome: Outcome) -> None:
        why = f"({outcome.problem})" if outcome.problem else "receipt verified"
        self.screen.verdict(outcome.status, outcome.verdict or "", why)
