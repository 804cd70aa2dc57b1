"""Findings of Presidio's pattern recognisers on labelled documents, for `measure_sensitivity.py --against`.

Needs its own environment: pip install presidio-analyzer==2.2.366. No language model is used, so neither names nor
places are looked for; what is left are the recognisers that its default registry loads for English. Web addresses and
dates are left out: they stand in most texts and are sensitive in none of the sets.

    python tools/presidio_patterns.py FILE.jsonl.gz… > findings.json
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from pathlib import Path

import presidio_analyzer.predefined_recognizers as predefined
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # no look-up outside
tldextract.tldextract.TLD_EXTRACTOR = tldextract.extract

NAMES = (
    "CreditCard", "Crypto", "Email", "Iban", "Ip", "MacAddress", "Phone", "UsBank", "UsItin", "UsLicense",
    "UsPassport", "UsSsn", "UkNino", "Nhs", "MedicalLicense", "UsNpi", "UsMbi",
)  # fmt: skip


class _Token(str):
    __slots__ = ("is_punct", "is_stop", "lemma_", "text")

    def __init__(self, text: str) -> None:
        self.text, self.lemma_, self.is_stop, self.is_punct = text, text.lower(), False, False


class _Words(NlpEngine):
    """Cuts at blanks: enough for words nearby."""

    def load(self): ...

    def is_loaded(self):
        return True

    def process_text(self, text, language):
        found = list(re.finditer(r"\S+", text))
        words = [one[0] for one in found]
        return NlpArtifacts(
            entities=[], tokens=[_Token(word) for word in words], tokens_indices=[one.start() for one in found],
            lemmas=[word.lower() for word in words], nlp_engine=self, language=language,
        )  # fmt: skip

    def process_batch(self, texts, language, **_):
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word, language):
        return False

    def is_punct(self, word, language):
        return False

    def get_supported_entities(self):
        return []

    def get_supported_languages(self):
        return ["en"]


def main(files: list[str]) -> None:
    recognisers = [getattr(predefined, f"{name}Recognizer")() for name in NAMES]
    registry = RecognizerRegistry(recognizers=recognisers, supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=_Words(), supported_languages=["en"])
    spent, size, found = 0.0, 0, {}
    for file in files:
        for line in gzip.decompress(Path(file).read_bytes()).splitlines():
            document = json.loads(line)
            before = time.process_time()
            results = engine.analyze(document["text"], language="en")
            spent += time.process_time() - before
            size += len(document["text"].encode())
            found[document["id"]] = [[one.start, one.end, one.score] for one in results]
    json.dump({"findings": found, "cpu_ms_per_kb": spent * 1e6 / size * 1.024}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
