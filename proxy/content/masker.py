"""Blocks of JSON masked: found by a machine, replaced rule by rule, spliced together.

    block ─ machine (valid? where?) ─ values of each rule, all at once ─ splice ─ output

A block is whole lines of NDJSON, or one document and a NUL (see jsonscan). Long ones are gone
through in steps of some hundred hits, so that what lies between is bounded.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proxy.content.actions import Constant, Pseudonym
from proxy.content.detect import Detector
from proxy.content.jsonscan import DEEP, LONG
from proxy.content.mask import replaced, spelt
from proxy.content.native import Made, Native, Opener
from proxy.content.paths import Automaton
from proxy.content.tally import Tally
from proxy.content.tokens import VALUE
from proxy.content.validate import broken
from proxy.content.values import Replace
from proxy.errors import Refusal
from proxy.settings.schema import Limits

Maker = Callable[[bytes, "array[int]", int, int], Made]
"""Block, hits, how many, number of the rule -> JSON for each hit of that rule."""


class Makers:
    """The actions of a policy, each in the form that is cheapest for many values."""

    def __init__(self, actions: Sequence[Replace | None], native: Native) -> None:
        self.native = native
        self._fixed: list[Made] = [_fixed(action) for action in actions]
        self._makers: list[tuple[int, Maker]] = [
            (rule, _maker(action, native))
            for rule, action in enumerate(actions)
            if action is not None and self._fixed[rule] is None
        ]

    def made(self, block: bytes, hits: "array[int]", count: int) -> list[Made]:
        """By number of rule: None drops, octets replace every value, else one for each."""
        made = self._fixed.copy()
        for rule, maker in self._makers:
            made[rule] = maker(block, hits, count, rule)
        return made


def _fixed(action: Replace | None) -> Made:
    return spelt(action.masked) if isinstance(action, Constant) else None


def _maker(action: Replace, native: Native) -> Maker:
    if isinstance(action, Pseudonym):
        return _pseudonyms(action, native)

    def each(block: bytes, hits: "array[int]", count: int, rule: int) -> Made:
        return (replaced(raw, action) for raw in native.raws(block, hits, count, rule))

    return each


def _pseudonyms(action: Pseudonym, native: Native) -> Maker:
    if native.tokens is not None:
        return _tokens(action, native)
    tokens = action.tokenizer.tokens

    def all_at_once(block: bytes, hits: "array[int]", count: int, rule: int) -> Made:
        odd: list[int] = []
        made: list[bytes | None] = [*tokens(native.texts(block, hits, count, rule, odd), b'"')]
        if odd:  # those that may have to stay, and what is neither string nor number
            raws = native.raws(block, hits, count, rule)
            for n in odd:
                made[n] = replaced(raws[n], action)
        return iter(made)

    return all_at_once


def _tokens(action: Pseudonym, native: Native) -> Maker:
    """The same, of which Python sees no single value but those that are odd."""
    work, tokenizer = native.tokens, action.tokenizer
    before = b'"' + tokenizer.prefix
    kind = work.Blake2b if tokenizer.algorithm == "blake2b" else work.HmacSha256
    macs = kind(tokenizer.key, VALUE)

    def all_at_once(block: bytes, hits: "array[int]", count: int, rule: int) -> Made:
        odd: list[int] = []
        values = work.values(block, hits, count, rule, odd, macs)
        raws = native.raws(block, hits, count, rule) if odd else []
        instead = [replaced(raws[n], action) for n in odd]
        made: Made = work.Tokens(before, values, tokenizer.checks(values), odd, instead)
        return made

    return all_at_once


@dataclass(frozen=True, slots=True)
class Engine:
    """A compiled policy."""

    limits: Limits
    open: Opener
    makers: Makers
    automaton: Automaton
    paths: tuple[str, ...]
    actions: tuple[Replace | None, ...]
    detector: Detector | None
    scale: tuple[str, ...]
    above: frozenset[str] = frozenset()
    """Labels to which no finding may raise this body: what would is redacted instead."""


class Output(NamedTuple):
    """A block that is masked."""

    octets: bytes
    placed: "array[int]"
    """Where in it each replacement stands."""
    rest: bytes
    """All but the replacements: what something may still be found in, with the same line ends."""


class Masker:
    """One body's. Raises Refusal: unparseable, content-too-large."""

    def __init__(self, engine: "Engine", tally: Tally, *, lines: bool) -> None:
        self._machine = engine.open(lines)
        self._makers = engine.makers
        self._tally = tally
        self._depth, self._lines = engine.limits.depth, lines

    @property
    def ended(self) -> int:
        """Lines that have been gone through."""
        return self._machine.ended

    def mask(self, block: bytes) -> Output:
        """The block masked: lines with the last line feed, a document without the NUL."""
        machine, makers, tally = self._machine, self._makers, self._tally
        machine.load(block)
        splice = None
        while not machine.done:
            tally.findings.require_wanted()
            count = machine.run()
            tally.records = machine.records
            if count:
                makers.native.tally(machine.hits, count, tally.masked)
            if machine.error:
                raise self._refusal(block)
            if count:
                splice = splice or makers.native.splice(block)
                splice.add(machine.hits, count, makers.made(block, machine.hits, count))
        end = len(block) if self._lines else len(block) - 1
        if splice is None:
            whole = block[:end]
            return Output(whole, array("Q"), whole)
        return Output(splice.finish(end), splice.placed(), splice.rest())

    def _refusal(self, block: bytes) -> Refusal:
        machine, depth = self._machine, self._depth
        where = f"line {machine.ended + 1}" if self._lines else "the document"
        if machine.error == LONG:
            return Refusal("content-too-large", f"{where} is over limits.record")
        if machine.error == DEEP:
            return Refusal("unparseable", f"{where} is nested deeper than {depth}")
        begins = b"" if self._lines and machine.ended else block
        return broken(where, begins)
