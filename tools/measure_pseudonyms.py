"""What placeholders take of the processor, and of labelled documents how many are clean once they are replaced.

    python tools/measure_pseudonyms.py [FILE.jsonl.gz…]

prints microseconds for a prompt of one kilobyte with five values and for an event of a stream; and of each file's
documents in which something was found how many could be replaced with nothing left that would have to be.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from twintrack.config.settings import PSEUDONYMS
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.grade import Grade, grade, ladder
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.pseudonyms import Pseudonymised, Texts, pseudonymise, remaining, replaceable
from twintrack.signals.sensitivity.replaced import Impossible
from twintrack.signals.sensitivity.whole import read
from twintrack.wire.placeholders import Placeholders
from twintrack.wire.restored import RestoredStream

_WANTED = frozenset((*PSEUDONYMS, "phi"))
_NAMING = Naming(b"measured", "", "")
_LADDER = ladder()
_FILLING = "The quick brown fox explains how the quarterly report was written and what has to change before Friday. "
_VALUES = (
    "Write to bob.baker@firma-bau.de and anna@firma-bau.de, card 4111 1111 1111 1111, "
    "IBAN DE89 3704 0044 0532 0130 00, my phone number is +49 30 901820. "
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    detector = Detector()
    _time(detector)
    for file in parser.parse_args().files:
        with gzip.open(file) as lines:
            outcomes = Counter(_outcome(detector, json.loads(line)["text"]) for line in lines)
        print(
            f"{file.name.partition('.')[0]}: {', '.join(f'{what} {count}' for what, count in outcomes.most_common())}"
        )


def _time(detector: Detector) -> None:
    body = _prompt((_VALUES + _FILLING * 9)[:1024])
    texts, graded = _read(detector, body)
    found = replaceable(graded, texts, _WANTED)
    made = pseudonymise(body, texts, found, _NAMING)
    known = Placeholders(made.values)
    pieces = [f" {word}" for word in _FILLING.split()] + [
        name[at : at + 5] for name in made.values for at in (0, 5, 10)
    ]
    events = [_chunk(piece) for piece in pieces]

    def stream() -> None:
        restored = RestoredStream("openai", known, json_texts=False)
        for event in events:
            restored.feed(event)
        restored.close()

    print(f"replacing {made.replaced} values in 1 KB: {_us(lambda: pseudonymise(body, texts, found, _NAMING)):.0f} µs")
    print(f"reading what is left: {_us(lambda: _read(detector, made.body), 200):.0f} µs")
    print(f"making ready to restore: {_us(lambda: Placeholders(made.values)):.0f} µs")
    print(f"an event of a stream: {_us(stream, 200) / len(events):.1f} µs")


def _us(work: Callable[[], object], times: int = 1000) -> float:
    """Processor time of one, the best of five rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time_ns()
        for _ in range(times // 5):
            work()
        rounds.append((time.process_time_ns() - began) / (times // 5) / 1000)
    return min(rounds)


def _outcome(detector: Detector, text: str) -> str:
    body = _prompt(text)
    texts, before = _read(detector, body)
    found = replaceable(before, texts, _WANTED)
    if not found:
        return "nothing to replace"
    try:
        made: Pseudonymised = pseudonymise(body, texts, found, _NAMING)
        after_texts, after = _read(detector, made.body)
        remaining(before, after, after_texts, _WANTED, _LADDER)
    except Impossible as error:
        return f"not replaced ({error})"
    return "clean"


def _prompt(text: str) -> bytes:
    return msgspec.json.encode({"model": "auto", "messages": [{"role": "user", "content": text}]})


def _chunk(piece: str) -> bytes:
    choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
    return (
        b"data: " + msgspec.json.encode({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"
    )


def _read(detector: Detector, body: bytes) -> tuple[Texts, Grade]:
    texts, verdicts = read(detector, body)
    return texts, grade(verdicts, _LADDER)


if __name__ == "__main__":
    main()
