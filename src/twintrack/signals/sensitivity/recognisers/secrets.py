"""Credentials: rules/secrets.toml, and values behind words like password in many languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check, entropy_bits
from twintrack.signals.sensitivity.window import Raw, Window

_REACH = 64
_PLACEHOLDER = re.compile(
    r"x{5,}|\*{3,}|\.{3,}|…|<[\w \-]+>|\{\{|\$\{|\$\(|%[sd(]|_{4,}|"
    r"change[_-]?me|your[_-]|placeholder|redacted|dummy|insert[_-]|replace[_-]?me|todo|removed|"
    r"123456789|abcdefgh(?!ijklmnopqrstuvwxyz234567)|0{8,}|1{8,}|qwerty",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"example|sample|foobar|test[_-]?(?:key|token|secret|password)$|null|none|undefined|string", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    concept: str
    pattern: re.Pattern[str]
    entropy: float
    """Fewest bits per character."""
    secret: bool
    """The value is the group `secret`, and words that stand for a value are none."""
    near: re.Pattern[str] | None
    check: Check | None
    weak: bool


class Tokens:
    """Shapes that only a credential has."""

    name = "tokens"

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens

    def find(self, window: Window) -> Iterator[Raw]:
        hits = window.hits
        for token in self._tokens:
            if token.concept not in hits:
                continue
            for found in token.pattern.finditer(window.plain):
                group = "secret" if token.secret else 0
                value = found[group]
                if entropy_bits(value) < token.entropy or _made_up(value):
                    continue
                if token.secret and (_PLACEHOLDER.search(value) is not None or _is_code(value)):
                    continue
                start, end = found.span(group)
                if token.near is not None:
                    around = window.low[max(0, found.start() - _REACH) : found.end() + _REACH]
                    if token.near.search(around) is None:
                        continue
                if token.check is not None and not token.check(value):
                    continue
                yield Raw(start, end, "secret", "secret", "bare" if token.weak else "format", token.id)


_RUN = re.compile(r"([A-Za-z0-9*.])\1{7,}")


def _made_up(value: str) -> bool:
    """Filled up by hand, as xxxxxxxx."""
    return any(run[1] not in "A" for run in _RUN.finditer(value)) if _RUN.search(value) else False


_ASSIGN = r"[\w .\-\]]{0,24}?[\"'`\]]{0,3}\s{0,3}(?:=>|:=|\|\||[=:|,(]|\s(?:is|ist|est|es|to|as)\s)\s{0,3}(?:[rbuf]?[\"'`@(\\]{0,4})"


class Keyed:
    """Values that mean something only behind the name of their service."""

    name = "keyed"

    def __init__(self, rules: tuple[tuple[str, str, tuple[str, ...], str, float], ...]) -> None:
        """`rules`: id, concept, names, value and fewest bits per character."""
        self._rules = tuple(
            (
                rule,
                concept,
                re.compile(
                    rf"(?i:{'|'.join(re.escape(name) for name in names)}){_ASSIGN}"
                    rf"(?P<secret>{value})(?![\w/+\-]|=\w)"
                ),
                bits,
            )
            for rule, concept, names, value, bits in rules
        )

    def find(self, window: Window) -> Iterator[Raw]:
        for rule, concept, pattern, bits in self._rules:
            if concept not in window.hits:
                continue
            for found in pattern.finditer(window.plain):
                value = found["secret"]
                if entropy_bits(value) < bits or _made_up(value) or _PLACEHOLDER.search(value) is not None:
                    continue
                if not any(char.isdigit() for char in value) or value.isdigit():
                    continue
                yield Raw(*found.span("secret"), "secret", "secret", "labelled", rule)


_ASSIGNED = re.compile(
    r"[\w\-]{0,24}(?P<quote>[\"'`\]]{0,2})(?:\s{0,4}\(?[\w \-.]{0,24}\)?\s{0,2})?(?P<sign>=>|:=|==|[=:：|→]|->|>)(?P<gap>[\s\[]{0,3}(?:[rbuf]?[\"'`“«「]{0,3}))"
    r"(?P<value>[^\s\"'`<>,;(){}\[\]”»」，。；]{6,512})(?P<after>[\"'`”»」;,)(.\s]|$)"
)
_SAID = re.compile(
    r"\s{1,3}(?:(?:is|was|are|ist|lautet|est|es|è|é|is|jest|to|je|zní|er|är|on|este|е|это|-)\s{1,2}|:\s{0,3})?(?P<gap>[\"'`“«„]{0,2})(?P<value>[^\s\"'`<>,;(){}\[\]”»“]{6,128})"
)
_SAID_CJK = re.compile(r"(?:是|为|為|は|が|:|：|는|은|가)\s{0,2}[\"'`“「]{0,2}(?P<value>[!-~]{6,128})")
_HEX = re.compile(r"[0-9a-f]+$|[0-9A-F]+$")
_CODE = re.compile(
    r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+\(?$|[A-Za-z_]\w*\($|^(?:self|this|os|process|env|config|settings|request|params|args|options)\b[.\[]"
    r"|^https?://(?![^/]*:[^/]*@)|^/[\w./\-]+$|^\.{1,2}/|^[A-Z][A-Z0-9_]+$|^[a-z]+(?:[_\-][a-z]+)+$|^[a-z]+(?:[A-Z][a-z]+)+$|^(?:[A-Z][a-z]+){2,}$|^\$\w+|^%\w+%?$|^&"
)


class Assigned:
    """What stands behind a word like password or API key, if it looks like a secret and not like code or prose."""

    name = "assigned"

    def find(self, window: Window) -> Iterator[Raw]:
        seen = set()
        for _, end in window.hits.get("secret_word", ()):
            found = _ASSIGNED.match(window.plain, end)
            said = None
            if found is None:
                said = _SAID.match(window.plain, end) or _SAID_CJK.match(window.plain, end)
            match = found or said
            if match is None or match.start("value") in seen:
                continue
            value = match["value"].rstrip(".,!?:)")
            quoted = any(mark in match["gap"] for mark in "\"'`“«「„")
            if not looks_secret(value, quoted, assigned=found is not None):
                continue
            start = match.start("value")
            seen.add(start)
            evidence = "labelled" if found is not None else "near"
            yield Raw(start, start + len(value), "secret", "secret", evidence, "assigned")


def looks_secret(value: str, quoted: bool, assigned: bool) -> bool:
    """Whether a value that stands behind a word like password is one.

    NIST SP 800-63B asks for 8 characters of any kind, so a password in the wild is short with a mix of kinds, and a key
    long with much entropy; identifiers of programs, paths and words are neither.
    """
    if len(value) < 6 or _PLACEHOLDER.search(value) is not None or _EXAMPLE.search(value) is not None or _made_up(value):
        return False
    if _is_code(value):
        return False
    bits = entropy_bits(value)
    lower = any(char.islower() for char in value)
    upper = any(char.isupper() for char in value)
    figure = any(char.isdigit() for char in value)
    mark = any(not char.isalnum() and char not in "-_./:" for char in value)
    kinds = lower + upper + figure + mark
    if value.isdigit() or _NUMBER.match(value) is not None:
        return False
    if _HEX.match(value) is not None:
        return len(value) >= 24 and bits >= 3.0 and figure
    if len(value) >= 16:
        return bits >= (3.2 if assigned else 3.4) and figure and (lower or upper) and (assigned or kinds >= 3 or bits >= 3.7)
    if len(value) >= 8:
        return kinds >= 3 and bits >= 2.4 and (figure or mark) and (quoted or kinds == 4 or (figure and upper and lower) or (figure and mark))
    return kinds == 4 and bits >= 2.2 and assigned


_NUMBER = re.compile(r"[+\-]?[\d.,:%/\-T+Z]+[a-zA-Z]{0,3}$")


def _is_code(value: str) -> bool:
    return _CODE.search(value) is not None
