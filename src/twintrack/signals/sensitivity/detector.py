"""All recognisers and their words, made once from the rule files and a configuration's own rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from twintrack.errors import ConfigError
from twintrack.signals.sensitivity import rules
from twintrack.signals.sensitivity.checks import check
from twintrack.signals.sensitivity.demands import for_bytes
from twintrack.signals.sensitivity.lexicon import NUMBER, Hits, Lexicon
from twintrack.signals.sensitivity.linear import Linear, Refused
from twintrack.signals.sensitivity.recognisers.cards import Cards, Ibans
from twintrack.signals.sensitivity.recognisers.contact import Email, Ip, Mac, Phone
from twintrack.signals.sensitivity.recognisers.labelled import Labelled
from twintrack.signals.sensitivity.recognisers.markings import Markings
from twintrack.signals.sensitivity.recognisers.numbers import Numbers, NumberType, alone, compiled
from twintrack.signals.sensitivity.recognisers.own import Own, OwnRule
from twintrack.signals.sensitivity.recognisers.personal import Addresses, Birth, Health, People
from twintrack.signals.sensitivity.recognisers.secrets import Assigned, Keyed, Late, Token, Tokens
from twintrack.signals.sensitivity.sought import Alternatives
from twintrack.signals.sensitivity.window import AFTER, BEFORE, Recogniser

VERSION = "6"
"""Changes whenever the code of a detector does; the rule files speak for themselves in `Detector.version`."""
_SPOKEN_AT = (
    "(at)",
    "[at]",
    "{at}",
    "<at>",
    "( at )",
    "[ at ]",
    "(arroba)",
    " dot ",
    "(dot)",
    "[dot]",
    "[.]",
    "(@)",
    "[@]",
)


_APART = frozenset(("en", "fr", "es", "it", "pt", "pl", "cs", "tr", "ru", "el", "hu"))
"""Languages whose word for a street stands apart from its name."""
_SHAPES: dict[str, tuple[str, ...]] = {
    NUMBER: (r"[0-9][^a-z0-9]{0,2}[0-9a-z][^a-z0-9]{0,2}[0-9][^a-z0-9]{0,2}[0-9][^a-z0-9]{0,2}[0-9]",),
    "shape:card": (r"[0-9](?:[^a-z0-9]{0,2}[0-9]){11}",),
    "shape:iban": (r"[a-z][a-z][0-9][0-9][ +_.\n-]{0,2}[a-z0-9]{2}",),
    "shape:phone": (r"[0-9](?:[^a-z0-9]{0,3}[0-9]){6}",),
    "shape:ipv4": (r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",),
    "shape:ipv6": (r"[0-9a-f]:(?:[0-9a-f]{0,4}:){2}", r"[0-9a-f]::[0-9a-f]"),
    "shape:mac": (r"[0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}", r"[0-9a-f]{4}\.[0-9a-f]{4}\."),
    "shape:blob": (r"[a-z0-9+/_-]{24}",),
}
"""What has to stand in a text before a recogniser of that shape looks at it at all."""
_CASED = {
    "cased:card": r"(?:^|[^A-Za-z0-9_.,+])[0-9](?:(?:[ \-.+_]|[^\x00-\x7f]{2}|[ \-]?\n ?)?[0-9]){11}",
    "cased:card-alone": r"(?:^|[^A-Za-z0-9_.,+])[2-9](?:[0-9]{13}|[0-9]{3}(?:[ \-.+_][0-9]{4}){3}"
    r"|[0-9]{3}[ \-][0-9]{6}[ \-][0-9]{5})",
    "cased:iban": r"(?:[A-Za-z]|[^\x00-\x7f]{2}){2}[0-9]{2}(?:[ \-+_.\n]{0,2}(?:[0-9A-Za-z]|[^\x00-\x7f]{2})){11}",
    "cased:plus": r"[+][^0-9A-Za-z]{0,4}[0-9][0-9()\[\] .\-/]{4,22}[0-9]",
    "cased:extension": r"[0-9][^0-9A-Za-z]{0,8}(?:[xX]|[eE][xX][tT])[^0-9A-Za-z]{0,5}[0-9]",
}
"""The same, closer: looked for only where one of the shapes of figures stands."""


class CustomRule(msgspec.Struct, frozen=True, kw_only=True):
    """A company's own rule: terms or a pattern, with texts it has to find and texts it has to leave alone."""

    name: str
    category: str
    """One of ours, or a new one."""
    terms: tuple[str, ...] = ()
    """Names of projects, customers, products: whole words, in any case; a star at the end makes a stem."""
    pattern: str = ""
    words: tuple[str, ...] = ()
    """One of them has to stand near the pattern; empty: none has to."""
    check: str = ""
    """luhn, or a module of python-stdnum."""
    finds: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()


class Detector:
    """Immutable once made; one serves all scans of a process, which has one thread of them."""

    def __init__(self, custom: Sequence[CustomRule] = (), cache: Path | None = None, *, compiles: bool = True) -> None:
        """
        Args:
            cache: folder for the compiled words; None: compiled each time.
            compiles: False: only what is in `cache` is taken, and `NotCompiled` raised if it is not.
        Raises:
            ConfigError: a custom rule's pattern or check is none.
            EnvironmentProblem: this machine has no library to look for words with.
        """
        words: dict[str, Iterable[str]] = {}
        prefixes: dict[str, Iterable[str]] = {}
        shapes: dict[str, Iterable[str]] = dict(_SHAPES)
        endings: dict[str, Iterable[str]] = {}
        cased = dict(_CASED)
        for concept, said in rules.vocabulary().concept.items():
            words[concept] = rules.all_words(said)
        words["iban"] = ("iban", "international bank account number", "bank account number", "account iban")
        prefixes["spoken_at"] = _SPOKEN_AT
        words["health"] = rules.all_words(rules.health().strong)
        words["care"] = rules.all_words(rules.health().weak)
        self.recognisers: tuple[Recogniser, ...] = (
            Email(),
            _tokens(prefixes, shapes),
            _keyed(words, prefixes),
            Assigned(),
            Cards(),
            Ibans(),
            _numbers(words, cased),
            Labelled(),
            Phone(),
            Ip(),
            Mac(),
            Birth(),
            _addresses(words, endings),
            _markings(words),
            People(),
            Health(),
            _own(custom, words),
        )
        self._always, self._asks = _asks(self.recognisers)
        self._asked: dict[int, tuple[Recogniser, ...]] = {}
        self.lexicon = Lexicon(words, prefixes, shapes, endings, cased, cache, compiles=compiles)
        self._calibration = rules.calibration()
        self._scores: dict[tuple[str, str, str], float] = {}
        self._published = frozenset(digest for row in rules.published().published for digest in row.sha256)
        self.custom = tuple(custom)
        self.version = _version(self.lexicon.patterns, custom)
        rules.forget()

    def is_published(self, value: str) -> bool:
        """Whether a credential's own vendor prints it for everybody, so that it is none."""
        return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:16] in self._published

    def asked(self, hits: Hits) -> tuple[Recogniser, ...]:
        """Those that can find something where such words and shapes stand, in their order."""
        which = self._always
        for concept in hits:
            which |= self._asks.get(concept, 0)
        known = self._asked.get(which)
        if known is None:
            known = tuple(each for at, each in enumerate(self.recognisers) if which >> at & 1)
            if len(self._asked) < _MOST_KEPT:
                self._asked[which] = known
        return known

    def score(self, kind: str, category: str, evidence: str) -> float:
        """Share of finds of this type that are what they say, with such evidence."""
        known = self._scores.get((kind, category, evidence))
        if known is None:
            of_type = self._calibration["type"].get(kind, {})
            found = of_type.get(evidence)
            if found is None:
                found = self._calibration.get(category, self._calibration["own"]).get(evidence, 0.5)
            known = self._scores[kind, category, evidence] = float(found)
        return known


_MOST_KEPT = 4096


def _asks(recognisers: Sequence[Recogniser]) -> tuple[int, dict[str, int]]:
    """Which always look, and which do for each concept: a bit for each."""
    always, asks = 0, dict[str, int]()
    for at, each in enumerate(recognisers):
        if each.concepts is None:
            always |= 1 << at
        for concept in each.concepts or ():
            asks[concept] = asks.get(concept, 0) | 1 << at
    return always, asks


def _version(patterns: tuple[bytes, ...], custom: Sequence[CustomRule]) -> str:
    said = [VERSION, *(repr(pattern) for pattern in patterns), *(repr(rule) for rule in custom)]
    said += [repr(part) for part in _versioned()]
    return hashlib.sha256("\0".join(said).encode("utf-8", "replace")).hexdigest()[:12]


def _versioned() -> tuple[object, ...]:
    return rules.identifiers(), rules.secrets(), rules.published(), rules.markings(), rules.calibration()


_LEFT, _RIGHT = "(?:^|[^A-Za-z0-9])", "(?:$|[^A-Z0-9])"
"""What stands before a number and behind it, as far as a text's bytes say."""
_CLOSED = r"[\)]"
"""A number that ends so may end anywhere."""


def _numbers(words: dict[str, Iterable[str]], cased: dict[str, str]) -> Numbers:
    types = []
    for rule in rules.identifiers().type:
        label = f"number:{rule.id}"
        words[label] = rules.all_words(rule.words)
        by_itself = rule.alone.replace(r"\1", r"(?:[-–])")
        if by_itself:
            within = for_bytes(by_itself.replace("–", ""))  # which is read as a hyphen
            cased[alone(rule.id)] = f"{_LEFT}{within}{'' if within.endswith(_CLOSED) else _RIGHT}"
        types.append(
            NumberType(
                rule.id,
                rule.category,
                label,
                compiled(rule.shape),
                re.compile(by_itself) if by_itself else None,
                rule.alone_unchecked,
                rule.labelled_only,
                check(rule.check) if rule.check else None,
                min(4, sum(char.isdigit() for char in rule.number)),
                rule.near,
            )
        )
    return Numbers(tuple(types))


def _tokens(prefixes: dict[str, Iterable[str]], shapes: dict[str, Iterable[str]]) -> Tokens:
    tokens = []
    for rule in rules.secrets().token:
        concept = f"token:{rule.id}"
        if rule.nominate:
            shapes[concept] = (rule.nominate,)
        else:
            prefixes[concept] = rule.prefix
        left = BEFORE if rule.left is None else rule.left
        right = AFTER if rule.right is None else rule.right
        length = f"(?=\\S{{{rule.min_length}}})" if rule.min_length else ""
        flags = re.IGNORECASE if "i" in rule.flags else re.NOFLAG
        near = "|".join(re.escape(word) for word in rule.near)
        tokens.append(
            Token(
                rule.id,
                concept,
                Late(f"{left}{length}(?:{rule.regex}){right}", flags),
                rule.entropy,
                rule.secret,
                re.compile(rf"(?<![a-z])(?:{near})(?![a-z])") if near else None,
                check(rule.check) if rule.check else None,
                rule.weak,
            )
        )
    return Tokens(tuple(tokens))


_SHORT_NAME = 6
"""Letters of a service's name that stands inside other words: lob in global."""


def _keyed(words: dict[str, Iterable[str]], prefixes: dict[str, Iterable[str]]) -> Keyed:
    found = []
    for rule in rules.secrets().keyed:
        concept = f"keyed:{rule.id}"
        words[concept] = [name for name in rule.near if len(name) < _SHORT_NAME]
        prefixes[concept] = [name for name in rule.near if len(name) >= _SHORT_NAME]
        found.append((rule.id, concept, rule.near, rule.value, rule.entropy))
    return Keyed(tuple(found))


def _addresses(words: dict[str, Iterable[str]], endings: dict[str, Iterable[str]]) -> Addresses:
    streets = []
    for rule in rules.addresses().street:
        concept = f"street:{rule.languages[0]}"
        standing = [word for word in rule.words if rule.languages[0] in _APART and word[0].isalpha()]
        words[concept] = standing
        endings[concept] = [word for word in rule.words if word not in standing]
        streets.append((concept, re.compile(f"(?<![\\w/]){'(?:' + rule.regex + ')'}"), rule.complete))
    return Addresses(tuple(streets), re.compile(rules.addresses().post))


def _markings(words: dict[str, Iterable[str]]) -> Markings:
    markings = []
    for rule in rules.markings().marking:
        concept = f"marking:{rule.id}"
        words[concept] = rule.words
        flags = re.MULTILINE if "m" in rule.flags else re.NOFLAG
        markings.append((rule.id, concept, rule.category, Alternatives(rule.regex, flags), rule.statement))
    return Markings(tuple(markings))


def _own(custom: Sequence[CustomRule], words: dict[str, Iterable[str]]) -> Own:
    own = []
    for rule in custom:
        concept, near = f"own:{rule.name}", f"own-words:{rule.name}"
        words[concept] = rule.terms
        words[near] = rule.words
        if rule.terms:
            own.append(OwnRule(rule.name, rule.category, concept, None, None, ""))
        if rule.pattern:
            found = fault(rule)
            if found is not None:
                raise ConfigError(f"The {found[0]} of rule {rule.name!r} {found[1]}", fix=found[2])
            holds = check(rule.check) if rule.check else None
            pattern = Linear(rule.pattern)
            own.append(OwnRule(rule.name, rule.category, concept, pattern, holds, near if rule.words else ""))
    return Own(tuple(own))


def fault(rule: CustomRule) -> tuple[str, str, str] | None:
    """What is wrong with a rule of a configuration's own: its field, what it is, what to write instead."""
    try:
        if rule.pattern:
            Linear(rule.pattern)
    except Refused as error:
        return "pattern", str(error), "Write it in Python's form, without looking ahead or back and without references."
    try:
        if rule.check:
            check(rule.check)
    except KeyError:
        return "check", f"is {rule.check!r}, which is unknown", "Use luhn, or a module of python-stdnum as nl.bsn."
    return None
