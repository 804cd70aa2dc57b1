"""Statements without a sum: licences, models that do not exist, laws and their days, how a bill grows, images."""

from __future__ import annotations

import re

from twintrack.catalog import licences, permission, regimes
from twintrack.catalog.licences import Licence
from twintrack.economics.claims.named import NamedModel, no_such_model
from twintrack.economics.claims.quantities import Sentence
from twintrack.economics.claims.verdict import Check, Context, Verdict, fact_agrees

_KINDS = (
    ("mit", r"\bMIT\b(?![- ]?like)"),
    ("apache-2.0", r"\bApache\b"),
    ("cc-by-nc-4.0+aup", r"\bCC[- ]BY[- ]NC\b"),
)
_OPEN_SOURCE = r"\bopen.?source\b"
_COMMERCIAL = r"\bcommercial(?:ly)?\b(?! licen[cs]e)"
_NOT = r"\bnot\b|\bno\b|\bnever\b|n't\b"
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_IMAGE_TOKENS = {"gpt-4o": (765, 85), "gpt-4.1": (765, 85)}
"""At 1024 x 1024 in high detail, 85 and 170 for each of four tiles of 512; and in low detail. OpenAI's guide to images
and vision, read in November 2026."""


def texts(sentence: Sentence, context: Context) -> list[Check]:
    """What licences say of the models named."""
    checks = []
    kind = next((name for name, pattern in _KINDS if re.search(pattern, sentence.text, re.IGNORECASE)), None)
    for named in sentence.models:
        text = licences.find(named.title).licence
        if kind is not None:
            checks.append(_is_under(named, text, kind))
        elif sentence.says(_OPEN_SOURCE) and (text is not None or named.title.lower() in ("mistral", "llama")):
            checks.append(_is_open(named, text, not sentence.says(_NOT)))
        elif sentence.says(_COMMERCIAL) and not sentence.says(r"\busers?\b|\bMAU\b"):
            checks.append(_commercial(named, not sentence.says(_NOT)))
    return [*checks, *_limits(sentence, context)]


def _is_under(named: NamedModel, text: Licence | None, kind: str) -> Check:
    if text is None:
        note = licences.find(named.title).note
        return Check(relation="licence", verdict="depends", sums=(note,), condition=f"which {named.title} is meant")
    right = text.name == kind
    return Check(
        relation="licence",
        verdict="right" if right else "wrong",
        sums=(f"{named.title}: {text.title}",),
        facts=(f"{text.source}, {text.as_of}",),
    )


def _is_open(named: NamedModel, text: Licence | None, stated: bool) -> Check:
    if text is None:
        note = licences.find(named.title).note
        return Check(relation="licence", verdict="depends", sums=(note,), condition=f"which {named.title} is meant")
    words = "a licence" if text.osi_open_source else "no licence"
    return Check(
        relation="licence",
        verdict="right" if text.osi_open_source == stated else "wrong",
        sums=(f"{named.title}: {text.title}, {words} of the Open Source Initiative's list",),
        facts=(f"{text.source}, {text.as_of}",),
    )


def _commercial(named: NamedModel, stated: bool) -> Check:
    purpose = permission.Purpose(
        use="product", users_at_release=1000, users_now=1000, revenue_usd_month=1000, domicile="US"
    )
    finding = permission.check(named.title, purpose)
    verdict: Verdict = "right" if permission.eligible(finding) == stated else "wrong"
    if finding.verdict == "unknown":
        verdict = "cannot_check"
    return Check(
        relation="licence",
        verdict=verdict,
        sums=(f"{named.title}: {finding.title or 'no text known'}: {finding.verdict.replace('_', ' ')}",),
        missing=("which text the model is under",) if verdict == "cannot_check" else (),
        facts=(f"{finding.source}, {finding.as_of}",) if finding.source else (),
    )


def _limits(sentence: Sentence, context: Context) -> list[Check]:
    """`fewer than 700M monthly users`, of the model named here or before."""
    users = [each for each in sentence.quantities if each.unit == "user" and each.low >= 1e7]
    if not users:
        return []
    models = sentence.models or next((each.models for each in reversed(context.before) if each.models), ())
    checks = []
    for named in models:
        text = licences.find(named.title).licence
        if text is None:
            continue
        limits = [limit.over for limit in text.limits if limit.of != "revenue_usd_month"]
        right = any(fact_agrees((users[0].low, users[0].high), (limit, limit))[0] for limit in limits)
        said = ", ".join(f"{limit:,} users" for limit in limits) or "no limit of users"
        checks.append(
            Check(
                relation="licence limit",
                verdict="right" if right else "wrong",
                stated=(users[0].low, users[0].high),
                computed=(float(limits[0]), float(limits[0])) if limits else None,
                unit="users",
                factor=users[0].mid / limits[0] if limits else None,
                sums=(f"{named.title}: {text.title}: {said}",),
                facts=(f"{text.source}, {text.as_of}",),
            )
        )
    return checks


def existence(sentence: Sentence, context: Context) -> list[Check]:
    """Names of models that do not exist although their family does."""
    faults = [fault for named in sentence.models if (fault := no_such_model(named))]
    return [
        Check(relation="name", verdict="wrong", sums=(fault,), facts=("the catalogue's table of families",))
        for fault in faults
    ]


def growth(sentence: Sentence, context: Context) -> list[Check]:
    """How a bill grows with its tokens."""
    if not sentence.says(r"\bcosts?\b|\bbills?\b|\bspend\w*\b|\bprices?\b") or not sentence.says(
        r"\busers?\b|\btokens?\b|\busage\b"
    ):
        return []
    exponential, linear = sentence.says(r"\bexponential\w*"), sentence.says(r"\blinear\w*|\bproportional\w*")
    if not exponential and not linear:
        return []
    return [
        Check(
            relation="growth",
            verdict="right" if linear and not exponential else "wrong",
            sums=("cost = requests x (tokens in x price in + tokens out x price out): linear in users and in tokens",),
        )
    ]


def laws(sentence: Sentence, context: Context) -> list[Check]:
    """Since when a law holds."""
    checks = []
    for regime in regimes.regimes().values():
        if not regime.milestones or not any(sentence.says(rf"\b{re.escape(name)}\b") for name in regime.names):
            continue
        said = re.search(rf"\b(early|late|mid|{'|'.join(_MONTHS)})?[- ]?(20\d\d)\b", sentence.text, re.IGNORECASE)
        if said is None:
            continue
        meant = [each for each in regime.milestones if any(sentence.says(word) for word in each.words)]
        if sentence.says(r"\bfull\w*\b"):
            meant = [regime.milestones[-1]]
        meant = meant or list(regime.milestones)
        right = any(_same_time(said, each.day) for each in meant)
        checks.append(
            Check(
                relation="law",
                verdict="right" if right else "wrong",
                sums=tuple(f"{each.day}: {each.what}" for each in regime.milestones),
                facts=tuple(dict.fromkeys(f"{each.source}, {each.as_of}" for each in meant)),
            )
        )
    return checks


def _same_time(said: re.Match[str], day: str) -> bool:
    year, month = int(day[:4]), int(day[5:7])
    if int(said[2]) != year:
        return False
    word = (said[1] or "").lower()
    if word in _MONTHS:
        return _MONTHS.index(word) + 1 == month
    spans = {"early": range(1, 5), "mid": range(5, 9), "late": range(9, 13)}
    return month in spans.get(word, range(1, 13))


def images(sentence: Sentence, context: Context) -> list[Check]:
    """Tokens an image takes."""
    if not sentence.says(r"\bimages?\b|\bpictures?\b"):
        return []
    amount = next((each for each in sentence.quantities if each.unit == "token" and each.per in ((), ("image",))), None)
    named = next((each for each in sentence.models if each.model and each.model.name in _IMAGE_TOKENS), None)
    if amount is None or named is None or named.model is None:
        return []
    high, low = _IMAGE_TOKENS[named.model.name]
    right, factor = fact_agrees((amount.low, amount.high), (high, high), about=amount.about)
    right = right or fact_agrees((amount.low, amount.high), (low, low))[0]
    return [
        Check(
            relation="image tokens",
            verdict="right" if right else "wrong",
            stated=(amount.low, amount.high),
            computed=(high, high),
            unit="tokens",
            factor=factor,
            sums=(f"85 + 4 tiles x 170 = {high} tokens at 1024 x 1024 in high detail; {low} in low detail",),
            facts=("OpenAI's guide to images and vision, November 2026",),
        )
    ]
