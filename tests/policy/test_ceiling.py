"""Which labels a grant would refuse is said before they are learnt, exactly."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from tests.policy.test_authorize import ETL, SCALE, asked, grants

KEYS = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(SCALE),
        "size": st.sampled_from([10, 20]),
        "content": st.sampled_from([["json"], ["csv"]]),
    },
)


@given(
    st.lists(KEYS, min_size=1, max_size=3),
    st.lists(KEYS.filter(bool), max_size=2),
    st.sampled_from([{}, {"content": "json"}, {"content": "json", "size": 15}]),
    st.sampled_from(SCALE),
)
def test_a_grant_refuses_a_label_where_learning_it_would_end_it(
    allow: list[dict[str, Any]], deny: list[dict[str, Any]], known: dict[str, Any], label: str
) -> None:
    entries = grants([{"spiffe": ETL} | keys for keys in allow], deny)
    try:
        granted = entries.judge(asked())
        granted.learn(**known)
    except Refusal:
        return
    said = granted.refuses(label)
    try:
        granted.learn(label=label)
    except Refusal:
        assert said
    else:
        assert not said
