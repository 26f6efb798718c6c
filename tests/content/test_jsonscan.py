"""Three scanners, one answer: compiled, its source as it is, and the one that needs no compiler."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import jsonscan
from proxy.content.jsonscan import LONG, ROOM, WIDTH
from proxy.content.masker import Engine, Makers, Masker
from proxy.content.native import Machine, Native
from proxy.content.paths import Automaton
from proxy.content.plainscan import PlainMachine
from proxy.content.tables import Tables, fits
from proxy.content.tally import Tally
from proxy.content.values import Masked, Scalar
from proxy.errors import Refusal
from proxy.settings.schema import Limits
from tests.content.spelling import documents, paths

Answer = tuple[str, int, list[tuple[int, ...]]]
"""How it ended, the lines or records before that, and the hits of all that is JSON."""


def machines(rules: list[str], depth: int, record: int, *, lines: bool) -> list[Machine]:
    automaton = Automaton(rules)
    made: list[Machine] = [PlainMachine(automaton, depth, record, lines)]
    if fits(automaton):
        made.append(jsonscan.Machine(Tables(automaton), depth, record, lines))
        try:
            made.append(Native(compiled=True).opener(automaton, depth, record)(lines))
        except ImportError:
            pass  # no C compiler: the fixture either_engine says so
    return made


def answer(machine: Machine, block: bytes) -> Answer:
    hits: list[tuple[int, ...]] = []
    machine.load(block)
    try:
        while not machine.done:
            count = machine.run()
            if machine.error:
                return ("too large" if machine.error == LONG else "broken"), machine.ended, []
            numbers = list(machine.hits[: count * WIDTH])
            hits += [tuple(numbers[n : n + WIDTH]) for n in range(0, len(numbers), WIDTH)]
    except Refusal as refusal:
        large = refusal.code == "content-too-large"
        return ("too large" if large else "broken"), machine.ended, []
    return "done", machine.records, hits


def agreed(rules: list[str], block: bytes, *, lines: bool, **limits: int) -> Answer:
    bounds = {"depth": 64, "record": 4096, **limits}
    answers = [answer(each, block) for each in machines(rules, **bounds, lines=lines)]
    assert all(each == answers[0] for each in answers), answers
    return answers[0]


@given(documents(), st.lists(paths, max_size=3))
def test_they_find_the_same_in_any_document(document: tuple[Any, str], rules: list[str]) -> None:
    end, _, _ = agreed(rules, document[1].encode() + b"\0", lines=False)
    assert end == "done"


@given(
    st.lists(documents().map(lambda pair: pair[1].replace("\n", " ")) | st.just(" \r"), max_size=4),
    st.lists(paths, max_size=3),
    st.integers(1, 200),
)
def test_they_find_the_same_in_any_lines(texts: list[str], rules: list[str], record: int) -> None:
    block = "".join(f"{text}\r\n" for text in texts).encode() + b"1\n"
    agreed(rules, block, lines=True, record=record)


@given(documents(), st.data())
def test_they_refuse_the_same_when_octets_change(
    document: tuple[Any, str], data: st.DataObject
) -> None:
    octets = bytearray(document[1].encode() + b"\n" + document[1].encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(octets) - 1))
        new = data.draw(st.binary(max_size=2) | st.sampled_from(ODDITIES))
        octets[place : place + data.draw(st.integers(0, 2))] = new
    agreed(["$..a", "$.*"], bytes(octets) + b"\0", lines=False, depth=5)
    agreed(["$..a", "$.*"], bytes(octets) + b"\n", lines=True, depth=5)


ODDITIES = [
    rb"\u0061", rb"\ud83d\ude00", rb"\ud83d", rb"\ude00", rb"\ud83dx", rb"\u00g0", rb"\/", rb"\x",
    b"\xc3\xa9", b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xef\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x7f", b"\x00",
    b"-", b"-0", b"01", b"1.", b"1e", b"1e+", b"1E-9", b"1e400", b".5", b"tru", b"false", b"nullx",
    b"[[[[[[", b"]]", b"{}", b'"":', b",,", b":", b'"', b"\\", b"\r", b"\n", b"\t",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODDITIES)
@pytest.mark.parametrize(
    "around", [b'"%b"', b"%b", b'{"a":%b}', b'{"%b":1}', b"[%b]", b"[1%b", b'["x"%b', b'{"a":1%b}']
)
def test_they_agree_on_what_is_odd_anywhere_and_at_the_very_end(odd: bytes, around: bytes) -> None:
    text = around % odd
    for end in range(len(text) + 1):
        agreed(["$.a", "$[*]"], text[:end] + b"\0", lines=False)
        agreed(["$.a", "$[*]"], text[:end] + b"\n" + text + b"\n", lines=True)


def test_they_agree_on_the_corpus(corpora: Path) -> None:
    for file in sorted((corpora / "jsontestsuite" / "test_parsing").glob("*.json")):
        data = file.read_bytes()
        end, _, _ = agreed(["$..a", "$.*.b"], data + b"\0", lines=False, depth=600)
        assert end == "done" if file.name[0] == "y" else end == "broken" or file.name[0] == "i"
        agreed(["$..a"], data + b"\n", lines=True, record=400, depth=600)


@pytest.mark.parametrize("name", ["e", "é", "x" * 31, "x" * 32, "x" * 33, "x" * 63, "", '"', "\\"])
def test_names_of_any_length_are_told_from_others_of_that_length(name: str) -> None:
    other = name[:-1] + "y" if name else "y"
    for escaped in (True, False):
        text = json.dumps({other: 1, name: 2, name + "x": 3}, ensure_ascii=escaped)
        _, _, hits = agreed([f"$[{json.dumps(name)}]"], text.encode() + b"\0", lines=False)
        assert [text.encode()[start:end] for _, _, start, end, _ in hits] == [b"2"]


@pytest.mark.parametrize("depth", [1, 2, 1024])
def test_the_depth_is_met_and_not_passed(depth: int) -> None:
    for start, end in ((b"[", b"]"), (b'{"a":', b"}")):
        block = start * depth + b"1" + end * depth
        assert agreed(["$..b"], block + b"\0", lines=False, depth=depth)[0] == "done"
        block = start * (depth + 1) + b"1" + end * (depth + 1)
        assert agreed(["$..b"], block + b"\0", lines=False, depth=depth)[0] == "broken"


@pytest.mark.parametrize("octet", range(256))
def test_every_octet_is_judged_alike_wherever_it_is_in_a_string(octet: int) -> None:
    for place in range(17):  # the compiled one looks at eight at once
        inside = b"a" * place + bytes([octet]) + b"a" * (16 - place)
        fine = 0x20 <= octet < 0x80 and octet not in b'"\\'
        ended = agreed(["$[0]"], b'["' + inside + b'"]\0', lines=False)
        assert ended == (("done", 1, [(0, 1, 1, 20, 0)]) if fine else ("broken", 0, [])), place


@pytest.mark.parametrize("count", [ROOM - 1, ROOM, ROOM + 1, 3 * ROOM])
def test_hits_come_in_steps_that_have_room(count: int) -> None:
    text = b"[" + b",".join([b'{"a":[1]}'] * count) + b"]"
    assert len(agreed(["$[*].a"], text + b"\0", lines=False)[2]) == count
    assert len(agreed(["$.a"], b'{"a":1}\n' * count, lines=True)[2]) == count


def test_a_block_that_does_not_end_as_it_has_to_is_a_mistake_of_ours() -> None:
    for machine in machines(["$.a"], 9, 9, lines=True)[1:]:
        for block in (b"", b"1", b"1\0"):
            with pytest.raises(ValueError, match="end"):
                machine.load(block)


@pytest.mark.parametrize("lines", [True, False])
def test_a_body_abandoned_while_it_is_masked_is_refused_at_the_next_step(lines: bool) -> None:
    seen: list[bytes] = []

    def last(value: Scalar) -> Masked | None:
        seen.append(value.text)
        tally.findings.abandoned = True
        return None

    automaton, native = Automaton(["$[*]"]), Native(compiled=False)
    engine = Engine(
        limits=Limits(),
        open=native.opener(automaton, 9, 9999),
        makers=Makers([last], native),
        automaton=automaton,
        paths=("$[*]",),
        actions=(last,),
        detector=None,
        scale=("top",),
    )
    tally = Tally(engine.paths, engine.scale)
    masker = Masker(engine, tally, lines=lines)
    with pytest.raises(Refusal, match="abandoned"):
        masker.mask(b"[" + b"1," * (2 * ROOM) + b"1]" + (b"\n" if lines else b"\0"))
    assert len(seen) == ROOM


def test_what_is_compiled_was_compiled_with_its_types() -> None:
    try:
        machine = import_module("proxy.content._jsonscan").Machine
    except ImportError:
        pytest.skip("nothing was compiled when this was installed: there was no C compiler")
    assert hasattr(jsonscan.Machine, "_string")
    assert not hasattr(machine, "_string"), "a method of Python: the .pxd was not found"
