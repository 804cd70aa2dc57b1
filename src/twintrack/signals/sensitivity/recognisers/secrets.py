"""Credentials: rules/secrets.toml, and values behind words like password in many languages."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check, entropy_bits
from twintrack.signals.sensitivity.demands import PARSER
from twintrack.signals.sensitivity.finding import Evidence
from twintrack.signals.sensitivity.sought import at, at_any, beginnings
from twintrack.signals.sensitivity.window import Raw, Window

_REACH = 64
_PLACEHOLDER = re.compile(
    r"x{5,}|\*{3,}|\.{3,}|…|^<[\w \-]+>?$|^\[[\w \-]+\]?$|^\{\{|\$\{[\w{]|^\$\(|^%\(?\w*\)?[sd]$|^_+$|"
    r"change[_-]?me|your[_-]|placeholder|redacted|dummy|insert[_-]|replace[_-]?me|todo|removed|qwerty",
    re.IGNORECASE,
)
_PLACEHOLDER_WORDS = (
    "xxxxx", "***", "...", "${", "change", "your", "placeholder", "redacted", "dummy", "insert", "replace", "todo",
    "removed", "qwerty",
)  # fmt: skip
"""One of them stands in each that does not begin with one of `_PLACEHOLDER_BEGINS`, if it is ASCII."""
_PLACEHOLDER_BEGINS = ("<", "[", "{{", "$(", "%", "_")
_EXAMPLE = re.compile(
    r"example|sample|foobar|test[_-]?(?:key|token|secret|password)$|null|none|undefined|string", re.IGNORECASE
)
_EXAMPLE_WORDS = ("example", "sample", "foobar", "test", "null", "none", "undefined", "string")


def _is_placeholder(value: str) -> bool:
    if value.isascii() and not value.startswith(_PLACEHOLDER_BEGINS):
        low = value.lower()
        if not any(map(low.__contains__, _PLACEHOLDER_WORDS)):
            return False
    return _PLACEHOLDER.search(value) is not None


def _is_example(value: str) -> bool:
    if value.isascii() and not any(map(value.lower().__contains__, _EXAMPLE_WORDS)):
        return False
    return _EXAMPLE.search(value) is not None


_FEW = 6
"""Words that are looked for one by one; more are looked for all at once."""


class Late:
    """A pattern that is compiled when it is first needed: of some three hundred few ever are, and together they take a
    third of the time it takes to make a detector."""

    __slots__ = ("_any_case", "_begins", "_begins_with_any", "_compiled", "_flags", "_source")

    def __init__(self, source: str, flags: re.RegexFlag = re.NOFLAG, begins: tuple[str, ...] = ()) -> None:
        """`begins`: words in lower case one of which each match begins with; empty: its own literals are taken."""
        self._source = source
        self._flags = flags
        self._any_case = bool(flags & re.IGNORECASE)
        self._begins = begins
        self._begins_with_any: re.Pattern[str] | None = None
        self._compiled: re.Pattern[str] | None = None

    def finditer(self, window: Window) -> Iterator[re.Match[str]]:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = re.compile(self._source, self._flags)
            if not self._any_case:
                self._begins, self._any_case = beginnings(PARSER.parse(self._source, int(self._flags)))
            if len(self._begins) > _FEW:
                self._begins_with_any = re.compile("|".join(map(re.escape, self._begins)))
        if not self._begins:
            return compiled.finditer(window.plain)
        where = window.low if self._any_case else window.plain
        if self._begins_with_any is not None:
            return at_any(compiled, window.plain, self._begins_with_any, where)
        return at(compiled, window.plain, self._begins, where)


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    concept: str
    pattern: Late
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
        self._by_concept = {token.concept: token for token in tokens}
        self.concepts = frozenset(self._by_concept)

    def find(self, window: Window) -> Iterator[Raw]:
        hits = window.hits
        for token in [self._by_concept[concept] for concept in self._by_concept.keys() & hits.keys()]:
            for found in token.pattern.finditer(window):
                group = "secret" if token.secret else 0
                value = found[group]
                if entropy_bits(value) < token.entropy or _made_up(value) or _is_placeholder(value):
                    continue
                if token.secret and (_is_code(value) or value.lower() in _STANDS_FOR):
                    continue
                start, end = found.span(group)
                if token.near is not None:
                    around = window.low[max(0, found.start() - _REACH) : found.end() + _REACH]
                    if token.near.search(around) is None:
                        continue
                if token.check is not None and not token.check(value):
                    continue
                yield Raw(start, end, "secret", "secret", "bare" if token.weak else "format", token.id)


_MOST_MADE_UP = 0.55
_ALPHABET = 20
_STEPS = 5
_LOOKED_AT = 256


def _made_up(value: str) -> bool:
    """More than half of it is one character again and again, or one run of the alphabet or of the figures."""
    value = value[:_LOOKED_AT].lstrip("A")  # base64 of zeros, which real tokens begin with
    codes = value.encode() if value.isascii() else list(map(ord, value))
    apart = list(map(operator.sub, codes[1:], codes))
    if apart.count(0) < _STEPS and apart.count(1) < _STEPS:
        return False
    steps = "".join(["0" if step == 0 else "1" if step == 1 else " " for step in apart])
    if "0" * _STEPS not in steps and "1" * _STEPS not in steps:
        return False
    longest = run = 1
    step = " "
    for ahead in steps:
        if ahead != " " and (run == 1 or ahead == step):
            run, step = run + 1, ahead
            longest = max(longest, run)
        else:
            run = 1
    return longest > _MOST_MADE_UP * len(value) or longest >= _ALPHABET


_WORDY = 2.5
"""Bits per character: rules that ask for less have values that may be words, as cafebabe:deadbeef."""
_ASSIGN = (
    r"[\w .\-\]]{0,24}?[\"'`\]]{0,3}\s{0,3}(?:=>|:{1,3}=|\?=|\|\||[=:|,(]|\s(?:is|ist|est|es|to|as)\s)"
    r"\s{0,3}(?:[rbuf]?[\"'`@(\\]{0,4})"
)


class Keyed:
    """Values that mean something only behind the name of their service."""

    name = "keyed"

    def __init__(self, rules: tuple[tuple[str, str, tuple[str, ...], str, float], ...]) -> None:
        """`rules`: id, concept, names, value and fewest bits per character."""
        self._rules = {
            concept: (
                rule,
                Late(
                    rf"(?<![A-Za-z])(?:{'|'.join(re.escape(name) for name in names)}){_ASSIGN}"
                    rf"(?P<secret>{value})(?![\w/+\-]|=\w)",
                    re.IGNORECASE,
                    names,
                ),
                bits,
            )
            for rule, concept, names, value, bits in rules
        }
        self.concepts = frozenset(self._rules)

    def find(self, window: Window) -> Iterator[Raw]:
        for concept in self._rules.keys() & window.hits.keys():
            rule, pattern, bits = self._rules[concept]
            for found in pattern.finditer(window):
                value = found["secret"]
                if entropy_bits(value) < bits or _made_up(value) or _is_placeholder(value):
                    continue
                if value.isdigit() or (bits > _WORDY and not any(char.isdigit() for char in value)):
                    continue
                yield Raw(*found.span("secret"), "secret", "secret", "labelled", rule)


_ASSIGNED = re.compile(
    r"(?P<suffix>[\w\-]{0,24}+)(?P<quote>[\"'`\]]{0,2}+)"
    r"(?:\s{0,2}\([^()\n]{1,30}\)|(?: [^\W\d_]{2,12}+){1,3}+)?+\s{0,3}+"
    r"(?P<sign>=>|:{1,3}=|\?=|==|[=:：|→](?!//)|->|>)(?P<gap>[\s\[]{0,3}(?:[rbuf]?[\"'`“«「]{0,3}))"
    r"(?P<value>[^\s\"'`<>”»」，。；]{6,512})(?P<after>[\"'`”»」\s]|$)"
)
_WORD_BEFORE = re.compile(r"[a-z0-9]+")
_NO_SECRET_BEFORE = frozenset(
    (
        "public", "pub", "primary", "foreign", "partition", "sort", "bucket", "schema", "object", "cache", "row", "map",
        "dict", "index", "i18n", "lookup", "unique", "hash", "routing", "event", "idempotency", "csrf", "xsrf",
        "authenticity", "page", "next", "continuation", "cursor", "start", "end", "stop", "pad", "bos", "eos", "sync",
        "registry", "host", "storage", "config", "composite", "natural", "range", "data", "group", "issue", "project",
        "translation", "order", "hot", "arrow", "enter",
    )
)  # fmt: skip
"""Words that make of a key or token something that is no secret."""
_NO_SECRET_AFTER = re.compile(
    r"(?:^|[_\-])(?:ids?|names?|ur[li]s?|files?|paths?|types?|len|length|sizes?|arns?|counts?|versions?|formats?|policy|fields?|"
    r"labels?|regex|patterns?|prefix|suffix|hints?|expir\w*|ttl|alias|endpoints?|hosts?|index|usage|limits?|budget|max|min|"
    r"column|table|param\w*|header|manager|provider|validator|generator|strength|reset\w*|required|enabled|ring|board|word|"
    r"words|map|error)$",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_NAMED_PARTS = re.compile(r"(?:[A-Za-z]+\d{0,3}|\d{1,3})(?:[\-_.:/](?:[A-Za-z]+\d{0,3}|v?\d{1,3}))+$")
_VAGUE = frozenset(
    ("key", "auth", "pass", "pat", "credential", "credentials", "token", "clave", "chave", "klucz", "klic")
)
_SAID = re.compile(
    r"(?:\s[^\W\d_]{1,12}){0,4}?\s{1,3}(?:is|was|are|ist|lautet|est|es|è|é|jest|to|je|zní|er|är|on|este|е|это|-|=)\s{1,2}"
    r"(?P<gap>[\"'`“«„]{0,2})(?P<value>[^\s\"'`<>”»“]{6,128})"
    r"|\s{1,3}:?\s{0,3}(?P<gap2>[\"'`“«„]{0,2})(?P<value2>[^\s\"'`<>”»“]{6,128})"
)
_SAID_CJK = re.compile(r"(?:是|为|為|は|が|:|：|는|은|가)\s{0,2}[\"'`“「]{0,2}(?P<value>[!-~]{6,128})")
_HEX = re.compile(r"[0-9a-f]+$|[0-9A-F]+$")
_CODE = re.compile(
    r"^[a-z_]+(?:\.[a-z_]+)*[(\[]|^[a-z]+(?:[A-Z][a-z]+)+[(\[]|^(?:self|this|os|process|env|config|settings|request|params|args|options)\b[.\[]"
    r"|^(?:env|file):\w|^https?://(?![^/]*:[^/]*@)|^/[\w./\-]+$|^\.{1,2}/|^[A-Z]+[A-Z0-9]*(?:_[A-Z0-9]+)+$|^[A-Z]{2,}\d{0,3}$|^[a-z]+(?:[_\-][a-z]+)+$|^[a-z]+(?:[A-Z][a-z]+)+$|^(?:[A-Z][a-z]+){2,}$|^\$[A-Za-z_]\w*$|^%\w+%?$|^&\w+;?$"
)


class Assigned:
    """What stands behind a word like password or API key, if it looks like a secret and not like code or prose."""

    name = "assigned"
    concepts = frozenset(("secret_word",))

    def find(self, window: Window) -> Iterator[Raw]:
        seen = set()
        for begin, end in window.hits.get("secret_word", ()):
            before = _WORD_BEFORE.findall(window.low[max(0, begin - 16) : begin])
            apart = window.low[begin - 1] in " _-." or window.plain[begin].isupper()  # public_token, publicToken
            if before and before[-1] in _NO_SECRET_BEFORE and apart:
                continue
            match = assigned = _ASSIGNED.match(window.plain, end)
            if assigned is not None:
                about = bool(assigned["suffix"]) and _NO_SECRET_AFTER.search(assigned["suffix"]) is not None
                if about and not _strong(assigned["value"]):  # password_file, api_key_name
                    continue
            else:
                match = _SAID.match(window.plain, end) or _SAID_CJK.match(window.plain, end)
            if match is None:
                continue
            group = "value" if match["value"] is not None else "value2"
            start, value = match.start(group), _trimmed(match[group])
            if start in seen or _is_placeholder(match[group]):
                continue
            vague = window.low[begin:end] in _VAGUE
            if vague and (_UUID.match(value) is not None or _NAMED_PARTS.match(value) is not None or len(value) < 16):
                continue
            quoted = start > 0 and window.plain[start - 1] in _QUOTES
            if not looks_secret(value, quoted, assigned=assigned is not None):
                continue
            seen.add(start)
            evidence: Evidence = "labelled" if assigned is not None else "near"
            yield Raw(start, start + len(value), "secret", "secret", evidence, "assigned")


_QUOTES = "\"'`“«「„"
_NEXT = re.compile(r"[;,&](?=[\w\-. ]{1,40}[=:]|$)|\\[nrt]|(?<=\w)\)[;:,.]?$")


def _trimmed(value: str) -> str:
    """Without what follows in a list, and without the marks of the sentence around."""
    cut = _NEXT.search(value)
    if cut is not None:
        value = value[: cut.start()]
    while value and (value[-1] in ".,;:!?" or (value[-1] in ")]}" and _OPENS[value[-1]] not in value)):
        value = value[:-1]
    return value


_OPENS = {")": "(", "]": "[", "}": "{"}


def _strong(value: str) -> bool:
    """What no name, path or number of a program looks like."""
    kinds = len(
        {"a" if char.islower() else "A" if char.isupper() else "0" if char.isdigit() else "#" for char in value}
    )
    return kinds == 4 and (entropy_bits(value) >= 3.0) and _NAMED_PARTS.match(value) is None


def looks_secret(value: str, quoted: bool, assigned: bool) -> bool:
    """Whether a value that stands behind a word like password is one.

    NIST SP 800-63B asks for 8 characters of any kind, so a password in the wild is short with a mix of kinds, and a key
    long with much entropy; identifiers of programs, paths and words are neither.
    """
    if len(value) < 6 or _is_placeholder(value) or _is_example(value) or _made_up(value):
        return False
    if _is_code(value) or (len(value) < 32 and _NAMED_PARTS.match(value) is not None):
        return False
    bits = entropy_bits(value)
    lower = any(map(str.islower, value))
    upper = any(map(str.isupper, value))
    figure = any(map(str.isdigit, value))
    mark = any(not char.isalnum() and char not in "-_./:" for char in value)
    kinds = lower + upper + figure + mark
    if value.isdigit() or _NUMBER.match(value) is not None:
        return False
    if _HEX.match(value) is not None:
        return len(value) >= 24 and bits >= 3.0 and figure
    if len(value) >= 16:
        return (
            bits >= (3.2 if assigned else 3.4)
            and figure
            and (lower or upper)
            and (assigned or kinds >= 3 or bits >= 3.7)
        )
    if len(value) >= 8:
        return (
            kinds >= 3
            and bits >= 2.4
            and (figure or mark)
            and (quoted or kinds == 4 or (figure and upper and lower) or (figure and mark))
        )
    return kinds == 4 and bits >= 2.2 and assigned


_STANDS_FOR = frozenset(
    (
        "password", "passwd", "pass", "pwd", "secret", "user", "username", "token", "key", "apikey", "admin", "root",
        "guest", "test", "example", "sample", "postgres", "mysql", "changeme", "foo", "bar", "baz", "xxx", "string",
        "value", "here", "mypassword", "yourpassword", "redis", "mongo", "rabbitmq", "default",
    )
)  # fmt: skip
"""What documents write where a secret would stand, and default passwords that are none."""
_NUMBER = re.compile(r"[+\-]?[\d.,:%/\-T+Z]+[a-zA-Z]{0,3}$")


_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NAME_BEGINS = frozenset("_$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _is_code(value: str) -> bool:
    return _ends_in_member(value) or _CODE.match(value) is not None


def _ends_in_member(value: str) -> bool:
    """Whether two names with a dot between them end it, as config.token; a pattern would try from every character."""
    before, dot, name = value.removesuffix("(").rpartition(".")
    if not dot or _NAME.fullmatch(name) is None:
        return False
    for char in reversed(before):
        if char in _NAME_BEGINS:
            return True
        if not char.isalnum():
            return False
    return False
