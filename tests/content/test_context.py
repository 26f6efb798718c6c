"""Every type as a route finds it: in JSON under a key that says what it is, and not without one."""

import json
from collections.abc import Iterator

import pytest

from proxy.content.kinds import Kind, Likelihood
from proxy.content.registry import KINDS
from tests.content.policies import compiled, sent
from tests.content.samples import NUMBERS
from tests.content.samples_secret import SECRETS

SAMPLES = NUMBERS | SECRETS


def likeliest(name: str, text: str) -> Likelihood | None:
    """What a string is taken for where nothing else speaks for it; None: for nothing."""
    octets = text.encode()
    return max((found[2] for kind in KINDS[name] for found in kind.find(octets)), default=None)


def spelt(words: str) -> Iterator[str]:
    """Ways in which a key says some words."""
    yield words
    yield words.replace(" ", "_").upper()
    if words.isascii():
        yield "the" + words.title().replace(" ", "")


ROWS = [kind for rows in KINDS.values() for kind in rows if kind.context]


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_under_any_of_its_words_as_a_key_a_sample_is_found(kind: Kind) -> None:
    rules = compiled({}, {kind.name: "redact"})
    sample = next(text for text in SAMPLES[kind.name].found if list(kind.find(text.encode())))
    for words in sorted(kind.context):
        for key in spelt(words):
            document = json.dumps({key: {"value": [sample]}})
            output, report = sent(rules, "json", [document.encode()])
            assert report.findings == {kind.name: 1}, key
            assert json.loads(output) == {key: {"value": [f"[REDACTED:{kind.name}]"]}}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_without_a_word_only_what_is_likely_is_found_and_with_one_all_of_it(name: str) -> None:
    rules = compiled({}, {name: "redact"})
    context = next((sorted(kind.context)[0] for kind in KINDS[name] if kind.context), None)
    for text in SAMPLES[name].found:
        alone = sent(rules, "json", [json.dumps({"value": text}).encode()])[1].findings
        likely = (likeliest(name, text) or 0) >= Likelihood.LIKELY
        assert alone == ({name: 1} if likely else {}), text
        if context is not None:
            near = json.dumps({"value": f"{context}: {text}"}).encode()
            assert sent(rules, "json", [near])[1].findings == {name: 1}, text


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_near_miss_is_none_whatever_the_words_around_it(name: str) -> None:
    rules = compiled({}, {name: "redact"})
    words = {word for kind in KINDS[name] for word in kind.context} or {"value"}
    for text in SAMPLES[name].near:
        document = json.dumps({min(words): text}).encode()
        assert sent(rules, "json", [document])[1].findings == {}, text
