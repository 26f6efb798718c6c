"""Rules in shadow change no octet, and are counted where they would have acted."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from proxy.content.inspector import OpaqueInspector
from proxy.content.rules import Rules, compile_rules
from proxy.content.shadow import ShadowInspector
from proxy.settings.schema import ContentPolicy, Limits
from proxy.settings.yaml12 import parse
from tests.content.policies import KEYS, SCALE, compiled, sent
from tests.content.test_labels import BODIES, IBAN, SSN

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
PART = re.search(
    r"^```yaml\n(content: (?:(?!```).*\n)*)```\n\n"
    r"\| the content [^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)",
    PAGE,
    re.M,
)
assert PART is not None
WRITTEN: Any = parse(PART[1].encode(), "manual").data
ROWS = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", PART[2], re.M)
SHADOW = {"shadow": True}
REDACT = {"action": "redact"}
FORMATS = {"json": "$.ssn", "ndjson": "$.ssn", "csv": "$.ssn", "form": "$.ssn"}


def rules(**policy: Any) -> Rules:
    return compiled(policy={"content": ["json"]} | policy)


def counted(found: Rules, body: bytes, form: str = "json") -> dict[str, int]:
    """What rules in shadow would have done; the body crosses as it came."""
    output, report = sent(found, form, [body])
    assert output == body
    return dict(report.shadow)


def test_every_row_of_the_manual_is_read() -> None:
    assert len(ROWS) == PART[2].count("\n") == 3  # type: ignore[index]


@pytest.mark.parametrize(("content", "crosses", "noted"), ROWS)
def test_what_the_manual_says_of_rules_in_shadow_holds(
    content: str, crosses: str, noted: str
) -> None:
    policy = ContentPolicy.model_validate(WRITTEN)
    found = compile_rules(policy, Limits(), KEYS, SCALE[-1], SCALE)
    output, report = sent(found, "json", [content.encode()])
    assert output.decode() == crosses
    counts = [f"{rule}: {number}" for rule, number in report.shadow.items()]
    assert counts == ([noted] if noted != "·" else [])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("step", [1, 10_000])
def test_in_every_format_the_octets_are_those_without_them(form: str, step: int) -> None:
    force: dict[str, Any] = {"detect": [{"type": "iban", "action": "redact"}]}
    shaded = {
        "mask": [{"path": FORMATS[form]} | REDACT | SHADOW],
        "detect": [*force["detect"], {"type": "us_ssn", "action": "reject"} | SHADOW],
    }
    body = BODIES[form][0] % (IBAN.encode(), SSN.encode())
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    output, report = sent(rules(content=[form], **shaded), form, pieces)
    expected, plain = sent(rules(content=[form], **force), form, pieces)
    assert (output, report.findings, report.masked) == (expected, plain.findings, plain.masked)
    assert report.shadow == {"mask[0]": 1}


def test_in_text_they_are_counted_too() -> None:
    found = rules(content=["text"], detect=[{"type": "us_ssn", "action": "redact"} | SHADOW])
    assert counted(found, b"ssn %b\n" % SSN.encode(), "text") == {"detect[0]": 1}


def test_what_would_reject_is_counted_to_the_end_and_rejects_nothing() -> None:
    found = rules(detect=[{"type": "us_ssn", "action": "reject"} | SHADOW])
    body = b'[{"ssn":"%b"},{"ssn":"%b"}]' % (SSN.encode(), SSN.encode())
    assert counted(found, body) == {"detect[0]": 2}


def test_what_would_raise_the_label_raises_nothing() -> None:
    found = rules(detect=[{"type": "us_ssn", "action": "flag"} | SHADOW])
    assert sent(found, "json", [b'{"ssn":"%b"}' % SSN.encode()])[1].label is None
    assert found.raises == frozenset()


def test_a_rule_in_shadow_before_one_in_force_takes_nothing_from_it() -> None:
    found = rules(mask=[{"path": "$.a"} | REDACT | SHADOW, {"path": "$.a.b"} | REDACT])
    output, report = sent(found, "json", [b'{"a":{"b":"x"}}'])
    assert output == b'{"a":{"b":"[REDACTED]"}}'
    assert report.shadow == {"mask[0]": 1}


def test_a_type_is_counted_for_the_rule_that_would_decide_of_it() -> None:
    detect = [
        {"type": "default", "action": "redact"} | SHADOW,
        {"type": "us_ssn", "action": "reject"} | SHADOW,
    ]
    found = rules(detect=detect, mask=[{"type": "us_ssn"} | REDACT | SHADOW])
    body = b'{"ssn":"%b","n":"%b"}' % (SSN.encode(), IBAN.encode())
    assert counted(found, body) == {"mask[0]": 1, "detect[1]": 1, "detect[0]": 1}


def test_where_the_second_policy_cannot_go_on_the_first_does() -> None:
    found = rules(mask=[{"path": "$.a"} | REDACT | SHADOW], content=["ndjson"])
    assert found.shadow is not None
    second = found.shadow.open("ndjson", (), frozenset())
    inspector = ShadowInspector(OpaqueInspector(), second, found.shadow)
    output = [inspector.feed(piece) for piece in (b'{"a":1}\n', b"{\n", b'{"a":1}\n')]
    assert b"".join([*output, inspector.finish()]) == b'{"a":1}\n{\n{"a":1}\n'
    assert inspector.report().shadow == {"mask[0]": 1}


def test_fields_and_parameters_are_counted_and_stay() -> None:
    mask = [
        {"header": "X-User"} | REDACT | SHADOW,
        {"header": "X-Team"} | REDACT,
        {"header": "X-Team"} | REDACT | SHADOW,
        {"query": "email"} | REDACT | SHADOW,
    ]
    found = rules(mask=mask)
    assert found.shadow is not None
    assert set(found.head.headers) == {b"x-team"}
    assert not found.head.query
    fields = [(b"x-user", b"a"), (b"x-user", b"b"), (b"x-team", b"c"), (b"x-other", b"d")]
    assert found.shadow.beside(fields, "email=a&email=b&id=1") == {"mask[0]": 2, "mask[3]": 2}
    assert found.shadow.beside([], "email=%zz") == {"mask[3]": 1}


def test_coded_content_is_looked_into_decoded() -> None:
    found = rules(codings=["gzip"], mask=[{"path": "$.a"} | REDACT | SHADOW])
    inspector = found.open("json", ("gzip",))
    output = inspector.feed(gzip.compress(b'{"a":1}')) + inspector.finish()
    assert gzip.decompress(output) == b'{"a":1}'
    assert inspector.report().shadow == {"mask[0]": 1}


def test_without_any_nothing_is_gone_through_twice() -> None:
    assert rules(mask=[{"path": "$.a"} | REDACT]).shadow is None


def test_only_rules_in_force_hide_anything() -> None:
    shaded = {
        "mask": [{"path": "$.a"} | REDACT | SHADOW],
        "detect": [{"type": "iban", "action": "redact"} | SHADOW],
    }
    assert not ContentPolicy.model_validate({"content": ["json"]} | shaded).hides
