"""The demo with a file of the visitor's: looked at, masked by a policy made for it, delivered."""

import time
from collections import Counter
from pathlib import Path

import orjson

from proxy.cli.demo import checks, evidence, policy
from proxy.cli.demo.checks import Judge
from proxy.cli.demo.deliver import Outcome, require
from proxy.cli.demo.site import NotAsTold
from proxy.cli.demo.stage import Stage
from proxy.cli.survey import Survey, masked_paths, survey
from proxy.cli.values import Value, values
from proxy.cli.wording import count
from proxy.errors import Refusal

_ROWS = 8
"""Values that are shown before and after."""
_AROUND = 24
"""Characters that are shown before the first difference."""


def tell(stage: Stage, path: Path, data: bytes) -> None:
    """All of it. Raises NotAsTold, and Refusal when the file is neither JSON nor NDJSON."""
    found = look(stage, path, data)
    make_policy(stage, found, len(data))
    name = f"input.{found.format}"
    (stage.site.folder / name).symlink_to(path.resolve())
    outcome = deliver(stage, name, data, found)
    show_counts(stage, outcome, found)
    evidence.on_record(stage, f"{name}.receipt.json", name)


def look(stage: Stage, path: Path, data: bytes) -> Survey:
    """What detection finds in it."""
    screen = stage.screen
    screen.step(f"What is in {path.name}?", "Every value is looked at by Lockgate's own detection.")
    began = time.monotonic()
    try:
        found = survey(data, path.suffix)
    except Refusal as refusal:
        raise Refusal(refusal.code, f"{path}: {refusal.reason}") from None
    seconds = time.monotonic() - began
    total = found.values.total()
    what = "a JSON document" if found.format == "json" else count(found.records, "NDJSON record")
    size = f"{count(len(data), 'byte')}, {count(total, 'value')}"
    screen.say(f"{what}, {size}, looked at in {seconds:.1f} s")
    if not found.types:
        screen.say("Nothing was found. It will cross as it is.")
        return found
    rows = [
        (f"{kind}  {where}", count(number, *how))
        for counter, how in ((found.whole, ("value",)), (found.inside, ("in text", "in text")))
        for (where, kind), number in counter.most_common(20)
    ]
    screen.counts(("type and path", "found"), rows)
    return found


def make_policy(stage: Stage, found: Survey, size: int) -> None:
    """The policy, and the two processes."""
    route = policy.route(found, size)
    stage.screen.step(
        "A policy for it",
        "Paths at which most values were found are masked whole; what was found elsewhere is "
        "redacted where it stands. Names and addresses are not found by formats: for them you "
        "would add paths here.",
    )
    stage.screen.quote(route.rstrip().splitlines())
    stage.start(route)


def deliver(stage: Stage, name: str, data: bytes, found: Survey) -> Outcome:
    """Send it, read it back, hold the one against the other."""
    screen = stage.screen
    screen.step("It crosses, masked", "Sent with lockgate send, and read back from the receiver.")
    outcome = stage.send("/input", name, curl=False)
    require(outcome, 201, "delivered")
    arrived = stage.collect(outcome, found.format)
    actions = masked_paths(found)
    judges: dict[str, Judge] = {path: _judge(action) for path, action in actions.items()}

    def judge_of(value: Value) -> Judge:
        judge = None if value.key else judges.get(value.path)
        return judge or checks.only_redacted

    changed = checks.require_same_but(data, arrived, judge_of)
    left = survey(arrived, f".{found.format}")
    if left.whole or left.inside:
        raise NotAsTold(f"detection still finds {', '.join(left.types)} in what arrived")
    rows = list(_rows(data, arrived, set(actions)))
    if rows:
        screen.fields(rows)
    stage.verdict(outcome)
    values = count(changed.total(), "value was", "values were")
    screen.checked(
        f"{values} changed; every other byte is as sent",
        "detection finds nothing any more in what arrived",
    )
    return outcome


def _judge(action: str) -> Judge:
    if "hmac" in action:
        return checks.pseudonyms()
    return checks.keeps_last_four if "partial" in action else checks.redacted


def show_counts(stage: Stage, outcome: Outcome, found: Survey) -> None:
    """What the signed receipt says was masked and found, against our own count."""
    content = outcome.statement["predicate"]["content"]
    masked = {path: int(count) for path, count in content["masked"].items()}
    findings = {kind: int(count) for kind, count in content["findings"].items()}
    actions = masked_paths(found)
    if masked.keys() != actions.keys() or any(masked[p] < found.values[p] for p in masked):
        raise NotAsTold("the receipt counts other fields than were masked")
    expected: Counter[str] = Counter()
    for (path, kind), number in (found.whole + found.inside).items():
        expected[kind] += number if path not in actions else 0
    if any(findings.get(kind, 0) < number for kind, number in expected.items()):
        raise NotAsTold(f"the receipt counts {findings}, we {dict(expected)}")
    stage.screen.say("The signed receipt counts:")
    rows = [*(("masked  " + path, f"{n:,}") for path, n in masked.items())]
    rows += [("found and redacted  " + kind, f"{n:,}") for kind, n in findings.items()]
    stage.screen.counts(("what", "count"), rows or [("nothing", "0")])


def _rows(data: bytes, arrived: bytes, masked: set[str]) -> list[tuple[str, str, str]]:
    """(path, before, after) of some values that changed: the first of every path and type."""
    rows: list[tuple[str, str, str]] = []
    shown: Counter[tuple[str, str]] = Counter()
    for value, other in zip(values(data), values(arrived), strict=True):
        before, after = data[value.start : value.end], arrived[other.start : other.end]
        kind = "" if value.path in masked else _first_kind(after)
        if before != after and shown[value.path, kind] < 2:
            shown[value.path, kind] += 1
            rows.append((value.path, *_excerpts(_text(before), _text(after))))
        if len(rows) == _ROWS:
            break
    return rows


def _first_kind(raw: bytes) -> str:
    return raw.partition(b"[REDACTED:")[2].partition(b"]")[0].decode()


def _text(raw: bytes) -> str:
    return str(orjson.loads(raw)) if raw[0] == 0x22 else raw.decode()


def _excerpts(before: str, after: str) -> tuple[str, str]:
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    start = max(0, same - _AROUND)
    dots = "…" if start else ""
    return dots + before[start : start + 96], dots + after[start : start + 96]


def sum_up(stage: Stage) -> None:
    """What has been shown."""
    stage.screen.checked(
        "your file crossed, with what detection knows masked, and every other byte as sent",
        "the receipt and its log hold, and nobody can change them unnoticed",
    )
    stage.screen.say(
        "inbox/ has what the receiver got, gateway.yaml the policy: edit it, and it is yours."
    )
