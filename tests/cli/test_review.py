"""The narrower policy, over policies and pasts of all kinds: nothing that crossed is lost by it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from proxy.cli.past import Body, Past
from proxy.cli.past_judge import PASSES, REFUSED, Candidate
from proxy.cli.review import narrowed
from proxy.cli.review_use import Uses, uses
from proxy.model import Certificate, Peer, Verdict
from proxy.settings.load import Loaded, load_octets
from proxy.settings.yaml12 import parse
from tests.receipt.outcomes import START
from tests.settings.example import changed, put

SCALE = ["public", "internal", "secret"]
NAMES = ["spiffe://acme/a", "spiffe://acme/b", "spiffe://acme/in/c"]
FORMATS = ["json", "csv", "text"]
ENTRY = st.builds(
    lambda name, keys, some: {"spiffe": name} | {key: keys[key] for key in some},
    st.sampled_from([*NAMES, "spiffe://acme/*", "spiffe://acme/**", NAMES[:2]]),
    st.fixed_dictionaries(
        {
            "cn": st.just("x"),
            "networks": st.just("10.0.0.0/8"),
            "paths": st.just("/orders/in/**"),
            "methods": st.sampled_from([["POST"], ["GET", "POST"]]),
            "content": st.sampled_from([["json"], ["csv", "json"]]),
            "label": st.sampled_from(SCALE),
            "size": st.sampled_from([1, 5000, "1MiB"]),
            "shadow": st.just(True),
        }
    ),
    st.lists(
        st.sampled_from(
            ["cn", "networks", "paths", "methods", "content", "label", "size", "shadow"]
        ),
        max_size=2,
    ),
)


def peer_of(name: str) -> Peer:
    return Peer(
        certificate=Certificate(
            b"", (), b"", bytes(32), "", "", 1, START, START, name, (name,), (), (), (), ()
        )
    )


BODY = st.builds(
    Body,
    st.just(False),
    st.sampled_from([*FORMATS, None]),
    st.none(),
    st.integers(0, 2**21),
    st.sampled_from([(), ("credit_card",)]),
)
PAST = st.builds(
    lambda number, name, method, body, verdict: Past(
        index=number,
        received=START + timedelta(seconds=number),
        completed=START,
        transfer_id="x",
        verdict=verdict,
        problem="not-allowed" if verdict is Verdict.REJECTED else None,
        policy=None,
        place=None,
        listener="in",
        route="orders",
        method=method,
        peer=peer_of(name),
        unknown=frozenset({"cn", "ou", "networks", "local"}),
        request=Body(empty=True, size=0) if method == "GET" else body,
        answer=None,
    ),
    st.integers(0, 99),
    st.sampled_from(NAMES),
    st.sampled_from(["GET", "POST", "PUT"]),
    BODY,
    st.sampled_from(list(Verdict)),
)


def configuration(allow: list[Any]) -> Loaded:
    flags = {"type": "credit_card", "action": "flag", "raises": "internal"}
    data = changed(
        put("routes.0.match.methods", ["GET", "POST", "PUT"]),
        put("routes.0.request", {"content": FORMATS, "label": "public", "detect": [flags]}),
        put("routes.0.allow", allow),
    )
    return load_octets(Path("gate.yaml"), json.dumps(data, indent=1).encode())


@settings(max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(st.lists(ENTRY, max_size=4), st.lists(PAST, max_size=6))
def test_what_crossed_crosses_and_what_was_refused_stays_so(
    allow: list[Any], pasts: list[Past]
) -> None:
    loaded = configuration(allow)
    wide = Candidate(loaded)
    text = narrowed(loaded, uses(wide, iter(pasts)))
    narrow = Candidate(load_octets(Path("gate.yaml"), text.encode()))
    for past in pasts:
        before, after = wide.judge(past), narrow.judge(past)
        if past.verdict is not Verdict.REJECTED and before.verdict != REFUSED:
            assert after.verdict != REFUSED
            known = past.request.empty or past.request.format is not None
            assert after.verdict == before.verdict or not known
        if before.verdict == REFUSED:
            assert after.verdict == REFUSED
        if after.verdict == PASSES:
            assert before.verdict == PASSES


def came(number: int) -> Past:
    return Past(
        index=number,
        received=START,
        completed=START,
        transfer_id="x",
        verdict=Verdict.DELIVERED,
        problem=None,
        policy=None,
        place=None,
        listener="in",
        route="orders",
        method="POST",
        peer=peer_of(f"spiffe://acme/{number}"),
        unknown=frozenset(),
        request=Body(format="json", size=1),
        answer=None,
    )


def named(loaded: Loaded, found: Uses) -> Any:
    """Whom the only entry of the narrower configuration names."""
    data: Any = parse(narrowed(loaded, found).encode(), "x").data
    (entry,) = data["routes"][0]["allow"]
    return entry["spiffe"]


@pytest.mark.parametrize(("peers", "entries"), [(64, 64), (65, 1)])
def test_of_more_peers_than_anybody_reads_the_pattern_stays(peers: int, entries: int) -> None:
    loaded = configuration([{"spiffe": "spiffe://acme/**"}])
    found = uses(Candidate(loaded), map(came, range(peers)))
    names = named(loaded, found)
    assert len([names] if isinstance(names, str) else names) == entries


def test_of_peers_that_were_not_all_counted_none_is_cut_off() -> None:
    loaded = configuration([{"spiffe": "spiffe://acme/**"}])
    found = uses(Candidate(loaded), iter([came(1)]))
    found.get("orders", 0).more_peers = True
    assert named(loaded, found) == "spiffe://acme/**"
