"""What the detectors find in labelled documents and what they find that is not there.

    python tools/measure_sensitivity.py FILE.jsonl.gz… [--against findings.json] [--calibrate] [--start]

prints a table by set, each whole and in two halves: rules were written with the first half in sight and not the second
(by hash of the id, of the template where a set has few). --against compares with another detector's findings, at each
threshold where its own false positives are at most 5 %. --calibrate prints the scores of `rules/calibration.toml`.
--start prints what it takes to make a detector, and needs no files.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.grade import ladder
from twintrack.signals.sensitivity.measure import (
    Document,
    Judged,
    Rate,
    cpu_ms_per_kb,
    judged,
    rate,
    rates,
    sensitive_spans,
)

_FEW_TEMPLATES = "gateway"
_MOST_FALSE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--start", action="store_true")
    args = parser.parse_args()
    if args.start:
        start()
    if not args.files:
        return
    detector, by = Detector(), ladder()
    seen: dict[str, list[tuple[int, Judged]]] = {}
    for file in args.files:
        name = file.name.partition(".")[0]
        seen[name] = [(half, judged(detector, by, document)) for half, document in documents(file)]
    for name, all_of_it in seen.items():
        for title, part in (
            ("all", [one for _, one in all_of_it]),
            ("in sight", [one for half, one in all_of_it if half == 0]),
            ("held out", [one for half, one in all_of_it if half == 1]),
        ):
            of = rates(part)
            print(
                f"{name:34} {title:9} found {said(of.found)}  right span {said(of.found_right_span)}  "
                f"spans {said(of.spans_found)}  false {said(of.false_positives)}"
            )
    everything = [one for part in seen.values() for _, one in part]
    if any("meddocan" in name for name in seen):
        without_spans(detector, by, [one.document for name in seen if "meddocan" in name for _, one in seen[name]])
    cpu = cpu_ms_per_kb(detector, [one.document.text for one in everything])
    print(f"CPU ms/KB: p50 {cpu.p50:.3f}, p99 {cpu.p99:.3f} of {cpu.n} kilobytes")
    if args.against:
        against(everything, json.loads(args.against.read_text()))
    if args.calibrate:
        calibrate(everything)


def start() -> None:
    """CPU time to make a detector, without compiled words and with them, and what they take."""
    with tempfile.TemporaryDirectory() as folder:
        for title in ("with nothing compiled", "with compiled words"):
            before = time.process_time()
            Detector(cache=Path(folder))
            print(f"made {title}: {time.process_time() - before:.2f} s of CPU")
        compiled = list(Path(folder).iterdir())
        print(
            f"compiled words: {sum(each.stat().st_size for each in compiled) / 2**20:.1f} MiB in {len(compiled)} files"
        )


def documents(file: Path):
    for line in gzip.decompress(file.read_bytes()).splitlines():
        document = msgspec.json.decode(line, type=Document)
        key = str(json.loads(line).get("template")) if _FEW_TEMPLATES in file.name else document.id
        yield hashlib.sha256(key.encode()).digest()[0] % 2, document


def said(of: Rate) -> str:
    return "-" if of.rate is None else f"{of.rate:.3f} [{of.low:.3f}, {of.high:.3f}] n={of.n}"


def without_spans(detector: Detector, by, clinical: list[Document]) -> None:
    """Clinical cases with all that identifies somebody taken out: words of care alone make no patient."""
    still = 0
    for document in clinical:
        text = document.text
        for span in sorted(document.spans, key=lambda one: -one.start):
            text = text[: span.start] + text[span.end :]
        still += "phi" in judged(detector, by, Document(text)).grade.categories
    print(f"still called phi once all spans are taken out: {said(rate(still, len(clinical)))}")


def against(everything: list[Judged], other: dict) -> None:
    """Right spans found in the sets that others made, by us and by the other detector."""
    findings = other["findings"]
    ours = [one for one in everything if one.document.id in findings]
    negatives = [one for one in ours if one.document.neg_kind]
    outside = [one for one in ours if one.spans_found and not one.document.source.startswith("gateway")]
    print(f"ours: right span {said(rate(sum(any(one.spans_found) for one in outside), len(outside)))}, "
          f"false {said(rate(sum(one.grade.sensitive for one in negatives), len(negatives)))}")  # fmt: skip
    print(f"the other's CPU ms/KB: {other['cpu_ms_per_kb']:.2f}")
    for threshold in sorted({found[2] for one in ours for found in findings[one.document.id]}):
        false = sum(any(score >= threshold for *_, score in findings[one.document.id]) for one in negatives)
        hits = sum(
            any(
                score >= threshold and start < span.end and end > span.start
                for start, end, score in findings[one.document.id]
                for span in sensitive_spans(one.document)
            )
            for one in outside
        )
        counts = false <= _MOST_FALSE * len(negatives)
        print(f"the other at {threshold:.2f}: right span {said(rate(hits, len(outside)))}, "
              f"false {said(rate(false, len(negatives)))}{'  counts' if counts else ''}")  # fmt: skip


def calibrate(everything: list[Judged]) -> None:
    """(right + 1) / (all + 2) by category and evidence; right: on a labelled span, false: in a harmless document."""
    right: Counter[tuple[str, str]] = Counter()
    whole: Counter[tuple[str, str]] = Counter()
    for one in everything:
        if not (one.harmless or one.document.spans):
            continue
        for found in one.grade.findings:
            key = (found.category, found.evidence)
            on_label = any(found.start < span.end and found.end > span.start for span in one.document.spans)
            whole[key] += 1
            right[key] += on_label
    for (category, evidence), count in sorted(whole.items()):
        hits = right[category, evidence]
        print(f"{category}.{evidence} = {(hits + 1) / (count + 2):.2f}  # {hits} of {count}")


if __name__ == "__main__":
    main()
