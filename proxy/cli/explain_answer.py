"""What `lockgate explain` answers: in words, and as JSON."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from proxy.policy.entries import Looked

_WORDS = {True: "yes", False: "no", None: "not known"}


@dataclass(slots=True)
class Answer:
    """What was decided, and what was looked at on the way."""

    allowed: bool = False
    route: str | None = None
    rule: str | None = None
    code: str | None = None
    reason: str | None = None
    until: datetime | None = None
    depends_on: list[str] = field(default_factory=list)
    routes: list[tuple[str, bool, bool]] = field(default_factory=list)
    entries: list[Looked] = field(default_factory=list)
    would: list[str] = field(default_factory=list)
    """Entries in shadow that would have decided otherwise."""
    demands: tuple[str, ...] = ()
    """What the route demands besides, as the configuration has it."""


def told(answer: Answer) -> dict[str, Any]:
    """As one JSON object."""
    return {
        "allowed": answer.allowed,
        "route": answer.route,
        "rule": answer.rule,
        "code": answer.code,
        "reason": answer.reason,
        "until": answer.until,
        "depends_on": answer.depends_on,
        "in_shadow": answer.would,
        "demands": list(answer.demands),
        "routes": [
            {"route": name, "path": path, "method": method} for name, path, method in answer.routes
        ],
        "entries": [
            {"rule": each.rule, "holds": each.holds, "shadow": each.shadow, "keys": dict(each.keys)}
            for each in answer.entries
        ],
    }


def show(answer: Answer) -> None:
    """Everything that was looked at, then the decision, on standard output."""
    for name, path, method in answer.routes:
        why = "takes it" if path and method else "not this method" if path else "not this path"
        print(f"route {name}: {why}")
    for each in answer.entries:
        keys = ", ".join(f"{key} {_WORDS[held]}" for key, held in each.keys)
        shadow = " in shadow" if each.shadow else ""
        print(f"  {each.rule}{shadow}: {_WORDS[each.holds]} ({keys})")
    for rule in answer.would:
        print(f"in shadow: {rule} would have {'admitted' if 'allow' in rule else 'refused'} it")
    if not answer.allowed:
        print(f"refused: {answer.code}: {answer.reason}")
        return
    lasts = f" until {answer.until:%Y-%m-%dT%H:%M:%SZ}" if answer.until else ""
    depends = f", if it holds by {', '.join(answer.depends_on)}" if answer.depends_on else ""
    print(f"allowed: {answer.rule} of route {answer.route}{lasts}{depends}")
    for demand in answer.demands:
        print(f"  demanded besides: {demand}")
