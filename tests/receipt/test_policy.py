"""The tlog-policy file: what it may say, and that nothing else is understood by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.receipt.policy import Group, Policy, PolicyError, Witness, display, parse_policy
from proxy.receipt.vkey import Vkey
from tests.receipt.test_vector import LOG_VKEY, WITNESS_VKEY
from tests.receipt.witnesses import ED, MLDSA, VKEYS, policy_text

QUORUM = b"quorum none\n"
NORTH, EAST = f"witness north {VKEYS['north']}", f"witness east {VKEYS['east']}"


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_the_example_of_the_specification_is_understood() -> None:
    policy = parse_policy(
        b"# who watches us\n\n"
        + policy_text(
            "  group  X\t2 north east south ",
            "\t# Y may be one",
            "group Y any west pole",
            "group X-and-Y all X Y",
            "quorum X-and-Y",
        )
    )
    assert policy.logs == (ED, MLDSA)
    assert [witness.name for witness in policy.witnesses] == list(VKEYS)
    assert policy.groups == {
        "X": Group(2, ("north", "east", "south")),
        "Y": Group(1, ("west", "pole")),
        "X-and-Y": Group(2, ("X", "Y")),
    }
    assert policy.quorum == "X-and-Y"
    assert policy.met_by(["north", "south", "pole"])
    assert not policy.met_by(["north", "pole"])
    assert not policy.met_by(["north", "east", "south"])


def test_the_vector_s_keys_and_their_urls_are_read() -> None:
    policy = parse_policy(
        text(
            f"log {LOG_VKEY} https://log.example/",
            f"witness w {WITNESS_VKEY} https://w.example/x",
            "quorum w",
        )
    )
    assert [str(vkey) for vkey in policy.logs] == [LOG_VKEY]
    assert [(w.name, str(w.vkey), w.url) for w in policy.witnesses] == [
        ("w", WITNESS_VKEY, "https://w.example/x")
    ]


def test_logs_and_witnesses_may_be_none_and_the_quorum_may_stand_early() -> None:
    assert parse_policy(QUORUM) == Policy((), (), {}, None)
    early = parse_policy(text(NORTH, "quorum north", f"log {ED}"))
    assert (early.logs, early.quorum) == ((ED,), "north")
    assert early.witnesses == (Witness("north", VKEYS["north"]),)


BAD_LINES = {
    "keyword": "watcher north",
    "keyword in capitals": f"Log {ED}",
    "log without key": "log",
    "log with more": f"log {ED} https://a b",
    "log with a cosignature key": f"log {VKEYS['north']}",
    "log with a broken key": f"log {str(ED)[:-4]}",
    "the same log": f"log {ED}\nlog {ED}",
    "the same key by another name": f"log {ED}\nlog {Vkey('else', ED.kind, ED.public)}",
    "witness without key": "witness north",
    "witness without name": f"witness {VKEYS['north']}",
    "witness with more": f"{NORTH} https://a b",
    "witness with a log's key": f"witness north {ED}",
    "the same witness": f"{NORTH}\nwitness other {VKEYS['north']}",
    "the same witness by another name": (
        f"{NORTH}\nwitness other {Vkey('else', VKEYS['north'].kind, VKEYS['north'].public)}"
    ),
    "the same name": f"{NORTH}\nwitness north {VKEYS['east']}",
    "a witness called none": f"witness none {VKEYS['north']}",
    "group without members": f"{NORTH}\ngroup g any",
    "group without threshold": f"{NORTH}\ngroup g north",
    "group of strangers": "group g any north",
    "group of none": "group g any none",
    "group of itself": "group g any g",
    "group defined later": f"group g any north\n{NORTH}",
    "group called none": f"{NORTH}\ngroup none any north",
    "group called as a witness": f"{NORTH}\ngroup north any north",
    "group called twice": f"{NORTH}\n{EAST}\ngroup g any north\ngroup g any east",
    "member twice": f"{NORTH}\ngroup g 2 north north",
    "member of two groups": f"{NORTH}\ngroup g any north\ngroup h any north",
    "threshold zero": f"{NORTH}\ngroup g 0 north",
    "threshold above": f"{NORTH}\ngroup g 2 north",
    "threshold signed": f"{NORTH}\ngroup g +1 north",
    "threshold with zeros": f"{NORTH}\ngroup g 01 north",
    "threshold in other digits": f"{NORTH}\ngroup g \u0661 north",
    "threshold huge": f"{NORTH}\ngroup g {'9' * 30} north",
    "threshold in words": f"{NORTH}\ngroup g most north",
    "quorum without name": "quorum",
    "quorum of two": f"{NORTH}\n{EAST}\nquorum north east",
    "quorum of a stranger": "quorum north",
    "quorum defined later": f"quorum north\n{NORTH}",
    "carriage return": f"log {ED}\r",
    "other control characters": "# \x07",
    "delete": "# \x7f",
    "no-break space": f"log\u00a0{ED}",
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_line_that_is_malformed_refuses_the_whole_file_and_is_named(what: str) -> None:
    lines = BAD_LINES[what].split("\n")
    data = text(*lines) if "quorum" in what and "north" in lines[0] else text(*lines) + QUORUM
    with pytest.raises(PolicyError, match=r"^line \d+: "):
        parse_policy(data)


def test_the_line_of_the_mistake_is_told() -> None:
    with pytest.raises(PolicyError, match="line 4: a line is a log"):
        parse_policy(b"\n# fine\nquorum none\nwatcher x\n")


def test_exactly_one_quorum_is_demanded() -> None:
    with pytest.raises(PolicyError, match="no quorum"):
        parse_policy(policy_text())
    with pytest.raises(PolicyError, match="no quorum"):
        parse_policy(b"")
    with pytest.raises(PolicyError, match="second quorum"):
        parse_policy(QUORUM + QUORUM)
    with pytest.raises(PolicyError, match="second quorum"):
        parse_policy(text(NORTH, "quorum none", "quorum north"))


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    whole = policy_text("group g 2 north east south", "quorum g")
    for end in range(len(whole)):
        with pytest.raises(PolicyError):
            parse_policy(whole[:end])


def test_a_last_line_without_its_newline_is_not_left_out() -> None:
    for rest in (b"# a comment", b" ", NORTH.encode(), b"group"):
        with pytest.raises(PolicyError, match="cut off: its last line has no newline"):
            parse_policy(QUORUM + rest)


def test_names_are_octets_and_two_spellings_are_two_names() -> None:
    data = (
        b"witness K " + str(VKEYS["north"]).encode() + b"\n"
        b"witness \xe2\x84\xaa " + str(VKEYS["east"]).encode() + b"\n"
        b"witness \xff " + str(VKEYS["south"]).encode() + b"\n"
        b"quorum \xff\n"
    )
    policy = parse_policy(data)
    assert [display(witness.name) for witness in policy.witnesses] == ["K", "\u212a", "\\xff"]
    south = policy.witnesses[2].name
    assert policy.met_by([south])
    assert not policy.met_by(["K", "\u212a"])
    with pytest.raises(PolicyError, match="line 1: the vkey is not UTF-8"):
        parse_policy(b"log \xff+00000000+AA==\nquorum none\n")


def test_thirty_two_of_each_are_taken_and_a_file_has_its_bounds() -> None:
    lines = []
    for number in range(32):
        key = bytes([number]) * 32
        lines.append(f"log {Vkey(f'log-{number}', 0x01, key)}")
        lines.append(f"witness w{number} {Vkey(f'w-{number}', 0x04, key)}")
        lines.append(f"group g{number} all w{number}")
    everybody = " ".join(f"g{number}" for number in range(32))
    policy = parse_policy(text(*lines, f"group all-of-them 32 {everybody}", "quorum all-of-them"))
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 33)
    assert policy.met_by([f"w{number}" for number in range(32)])
    assert not policy.met_by([f"w{number}" for number in range(31)])
    with pytest.raises(PolicyError, match="1 MiB"):
        parse_policy(b"#" * 2**20 + b"\n" + QUORUM)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_octets_are_a_policy_or_refused(data: bytes) -> None:
    try:
        parse_policy(data)
    except PolicyError:
        pass


@given(at=st.integers(0, 600), octet=st.integers(0, 255))
def test_a_damaged_policy_is_refused_or_still_demands_no_less(at: int, octet: int) -> None:
    good = text(NORTH, EAST, "group g all north east", "quorum g")
    at %= len(good)
    try:
        policy = parse_policy(good[:at] + bytes([octet]) + good[at + 1 :])
    except PolicyError:
        return
    assert policy.quorum is not None
    assert not policy.met_by(["somebody"])
