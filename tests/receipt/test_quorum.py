"""What is demanded of a checkpoint: keys, a policy's quorum, algorithms; and which one is taken."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.policy import Group, Policy, parse_policy
from proxy.receipt.quorum import CHECKPOINT, WITNESSED, find_checkpoint, require_quorum
from proxy.receipt.vkey import ed25519_vkey
from tests.receipt.witnesses import (
    ED,
    ED_WITNESSES,
    LOG,
    MLDSA,
    VKEYS,
    by_log,
    by_witnesses,
    cosigned,
    head,
    policy_text,
)

ANY, ALL = "group g any north east south", "group g all north east south"
TWO, NESTED = "group g 2 north east south", "group h any north east\ngroup g all h south pole"


def policy(group: str, quorum: str = "g") -> Policy:
    return parse_policy(policy_text(*group.split("\n"), f"quorum {quorum}"))


def subsets(names: list[str]) -> list[tuple[str, ...]]:
    return [found for size in range(len(names) + 1) for found in combinations(names, size)]


@pytest.mark.parametrize(
    ("group", "enough"),
    [
        (ANY, lambda who: bool(who & {"north", "east", "south"})),
        (ALL, lambda who: who >= {"north", "east", "south"}),
        (TWO, lambda who: len(who & {"north", "east", "south"}) >= 2),
        (NESTED, lambda who: who >= {"south", "pole"} and bool(who & {"north", "east"})),
    ],
    ids=["any", "all", "two", "nested"],
)
def test_a_quorum_is_met_by_these_witnesses_and_by_no_others(group: str, enough: object) -> None:
    demanded = policy(group)
    assert callable(enough)
    for who in subsets(list(VKEYS)):
        checkpoint = cosigned(who)
        if enough(set(who)):
            assert require_quorum(checkpoint, demanded) == head()
        else:
            with pytest.raises(EvidenceError, match="quorum is not met: cosigned by"):
                require_quorum(checkpoint, demanded)


def test_a_single_witness_may_be_the_quorum_and_none_demands_nobody() -> None:
    assert require_quorum(cosigned(["west"]), policy("", "west")) == head()
    with pytest.raises(EvidenceError, match="cosigned by nobody"):
        require_quorum(cosigned(), policy("", "west"))
    assert require_quorum(cosigned(), policy("", "none")) == head()


@given(st.data())
def test_more_cosignatures_never_break_a_quorum(data: st.DataObject) -> None:
    """Whatever the groups are: a policy is monotone."""
    names = [f"w{number}" for number in range(data.draw(st.integers(1, 6)))]
    free, groups = list(names), {}
    for number in range(data.draw(st.integers(0, 4))):
        if not free:
            break
        members = data.draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        groups[f"g{number}"] = Group(data.draw(st.integers(1, len(members))), tuple(members))
        free = [name for name in free if name not in members] + [f"g{number}"]
    found = Policy((), (), groups, data.draw(st.sampled_from(free)))
    some = set(data.draw(st.lists(st.sampled_from(names))))
    more = some | set(data.draw(st.lists(st.sampled_from(names))))
    assert found.met_by(names)
    assert not found.met_by([])
    assert found.met_by(more) or not found.met_by(some)


def test_the_log_must_have_signed_under_its_own_name() -> None:
    found = head()
    only_witnesses = note.render(found.text, by_witnesses(found, VKEYS))
    with pytest.raises(EvidenceError, match="no key that was given for the log"):
        require_quorum(only_witnesses, policy(ANY))
    other = head(origin="other.example/log")
    signatures = [note.sign(other.text, ED.name, LOG), *by_witnesses(other, VKEYS)]
    with pytest.raises(EvidenceError, match=r"no key that was given for the log other\.example"):
        require_quorum(note.render(other.text, signatures), policy(ANY))


def test_a_policy_without_logs_needs_the_log_from_elsewhere() -> None:
    alone = parse_policy(policy_text(ANY, "quorum g", logs=False))
    with pytest.raises(EvidenceError, match="no key that was given"):
        require_quorum(cosigned(["north"]), alone)
    assert require_quorum(cosigned(["north"]), alone, vkeys=[ED]) == head()


def test_every_vkey_is_demanded_beside_the_policy() -> None:
    stranger = ed25519_vkey("stranger.example", ED_WITNESSES["west"])
    with pytest.raises(EvidenceError, match="no signature by stranger"):
        require_quorum(cosigned(["north"]), policy(ANY), vkeys=[ED, stranger])
    assert require_quorum(cosigned(["north"]), policy(ANY), vkeys=[ED, VKEYS["north"]]) == head()
    with pytest.raises(EvidenceError, match="no signature by north"):
        require_quorum(cosigned(["east"]), policy(ANY), vkeys=[ED, VKEYS["north"]])


def test_nothing_is_believed_when_nobody_is_named() -> None:
    with pytest.raises(EvidenceError, match="no key was given"):
        require_quorum(cosigned(VKEYS), None)
    with pytest.raises(EvidenceError, match="no key that was given"):
        require_quorum(cosigned(VKEYS), None, vkeys=[VKEYS["north"]])


def test_a_post_quantum_signature_that_is_demanded_cannot_be_stripped() -> None:
    whole, stripped, none = cosigned(), cosigned(pq=False), policy("", "none")
    assert require_quorum(stripped, none) == head()
    for known in ([ED, MLDSA], []):
        assert require_quorum(whole, none, vkeys=known, require=["ml-dsa-44", "ed25519"]) == head()
        with pytest.raises(EvidenceError, match=r"ml-dsa-44|no signature by"):
            require_quorum(stripped, none, vkeys=known, require=["ml-dsa-44"])


def test_an_algorithm_counts_only_with_a_key_that_was_given() -> None:
    with pytest.raises(EvidenceError, match="did not sign it with ml-dsa-44"):
        require_quorum(cosigned(), None, vkeys=[ED], require=["ml-dsa-44"])
    with pytest.raises(EvidenceError, match="did not sign it with ed25519"):
        require_quorum(cosigned(), None, vkeys=[MLDSA], require=["ed25519"])


def test_a_witness_with_a_post_quantum_key_does_not_stand_in_for_the_log() -> None:
    with pytest.raises(EvidenceError, match="did not sign it with ml-dsa-44"):
        require_quorum(cosigned(["pole"], pq=False), policy("", "pole"), require=["ml-dsa-44"])


def test_a_cosignature_that_fails_rejects_the_checkpoint_though_the_quorum_is_met_without() -> None:
    found = head()
    forged = note.Signature(VKEYS["west"].name, VKEYS["west"].key_id, bytes(72))
    signatures = [*by_log(found), *by_witnesses(found, ["north"]), forged]
    with pytest.raises(EvidenceError, match=r"west.* does not verify"):
        require_quorum(note.render(found.text, signatures), policy(ANY))


def test_a_cosignature_on_another_tree_counts_for_nothing() -> None:
    found, other = head(7), head(8)
    signatures = [*by_log(found), *by_witnesses(other, ["north"])]
    with pytest.raises(EvidenceError):
        require_quorum(note.render(found.text, signatures), policy(ANY))


# --- which checkpoint of a log -------------------------------------------------------------------


def test_the_latest_checkpoint_is_taken_that_meets_the_demands_and_holds_the_entry() -> None:
    latest, witnessed = cosigned(size=9), cosigned(["north"], size=7)
    files = {CHECKPOINT: latest, WITNESSED: witnessed}
    demanded = policy(ANY)
    assert find_checkpoint(files.get, demanded, holding=7) == witnessed
    with pytest.raises(EvidenceError, match="quorum is not met"):
        find_checkpoint(files.get, demanded, holding=8)
    assert find_checkpoint(files.get, vkeys=[ED], holding=8) == latest
    assert find_checkpoint(files.get, holding=7) == witnessed
    assert find_checkpoint(files.get, holding=9) == latest
    with pytest.raises(EvidenceError, match="checkpoint: holds 9 entries, not 10 yet"):
        find_checkpoint(files.get, holding=10)
    assert find_checkpoint({CHECKPOINT: witnessed}.get, demanded) == witnessed
    for empty in ({}, {WITNESSED: latest}):
        with pytest.raises(EvidenceError, match="checkpoint"):
            find_checkpoint(empty.get, demanded)


def test_a_witnessed_checkpoint_that_does_not_parse_is_not_taken() -> None:
    files = {CHECKPOINT: cosigned(), WITNESSED: b"nonsense"}
    assert find_checkpoint(files.get) == files[CHECKPOINT]
    with pytest.raises(EvidenceError):
        find_checkpoint(files.get, policy(ANY))
