"""Case 3 of the twenty: names that look alike. Exact by default; an option folds them."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.head import compile_head
from proxy.content.names import folded
from proxy.content.rules import Rules, compile_rules
from proxy.settings.schema import ContentPolicy, Limits
from tests.content.policies import sent

ALIKE = (
    "Email", "EMAIL", "eMail", "\uff45\uff4d\uff41\uff49\uff4c", "em\u00adail", "e\u200bmail",
    "\u24d4mail", "\u212fmail", "email\ufe0f", "\U000e0065email",
)  # fmt: skip
ACCENTED = unicodedata.normalize("NFD", "prénom"), unicodedata.normalize("NFC", "prénom")
OTHER = ("e-mail", "e_mail", "mail", "emails", "\u0435mail", "emai1")
"""One of them has a Cyrillic letter."""


def policy(*, fold: bool, **added: Any) -> Rules:
    masks = [{"path": path, "action": "redact"} for path in ("$.a.email", "$..prénom")]
    written = {"content": ["json", "ndjson"], "mask": masks, "fold_names": fold} | added
    scale = ("low", "high")
    return compile_rules(ContentPolicy.model_validate(written), Limits(), {}, "high", scale)


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("name", [*ALIKE, "\\u0045mail", "EMAI\\u004c"])
def test_case_3_names_are_exact_by_default_and_an_option_folds_case_and_width(
    name: str, form: str
) -> None:
    data = f'{{"A": {{"{name}": "x"}}, "a": {{"b": [1], "{name}": "y", "email": "z"}}}}'.encode()
    exact, _ = sent(policy(fold=False), form, [data])
    assert exact == data.replace(b'"z"', b'"[REDACTED]"')
    alike, report = sent(policy(fold=True), form, [data])
    expected = data
    for value in (b'"x"', b'"y"', b'"z"'):
        expected = expected.replace(value, b'"[REDACTED]"')
    assert alike == expected
    assert report.masked == {"$.a.email": 3}


@pytest.mark.parametrize("name", ACCENTED)
def test_case_3_an_accent_in_one_character_or_two_is_the_same_where_names_are_folded(
    name: str,
) -> None:
    data = f'{{"{name}": "x"}}'.encode()
    assert sent(policy(fold=True), "json", [data])[0] == data.replace(b'"x"', b'"[REDACTED]"')
    same = name == "prénom"
    assert (sent(policy(fold=False), "json", [data])[0] != data) is same


@pytest.mark.parametrize("name", OTHER)
def test_case_3_folding_makes_nothing_the_same_that_reads_differently(name: str) -> None:
    data = f'{{"a": {{"{name}": "x"}}}}'.encode()
    assert sent(policy(fold=True), "json", [data])[0] == data


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        ("csv", "id,EMAIL\n1,x\n", "id,EMAIL\n1,[REDACTED]\n"),
        ("form", "id=1&e%4DAIL=x", "id=1&e%4DAIL=%5BREDACTED%5D"),
    ],
)
def test_case_3_columns_and_pairs_are_folded_too(form: str, data: str, expected: str) -> None:
    masks = {"content": [form], "mask": [{"path": "$.email", "action": "redact"}]}
    assert sent(policy(fold=True, **masks), form, [data.encode()])[0] == expected.encode()


def test_case_3_query_parameters_are_folded_too() -> None:
    written = {"mask": [{"query": "email", "action": "drop"}], "fold_names": True}
    rules = ContentPolicy.model_validate(written).mask
    assert compile_head(rules, {}, fold=True).masked_query("a=1&EMAIL=x", {}) == "a=1"
    assert compile_head(rules, {}).masked_query("a=1&EMAIL=x", {}) == "a=1&EMAIL=x"


@given(st.text(max_size=20))
def test_a_folded_name_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(name.swapcase()) == folded(name) or not name.isascii()


@pytest.mark.parametrize("fold", [False, True])
def test_case_3_what_may_cross_is_folded_too(fold: bool) -> None:
    only = {"allow_only": ["$.email"], "mask": []}
    output, _ = sent(policy(fold=fold, **only), "json", [b'{"EMAIL":1,"b":2}'])
    assert output == (b'{"EMAIL":1}' if fold else b"{}")
