"""All of a request read at once, for tools: the gateway reads in slices."""

from __future__ import annotations

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.finding import Finding, Scanned, Unscanned, Verdict
from twintrack.signals.sensitivity.scan import scan, with_only
from twintrack.signals.sensitivity.seams import Seam
from twintrack.signals.sensitivity.surface import Surface, Unscannable
from twintrack.signals.sensitivity.surfaces import surfaces

Texts = list[tuple[Surface, tuple[Finding, ...]]]
"""With what was found in each."""


def read(detector: Detector, body: bytes) -> tuple[Texts, list[Verdict]]:
    """Of a request's body in any dialect: its texts that could be read, and the verdicts on all there is."""
    texts: Texts = []
    verdicts: list[Verdict] = []
    for each in surfaces(body):
        if isinstance(each, Unscannable):
            verdicts.append(Unscanned(each.kind, ""))
            continue
        verdict = scan(detector, each.text)
        if isinstance(verdict, Scanned):
            if isinstance(each, Seam):
                verdict = with_only(verdict, each.own(verdict.findings, texts))
            texts.append((each, verdict.findings))
        verdicts.append(verdict)
    return texts, verdicts
