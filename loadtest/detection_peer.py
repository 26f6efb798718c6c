"""Presidio's pattern recognizers over the labelled texts, in an environment of their own.

    python detection_peer.py DATA THRESHOLD    ->    JSON: entity -> text -> [[start, end], …]

No model is loaded: words come from a blank pipeline, in lower case for the search for context.
Imports nothing of Lockgate.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_MODULES: Final = (
    "spacy",
    "presidio_analyzer",
    "presidio_analyzer.nlp_engine",
    "tldextract.tldextract",
)


def main() -> None:
    data, threshold = Path(sys.argv[1]), float(sys.argv[2])
    analyzer, entities = _analyzer()
    found: dict[str, list[list[list[int]]]] = {entity: [] for entity in entities}
    for sample in json.loads(data.read_text("utf-8")):
        results = analyzer.analyze(
            sample["full_text"], language="en", entities=entities, score_threshold=threshold
        )
        for entity in entities:
            spans = [[r.start, r.end] for r in results if r.entity_type == entity]
            found[entity].append(spans)
    json.dump(found, sys.stdout)


def _analyzer() -> tuple[Any, list[str]]:
    modules: list[Any] = [import_module(name) for name in _MODULES]
    spacy, presidio, engines, tldextract = modules
    # The list of public suffixes that comes with it: nothing is fetched.
    tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    base: Any = engines.NlpEngine

    class Blank(base):  # type: ignore[misc]
        """Words and nothing else."""

        def __init__(self) -> None:
            self._words = spacy.blank("en")

        def load(self) -> None: ...

        def is_loaded(self) -> bool:
            return True

        def get_supported_entities(self) -> list[str]:
            return []

        def get_supported_languages(self) -> list[str]:
            return ["en"]

        def is_stopword(self, word: str, language: str) -> bool:
            return bool(self._words.vocab[word].is_stop)

        def is_punct(self, word: str, language: str) -> bool:
            return bool(self._words.vocab[word].is_punct)

        def process_batch(self, texts: Any, language: str, **_: Any) -> Any:
            return ((text, self.process_text(text, language)) for text in texts)

        def process_text(self, text: str, language: str) -> Any:
            words = self._words(text)
            return engines.NlpArtifacts(
                entities=[],
                tokens=words,
                tokens_indices=[word.idx for word in words],
                lemmas=[word.lower_ for word in words],
                nlp_engine=self,
                language=language,
            )

    known = presidio.predefined_recognizers
    recognizers = {
        "CREDIT_CARD": known.CreditCardRecognizer(),
        "IBAN_CODE": known.IbanRecognizer(),
        "US_SSN": known.UsSsnRecognizer(),
        "EMAIL_ADDRESS": known.EmailRecognizer(),
        "PHONE_NUMBER": known.PhoneRecognizer(),
        "IP_ADDRESS": known.IpRecognizer(),
        "US_DRIVER_LICENSE": known.UsLicenseRecognizer(),
    }
    registry = presidio.RecognizerRegistry(recognizers=list(recognizers.values()))
    engine = presidio.AnalyzerEngine(
        registry=registry, nlp_engine=Blank(), supported_languages=["en"]
    )
    return engine, list(recognizers)


if __name__ == "__main__":
    main()
