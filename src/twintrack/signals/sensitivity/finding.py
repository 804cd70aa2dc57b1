"""What was found in a text, or that it could not be read. There is no way to read the one as the other.

A `Verdict` is `Scanned` or `Unscanned`. Only a finished scan makes a `Scanned`, and only it has findings: code that
forgets the other case does not type-check, and `bool()` of either is an error.
"""

from __future__ import annotations

from typing import Literal, NoReturn, final

import msgspec

Evidence = Literal["format", "labelled_valid", "labelled", "near_valid", "near", "valid", "bare"]
"""What speaks for a finding, strongest first.

format: a shape that only this has, as a token's prefix; labelled: its label stands before it; near: a word of its
kind stands nearby; valid: its check digits are right; bare: its shape alone.
"""

UnscannableKind = Literal[
    "image", "audio", "video", "file", "tokens", "elsewhere", "encoded", "sealed", "error", "too_large", "time", "ner"
]
"""sealed: what only the provider that wrote it can open; elsewhere: what a provider keeps; tokens: numbers instead of
text; encoded: no text and nothing known; time: reading it took too long; ner: the recogniser of
names beside the gateway said nothing."""


class Finding(msgspec.Struct, frozen=True, order=True):
    start: int
    """Code points of the text as it came; end exclusive."""
    end: int
    type: str
    """As `email` or `us_ssn`; the rule reference lists all."""
    category: str
    """pii, phi, financial, secret, export, or a company's own; health and person count only beside others."""
    score: float
    """Share of such findings that are what they say, 0 to 1: `rules/calibration.toml`."""
    evidence: Evidence
    rule: str
    """Which rule found it, where a type has several."""


class _Never:
    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("A verdict is not a truth value: match Scanned and Unscanned, or grade it")


@final
class _Proof:
    """What it takes to make a `Scanned`; scan.py has it."""

    __slots__ = ()


@final
class Scanned(_Never):
    """The whole text was read."""

    __slots__ = ("findings",)

    def __init__(self, findings: tuple[Finding, ...], proof: _Proof) -> None:
        if type(proof) is not _Proof:
            raise TypeError("Only a finished scan says what a text holds")
        self.findings = findings

    def __repr__(self) -> str:
        return f"Scanned({len(self.findings)} findings)"


@final
class Unscanned(_Never):
    """Nothing is known of the text, so it counts as sensitive."""

    __slots__ = ("kind", "why")

    def __init__(self, kind: UnscannableKind, why: str) -> None:
        """`why` holds no part of the text."""
        self.kind = kind
        self.why = why

    def __repr__(self) -> str:
        return f"Unscanned({self.kind}: {self.why})"


Verdict = Scanned | Unscanned
