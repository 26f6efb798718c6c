"""What becomes of the columns of one table: masked, dropped, searched, or left alone.

The plan is made once, from the first row. A rule for a column that is not there refuses, because
the column may be there under another name. Columns of the same name are all masked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proxy.content.actions import Pseudonym
from proxy.content.detect import Detector, Suspects
from proxy.content.dialect import Dialect
from proxy.content.fields import WITHHELD, Fields
from proxy.content.findings import Findings
from proxy.content.grid import Grid
from proxy.content.places import step
from proxy.content.tally import Tally
from proxy.content.values import Replace, Scalar
from proxy.errors import Refusal

COLUMNS_MAXIMUM: Final = 16_384


@dataclass(frozen=True, slots=True)
class Searched:
    """A column that no rule has masked. `index` is among those that are left."""

    index: int
    context: tuple[str, ...]
    path: str
    name: bytes = b""
    """Its name as a line of its own, for the gate."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to every row of one body."""

    dialect: Dialect
    width: int
    masked: tuple[tuple[int, int], ...]
    """(column, number of its rule)."""
    dropped: tuple[tuple[int, int], ...]
    """The same, the last one first; the rule is WITHHELD where `allow_only` drops it."""
    left: int
    """Columns that are not dropped."""
    searched: tuple[Searched, ...]


def require_width(width: int) -> None:
    """Raises Refusal("unparseable")."""
    if not 0 < width <= COLUMNS_MAXIMUM:
        raise Refusal("unparseable", f"{width} columns: 1 to {COLUMNS_MAXIMUM} can be")


def plan(
    dialect: Dialect,
    fields: Fields,
    actions: Sequence[Replace | None],
    names: Sequence[str] | None,
    width: int,
) -> Plan:
    """`names` is None where there is no header. Raises Refusal("unparseable") that names a path."""
    missing = fields.beyond(width) if names is None else fields.missing(names)
    if missing is not None:
        raise Refusal("unparseable", f"there is no column for {missing}")
    if names is None:
        rules = [fields.counted(index, width) for index in range(width)]
    else:
        rules = [fields.named(name) for name in names]
    gone = [n for n, rule in enumerate(rules) if rule == WITHHELD or _drops(rule, actions)]
    left = [n for n in range(width) if n not in set(gone)]
    if not left:
        raise Refusal("unparseable", "there is no column that may cross")
    return Plan(
        dialect=dialect,
        width=width,
        masked=tuple((n, rules[n]) for n in left if rules[n] >= 0),
        dropped=tuple((n, rules[n]) for n in reversed(gone)),
        left=len(left),
        searched=tuple(Searched(at, (), f"$[{n}]") for at, n in enumerate(left) if rules[n] < 0),
    )


def _drops(rule: int, actions: Sequence[Replace | None]) -> bool:
    return rule >= 0 and actions[rule] is None


def named(plan: Plan, names: Sequence[str], shown: Sequence[bool]) -> Plan:
    """The plan with the names of the columns that are left, for context and for paths.

    A name is shown in paths where `shown` says so, which is where nothing was found in it.
    """
    searched = tuple(
        Searched(
            index=at,
            context=(names[at],),
            path="$" + (step(names[at]) if shown[at] else ".*"),
            name=f"{names[at]}\n".encode(),
        )
        for at in (column.index for column in plan.searched)
    )
    return replace(plan, searched=searched)


def mask(grid: Grid, plan: Plan, actions: Sequence[Replace | None], tally: Tally) -> None:
    """Put what the actions make of the masked columns in their places, and drop what is dropped."""
    for index, rule in plan.masked:
        action = actions[rule]
        if action is not None:
            cells = grid.column(index)
            made = _pseudonyms(cells, plan, action) if isinstance(action, Pseudonym) else {}
            remembered = _Remembered(plan, action, made)
            grid.fill(index, [remembered[raw] for raw in cells])
            tally.masked[rule] += grid.rows
    drop(grid, plan)
    for _, rule in plan.dropped:
        if rule == WITHHELD:
            tally.withheld += grid.rows
        else:
            tally.masked[rule] += grid.rows


def drop(grid: Grid, plan: Plan) -> None:
    """Take out the columns that are dropped, of a header too."""
    for index, _ in plan.dropped:
        grid.drop(index)
    if plan.dropped and grid.width == 1:
        grid.fill(0, [plan.dialect.visible(raw) for raw in grid.column(0)])


def _pseudonyms(cells: Iterable[bytes], plan: Plan, action: Pseudonym) -> dict[bytes, bytes]:
    """The tokens of cells that cannot be masked already, made all at once."""
    dialect = plan.dialect
    texts = {raw: dialect.text(raw) for raw in set(cells)}
    texts = {raw: text for raw, text in texts.items() if text[:1] not in (b"[", b"t")}
    tokens = action.tokenizer.tokens(list(texts.values()))
    return {
        raw: dialect.quote + token + dialect.quote if raw[:1] == dialect.quote else token
        for raw, token in zip(texts, tokens, strict=True)
    }


class _Remembered(dict[bytes, bytes]):
    """Raw cell -> masked cell, for the rows of one block: many columns say few things often."""

    def __init__(self, plan: Plan, action: Replace, made: Mapping[bytes, bytes]) -> None:
        super().__init__(made)
        self._dialect = plan.dialect
        self._alone = plan.left == 1
        self._action = action

    def __missing__(self, raw: bytes) -> bytes:
        masked = self._action(Scalar("string", self._dialect.text(raw)))
        new = raw
        if masked is not None:
            new = self._dialect.spelt(masked.text, raw)
            new = self._dialect.visible(new) if self._alone else new
        self[raw] = new
        return new


def search(grid: Grid, plan: Plan, detector: Detector, findings: Findings, first: int) -> bytes:
    """The octets of the rows, with the findings in what is not masked judged.

    Column by column, so that a name is context for its own cells only, and what masking has put in
    place is not looked at. `first` is the number of the first row. Raises
    Refusal("finding-rejected").
    """
    for column in plan.searched:
        findings.require_wanted()
        cells = grid.column(column.index)
        if not _suspects(column.name + b"\n".join(cells), plan.dialect, detector):
            continue
        clean: set[bytes] = set()
        for number, raw in enumerate(cells):
            if raw in clean:
                continue
            text = plan.dialect.text(raw)
            suspects = detector.suspects_in_text(column.name + text)
            if not suspects:
                clean.add(raw)
                continue
            where = f"row {first + number}"
            new = detector.judge(text, column.context, column.path, suspects, findings, where)
            if new != text:
                grid.put(number, column.index, plan.dialect.spelt(new, raw))
    return grid.octets()


def search_names(
    grid: Grid, plan: Plan, detector: Detector | None, findings: Findings
) -> list[bool]:
    """The same of the header: for each name, whether nothing was found in it."""
    suspects = detector and _suspects(b"\n".join(grid.row(0)), plan.dialect, detector)
    if detector is None or not suspects:
        return [True] * grid.width
    shown = []
    for index, raw in enumerate(grid.row(0)):
        text = plan.dialect.text(raw)
        new = detector.judge(text, (), "$", suspects, findings, "the first row")
        shown.append(new == text)
        if new != text:
            grid.put(0, index, plan.dialect.spelt(new, raw))
    return shown


def _suspects(octets: bytes, dialect: Dialect, detector: Detector) -> Suspects:
    """What may be in some cells, raw."""
    found = detector.suspects_in_text(octets)
    doubled = dialect.quote * 2
    if doubled and doubled in octets:
        found |= detector.suspects_in_text(octets.replace(doubled, dialect.quote))
    return found
