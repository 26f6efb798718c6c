"""`lockgate explain --receipts`: what a configuration would have said to what has been."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from proxy.cli import past_log
from proxy.cli.past import Past
from proxy.cli.past_change import Change, change
from proxy.cli.past_judge import PASSES, REFUSED, UNSURE, Candidate
from proxy.cli.receipts_files import telling
from proxy.cli.wording import count
from proxy.receipt.words import printable
from proxy.settings.load import load

_ASSUMED: Final = (
    "the content was labelled and held what was found then; what was not looked for is not known",
    "chains and revocation, rates and volumes, digests and signatures are not asked again",
)
_GROUPS: Final = 1000
"""Reasons for which nothing can be told, that are counted apart."""


def add_arguments(explain: argparse.ArgumentParser) -> None:
    """The options of a replay."""
    replay = explain.add_argument_group("what has been, instead of one peer")
    past_log.add_arguments(replay)
    replay.add_argument(
        "--strict", action="store_true", help="exit 1 also where it cannot be told of some"
    )


def asked(arguments: argparse.Namespace) -> bool:
    """Whether a replay is asked for. Raises ValueError where options do not go together."""
    one = ("listener", "cert", "method", "path", "sni", "at", "content", "label", "size",
           "spiffe", "uri", "dns", "ip", "cn", "ou", "pin", "address", "uid")  # fmt: skip
    if arguments.receipts is not None:
        given = [name for name in one if getattr(arguments, name) is not None]
        if given:
            raise ValueError(f"--{given[0]} asks about one peer, --receipts about all that came")
        return True
    if arguments.strict or any(getattr(arguments, name) for name in past_log.OPTIONS):
        raise ValueError("--since, --until, --was, --access-log and --strict go with --receipts")
    return False


@dataclass(slots=True)
class _Tally:
    transfers: int = 0
    same_policy: int = 0
    assumed: Counter[str] = field(default_factory=Counter)
    """By what was taken as it was then."""
    changed: Counter[str] = field(default_factory=Counter)
    unsure: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By route and by what would have to be known."""

    def count(self, found: Change) -> None:
        if found.kind != UNSURE:
            self.changed[found.kind] += 1
            return
        group = (found.past.route or "-", ", ".join(found.keys))
        if group not in self.unsure and len(self.unsure) >= _GROUPS:
            group = ("-", "…")
        self.unsure[group] += 1

    @property
    def changes(self) -> int:
        return sum(self.changed.values())


@telling
def run(arguments: argparse.Namespace) -> int:
    """0 nothing would change, 1 something would. Raises ConfigError and EvidenceError."""
    candidate = Candidate(load(arguments.config), past_log.configurations(arguments.was))
    tally = _Tally()
    with past_log.opened(arguments) as pasts:
        found = _changes(candidate, pasts, tally)
        if arguments.json:
            _write_json(found, tally)
        else:
            for each in found:
                print(printable(_line(each)))
            _summarise(tally)
    return 1 if tally.changes or (arguments.strict and (tally.unsure or tally.assumed)) else 0


def _changes(candidate: Candidate, pasts: Iterator[Past], tally: _Tally) -> Iterator[Change]:
    """Those that change, as they are found; all are counted."""
    for past in pasts:
        tally.transfers += 1
        if past.policy == candidate.sha256:
            tally.same_policy += 1
            continue
        judged = candidate.judge(past)
        tally.assumed.update(judged.assumed)
        found = change(past, judged)
        if found is None:
            continue
        tally.count(found)
        if found.kind != UNSURE:
            yield found


# --- telling -------------------------------------------------------------------------------------


def _line(found: Change) -> str:
    past = found.past
    when = past.received.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"{past.index:>8}  {when}  {found.then} -> {found.now}  {past.route or '-'}  "
        f"{past.peer.name}: {found.why}"
    )


def _summarise(tally: _Tally) -> None:
    changed = tally.changed
    of = count(tally.transfers, "transfer")
    kinds = (
        (REFUSED, "would be refused"),
        (PASSES, "would get past what refused them"),
        ("answer", "would have their answer withheld"),
    )
    told = [f"{changed[kind]:,} {words}" for kind, words in kinds if changed[kind]]
    print(f"{tally.changes:,} of {of} would change{': ' if told else ''}{', '.join(told)}")
    if tally.same_policy:
        print(f"{count(tally.same_policy, 'transfer')} had been judged by this very configuration")
    for (route, keys), number in sorted(tally.unsure.items()):
        print(f"not known of {count(number, 'transfer')} of route {printable(route)}: {keys}")
    for line in _assumed(tally):
        print(f"assumed: {line}")


def _assumed(tally: _Tally) -> Iterator[str]:
    if tally.transfers == tally.same_policy:
        return
    for name, number in sorted(tally.assumed.items()):
        came = count(number, "transfer")
        if name == "path":
            yield f"{came} would take the route of the name of then: no receipt has a path"
        else:
            yield f"{came} had the {name} that is demanded, as --was would tell"
    yield from _ASSUMED


def _write_json(found: Iterator[Change], tally: _Tally) -> None:
    """One object, written as it is found."""
    write = sys.stdout.write
    write('{"changes":[')
    for number, each in enumerate(found):
        write(("," if number else "") + "\n" + orjson.dumps(_told(each)).decode())
    summary = {
        "transfers": tally.transfers,
        "same_policy": tally.same_policy,
        "changed": dict(tally.changed),
        "unsure": [
            {"route": None if route == "-" else route, "depends_on": keys.split(", "), "count": n}
            for (route, keys), n in sorted(tally.unsure.items())
        ],
        "assumed": list(_assumed(tally)),
    }
    write("],\n" + orjson.dumps(summary).decode()[1:] + "\n")


def _told(found: Change) -> dict[str, Any]:
    past, judged = found.past, found.judged
    return {
        "index": past.index,
        "transfer_id": past.transfer_id,
        "received": past.received,
        "sender": past.peer.name,
        "kind": found.kind,
        "then": {"verdict": past.verdict.value, "problem": past.problem, "route": past.route},
        "now": {"route": judged.route, "code": judged.code, "rules": judged.rules},
        "why": found.why,
    }
