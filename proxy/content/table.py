"""CSV and TSV (RFC 4180): rows in, checked rows out, in bounded memory.

    octets ─ first row (see cutter) ─ delimiter (see dialect) ─ what to do with each column
           ─ whole rows (see cutter) ─ cells (see grid) ─ mask, drop, detect (see columns) ─ octets

Every row has as many cells as the first. A byte order mark stays, and is of no cell. Memory is
bounded by the longest row plus the octets of one feed().
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.content import columns
from proxy.content.cutter import Cutter, FirstRow, require_text, without_bom
from proxy.content.dialect import SAMPLE, Dialect, inspect
from proxy.content.fields import Fields
from proxy.content.grid import Grid
from proxy.content.masker import Engine
from proxy.content.tally import Tally, refuse_more
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.schema import ContentPolicy, Tsv


@dataclass(frozen=True, slots=True)
class Shape:
    """How the tables of a route are written."""

    name: str
    delimiter: bytes
    """b"" where it is to be told by the first rows."""
    quote: bytes
    header: bool
    fields: Fields


def shapes(policy: ContentPolicy, mask: Sequence[str]) -> dict[str, Shape]:
    """Those of the tables that a policy admits, by format; `mask` are the paths of its rules.

    Raises ValueError for a path that could never match.
    """
    written: dict[str, tuple[str, Tsv]] = {
        "csv": (policy.csv.delimiter.removeprefix("inspect"), policy.csv),
        "tsv": ("\t", policy.tsv),
    }
    return {
        name: Shape(
            name=name,
            delimiter=delimiter.encode(),
            quote=table.quote.removeprefix("none").encode(),
            header=table.header,
            fields=Fields(
                mask,
                policy.allow_only,
                named=table.header,
                fold=policy.fold_names,
                beside_json=not {"json", "ndjson"}.isdisjoint(policy.content),
            ),
        )
        for name, (delimiter, table) in written.items()
        if name in policy.content
    }


class TableInspector:
    """One body of rows, each of at most `limits.record` octets without its line end."""

    def __init__(self, engine: Engine, shape: Shape) -> None:
        self._engine = engine
        self._shape = shape
        self._tally = Tally(engine.paths, engine.scale, engine.above)
        self._first = FirstRow(shape.quote)
        self._held = bytearray()
        self._rows: _Rows | None = None
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True  # for good, when anything below raises
        output = self._begin(data, whole=False) if self._rows is None else self._rows.feed(data)
        self._ended = False
        return output

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        output = self._begin(b"", whole=True) if self._rows is None else b""
        return output + self._rows.finish() if self._rows is not None else output

    def report(self) -> Report:
        return self._tally.report(self._shape.name)

    def abandon(self) -> None:
        self._tally.findings.abandoned = True

    @property
    def held(self) -> int:
        """Octets that wait for the end of their row."""
        return len(self._held) if self._rows is None else self._rows.held

    def _begin(self, data: bytes, *, whole: bool) -> bytes:
        """Keep octets until the first row is whole, and the delimiter can be told."""
        self._held += data
        known = self._first.end(self._held, whole=whole)
        if (known[0] if known else len(self._held)) > self._engine.limits.record + 5:
            self._held.clear()  # five: a byte order mark and a line end
            raise Refusal("content-too-large", "the first row is over limits.record")
        sample = 0 if self._shape.delimiter else SAMPLE
        if known is None or not self._held or (len(self._held) < sample and not whole):
            return b""
        end, lone_cr = known
        bom, held = without_bom(bytes(self._held))
        self._held.clear()
        end -= len(bom)
        require_text(held[:end], "the first row")
        delimiter = self._shape.delimiter or inspect(
            held[: SAMPLE - len(bom)], self._shape.quote, whole=len(bom + held) < SAMPLE
        )
        dialect = Dialect(delimiter, self._shape.quote, lone_cr)
        return bom + self._open(dialect, held[:end], held[end:])

    def _open(self, dialect: Dialect, first: bytes, rest: bytes) -> bytes:
        """Make the plan, and go on with what is there."""
        bare, end = dialect.parted(first)
        header = _header(bare, dialect)
        fields, actions = self._shape.fields, self._engine.actions
        if not self._shape.header:
            plan = columns.plan(dialect, fields, actions, None, header.width)
            self._rows = _Rows(self._engine, self._tally, plan)
            return self._rows.feed(first + rest)
        if len(bare) > self._engine.limits.record:
            raise Refusal("content-too-large", "the first row is over limits.record")
        names = [dialect.text(raw).decode() for raw in header.row(0)]
        plan = columns.plan(dialect, fields, actions, names, header.width)
        columns.drop(header, plan)
        shown = columns.search_names(header, plan, self._engine.detector, self._tally.findings)
        left = [dialect.text(raw).decode() for raw in header.row(0)]
        plan = columns.named(plan, left, shown)
        output = header.octets().removesuffix(dialect.ends[-1]) + end
        self._tally.changed = output != first
        self._rows = _Rows(self._engine, self._tally, plan)
        return output + self._rows.feed(rest)


def _header(bare: bytes, dialect: Dialect) -> Grid:
    """The first row, without its line end, as a grid of its own."""
    row = bare + dialect.ends[-1]
    width = len(dialect.cells.findall(row))
    columns.require_width(width)
    return Grid(row, dialect, width, 0)


class _Rows:
    """What follows the header."""

    def __init__(self, engine: Engine, tally: Tally, plan: columns.Plan) -> None:
        self._engine = engine
        self._tally = tally
        self._plan = plan
        self._limit = engine.limits.record
        self._cutter = Cutter(plan.dialect.quote, plan.dialect.ends[-1], self._limit)

    @property
    def held(self) -> int:
        return self._cutter.held

    def feed(self, data: bytes) -> bytes:
        block = self._cutter.feed(data)
        return self._block(block) if block else b""

    def finish(self) -> bytes:
        row, end = self._cutter.finish(), self._plan.dialect.ends[-1]
        if not row:
            return b""
        if row.endswith(b"\r"):
            raise Refusal("unparseable", "a lone CR at the end")
        return self._block(row + end).removesuffix(end)

    def _block(self, block: bytes) -> bytes:
        """Whole rows, each with its end."""
        tally, plan, engine = self._tally, self._plan, self._engine
        tally.findings.require_wanted()
        first = tally.records + 1
        require_text(block, f"the rows from {first} on")
        grid = Grid(block, plan.dialect, plan.width, first)
        if len(block) > self._limit and grid.longest() > self._limit:
            raise Refusal("content-too-large", f"one of the rows from {first} on is over the limit")
        tally.records += grid.rows
        columns.mask(grid, plan, engine.actions, tally)
        if engine.detector is None:
            output = grid.octets()
        else:
            output = columns.search(grid, plan, engine.detector, tally.findings, first)
        tally.changed = tally.changed or output != block
        return output
