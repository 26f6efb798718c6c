"""YAML by the 1.2 core schema, with the place of everything, and without YAML's surprises.

PyYAML reads the syntax; the meaning of plain scalars is given here (YAML 1.2.2, section 10.3.2):

    null ~ (nothing)            nothing       true false              booleans
    12 -3 0o17 0x1f             integers      1.5 1e3 .inf -.inf .nan floats
    off yes 22:00 2027-01-01 1_000 1:30   text, as is everything in quotes

`017` is the integer 17, as the core schema has it. Refused, each with its place: duplicate keys,
keys that are not text, anchors, aliases, merge keys, tags, more than one document, control
characters, over 1 MiB, over 32 levels. Messages never repeat a value.

    "a:\\n  - x: off"  ->  data {"a": [{"x": "off"}]}
                          marks {("a",): ((1, 1), (2, 3)), ("a", 0, "x"): ((2, 5), (2, 8)), …}
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import yaml

from proxy.errors import ConfigError, Problem

MAX_OCTETS = 2**20
MAX_DEPTH = 32

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""


class Mark(NamedTuple):
    """Where a key and its value begin; the same place twice for the items of a list."""

    key: Place
    value: Place


@dataclass(frozen=True, slots=True)
class Document:
    """`data`: dict, list, str, int, float, bool and None; `marks` has every path in it."""

    data: object
    marks: dict[Path, Mark]


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_MAX_DIGITS = 64


def parse(octets: bytes, file: str) -> Document:
    """Read one document. Raises ConfigError with every mistake that can be told apart."""
    document, problems = read(octets, file)
    if problems:
        raise ConfigError(problems)
    return document


def read(octets: bytes, file: str) -> tuple[Document, list[Problem]]:
    """Read one document as far as it can be read, and what is wrong with its keys and aliases.

    Raises ConfigError where it cannot be read on.
    """
    builder = _Builder(file)
    return builder.build(_text(octets, file)), builder.problems


def resolve(text: str) -> object:
    """The meaning of a plain scalar. Raises ValueError for a number of unreasonable length."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    special = _SPECIAL.fullmatch(text)
    if special is not None:
        return float(text.replace(".", "").lower())
    is_int = _INT.fullmatch(text) is not None
    if not is_int and _FLOAT.fullmatch(text) is None:
        return text
    if len(text) > _MAX_DIGITS:
        raise ValueError("this number is too long")
    if not is_int:
        return float(text)
    return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)


def _text(octets: bytes, file: str) -> str:
    if len(octets) > MAX_OCTETS:
        _refuse(file, (1, 1), f"the file is larger than {MAX_OCTETS} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(octets[: error.start].decode("utf-8"), error.start)
        raise ConfigError([Problem(file, *place, "", "the file is not UTF-8 here")]) from None
    text = text.removeprefix("\ufeff")
    bad = _CONTROL.search(text.replace("\r\n", " \n"))
    if bad is not None:
        _refuse(file, _place(text, bad.start()), "a character that YAML text may not hold")
    return text


def _place(text: str, offset: int) -> Place:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _refuse(file: str, place: Place, message: str) -> NoReturn:
    raise ConfigError([Problem(file, *place, "", message)])


def _at(mark: object) -> Place:
    return (mark.line + 1, mark.column + 1) if isinstance(mark, yaml.Mark) else (1, 1)


def _plain_start(event: yaml.DocumentStartEvent) -> bool:
    return not getattr(event, "tags", None) and getattr(event, "version", None) in (None, (1, 2))


@dataclass(slots=True)
class _Builder:
    """Builds the document from parser events, which come one at a time and without recursion."""

    file: str
    marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    loader: yaml.SafeLoader = field(init=False)

    def build(self, text: str) -> Document:
        self.loader = yaml.SafeLoader(text)
        try:
            data = self._document()
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except (yaml.YAMLError, ValueError, OverflowError, IndexError):
            mark = self.loader.get_mark()
            self._stop(_at(mark), "this is not well-formed YAML")
        finally:
            self.loader.dispose()
        return Document(data, self.marks)

    def _document(self) -> object:
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            self._problem((1, 1), "the file is empty")
            return None
        if isinstance(event, yaml.DocumentStartEvent) and not _plain_start(event):
            self._problem(_at(event.start_mark), "only `%YAML 1.2` may stand above the document")
        data = self._node(self._next(), (), None)
        self._next()
        extra = self._next()
        if not isinstance(extra, yaml.StreamEndEvent):
            self._problem(_at(extra.start_mark), "one document a file; `---` begins a second one")
        return data

    def _node(self, event: yaml.Event, path: Path, key: Place | None) -> object:
        place = _at(event.start_mark)
        self.marks[path] = Mark(key or place, place)
        if isinstance(event, yaml.AliasEvent):
            self._problem(place, "aliases (*name) are not allowed; repeat the value")
            return ""
        self._require_plain(event, place)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        if len(path) >= MAX_DEPTH:
            self._stop(place, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _require_plain(self, event: yaml.Event, place: Place) -> None:
        if getattr(event, "anchor", None) is not None:
            self._problem(place, "anchors (&name) are not allowed; repeat the value")
        if getattr(event, "tag", None) is not None:
            self._problem(place, "tags (!name) are not allowed")

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> object:
        if _CONTROL.search(event.value):
            self._problem(place, "the text holds a control character")
            return ""
        if event.style is not None:
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            self._problem(place, str(error))
            return 0

    def _sequence(self, path: Path) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), None))
        return items

    def _mapping(self, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = _at(event.start_mark)
            key = self._key(event, place)
            if key is not None and key in mapping:
                first = self.marks[*path, key].key[0]
                self._problem(place, f"this key stands twice; first on line {first}")
                key = None
            if key is None:
                # Read on, under a path that no value can have, to find other mistakes.
                self._node(self._next(), (*path, -1), place)
            else:
                mapping[key] = self._node(self._next(), (*path, key), place)
        return mapping

    def _key(self, event: yaml.Event, place: Place) -> str | None:
        if isinstance(event, yaml.AliasEvent):
            self._problem(place, "aliases (*name) are not allowed; repeat the value")
            return None
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(place, "a key must be text, not a list or a mapping")
        self._require_plain(event, place)
        if event.style is None and event.value == "<<":
            self._problem(place, "merge keys (<<) are not allowed; repeat the values")
            return None
        key = self._scalar(event, place)
        if not isinstance(key, str):
            self._problem(place, "a key must be text; put it in quotes")
            return None
        return key

    def _next(self) -> yaml.Event:
        event: yaml.Event = self.loader.get_event()  # type: ignore[no-untyped-call]
        return event

    def _problem(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, *place, "", message))

    def _stop(self, place: Place, message: str) -> NoReturn:
        self._problem(place, message)
        raise ConfigError(self.problems)

    def _syntax(self, error: yaml.MarkedYAMLError) -> NoReturn:
        place = _at(error.problem_mark or error.context_mark)
        words = [word for word in (error.problem, error.context) if word]
        self._stop(place, "not well-formed YAML: " + ", ".join(words))
