"""What is said of content without effect is warned of, and what cannot be meant is refused."""

from pathlib import Path
from typing import Any

import pytest

from proxy.app.lint import findings
from tests.settings.example import changed, loaded, mistakes, put

JSON: dict[str, Any] = {"content": ["json"], "label": "public"}
OWN = {"pattern": "E[0-9]{6}", "likelihood": "possible"}


def warned(folder: Path, policy: dict[str, Any], own: dict[str, Any]) -> list[tuple[str, str]]:
    types = {"staff_id": own}
    change = (put("routes.0.request", {**JSON, **policy}), put("keys", {}), put("detectors", types))
    found = findings(loaded(folder, *change))
    others = ("detectors.staff_id", "upstreams.out", "routes")
    return [(each.path, each.message) for each in found if each.path not in others]


@pytest.mark.parametrize(
    ("policy", "place", "words"),
    [
        ({"csv": {"delimiter": ";"}}, "csv", "does not admit csv"),
        ({"tsv": {"header": False}}, "tsv", "does not admit tsv"),
        ({"decode": ["json"]}, "decode", "nothing is searched for"),
        ({"likelihood": "possible"}, "likelihood", "nothing is searched for"),
        (
            {"on_violation": "redact", "detect": [{"type": "iban", "action": "redact"}]},
            "on_violation",
            "no finding raises the label",
        ),
        (
            {"mask": [{"path": "$.a", "action": "redact"}, {"path": "$.a", "action": "drop"}]},
            "mask[1]",
            "never matches: mask[0] takes all",
        ),
        (
            {"detect": [{"type": "iban", "action": action} for action in ("flag", "reject")]},
            "detect[1]",
            "rules that win over it speak of all its types",
        ),
        (
            {"detect": [{"type": "staff_id", "action": "reject"}]},
            "detect[0].type",
            "is never found: less likely than",
        ),
        (
            {"mask": [{"type": "staff_id", "action": "redact"}]},
            "mask[0].type",
            "is never found: less likely than",
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(
    tmp_path: Path, policy: dict[str, Any], place: str, words: str
) -> None:
    ((path, message),) = warned(tmp_path, policy, OWN)
    assert path == f"routes[0].request.{place}"
    assert words in message


@pytest.mark.parametrize("likely", [{"context": ["staff"]}, {"likelihood": "likely"}])
def test_a_type_that_can_be_found_is_not_warned_of(tmp_path: Path, likely: dict[str, Any]) -> None:
    rule = {"type": "staff_id", "action": "reject"}
    assert warned(tmp_path, {"detect": [rule], "decode": ["json"]}, {**OWN, **likely}) == []
    assert warned(tmp_path, {"detect": [rule], "likelihood": "possible"}, OWN) == []


@pytest.mark.parametrize(
    ("policy", "place", "words"),
    [
        ({"allow_only": []}, "allow_only", "needs at least one entry"),
        ({"allow_only": ["$.a", "b"]}, "allow_only[1]", "expected a JSONPath"),
        ({"allow_only": ["$[?@.a]"]}, "allow_only[0]", "filters and functions are refused"),
        (
            {"mask": [{"path": "$.card-number", "action": "redact"}]},
            "mask[0].path",
            "$['card number']",
        ),
        ({"mask": [{"path": "$", "action": "drop"}]}, "mask[0].action", "cannot be dropped"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(
    tmp_path: Path, policy: dict[str, Any], place: str, words: str
) -> None:
    found = mistakes(
        tmp_path, changed(put("routes.0.request", {**JSON, **policy}), put("keys", {}))
    )
    ((path, message),) = found
    assert path == f"routes[0].request.{place}"
    assert words in message


@pytest.mark.parametrize("text", [" ", "42", "_-."])
def test_context_without_a_letter_is_refused(tmp_path: Path, text: str) -> None:
    types = {"staff_id": {"pattern": "E[0-9]", "context": ["staff", text]}}
    ((path, message),) = mistakes(tmp_path, changed(put("detectors", types)))
    assert path == "detectors.staff_id.context[1]"
    assert "only words are context" in message
