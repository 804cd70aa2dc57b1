"""What a route's cascade and its classifier may not say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twintrack.config.effective import Endpoint, Report
from twintrack.config.settings import Cascade, Classifier, Route
from twintrack.config.source import shown
from twintrack.errors import nearest
from twintrack.wire.deviations import Refuses

_AGREEING = 2
_TELL = frozenset(("openai", "responses", "gemini"))
"""Dialects that have log-probabilities."""
_LOOKS_AROUND = re.compile(r"\\[1-9]|\(\?(?:[=!]|<[=!]|P=|\()")
"""What the engines that match without going back do not have."""


def cascade_problems(
    cascade: Cascade, route: Route, endpoints: Mapping[str, Endpoint], models: Mapping[str, str], report: Report
) -> None:
    """
    Args:
        endpoints: of the provider, by deployment; those that could be filled in.
        models: by deployment.
        report: takes paths below the cascade's.
    """
    last = set(route.tiers[-1].deployments) if route.tiers else set()
    cheaper = list(dict.fromkeys(each for tier in route.tiers[:-1] for each in tier.deployments if each not in last))
    if not cascade.check:
        report(("check",), "is empty, so every draft would be believed", 'Name one, like check = ["schema"].')
    if len(route.tiers) == 1:
        report((), "has nobody to draft: the route has one tier", "Add a cheaper tier in front.")
        return
    if route.mode == "observe":
        report((), "drafts nothing: the route observes", 'Use mode = "route", or remove it.')
    for place, name in enumerate(cascade.drafts):
        _known(("drafts", place), name, cheaper, "a deployment of the tiers below the last", report)
    drafts = list(cascade.drafts) or cheaper
    repeated = {name for name in cascade.drafts if cascade.drafts.count(name) > 1}
    if repeated and "agreement" not in cascade.check:
        fix = 'Name each once, or add "agreement" to check.'
        report(("drafts",), "names a deployment twice, and whether they agree is not checked", fix)
    if cascade.repeat_temperature is not None and not repeated:
        report(("repeat_temperature",), "is set, and no deployment drafts twice", "Name one twice, or remove it.")
    if "agreement" in cascade.check and len(drafts) < _AGREEING:
        fix = "Add a second cheap deployment, or check something else."
        report(("check",), "asks for agreement, and only one deployment could draft", fix)
    if cascade.believe and "agreement" not in cascade.check:
        report(("believe",), "is set, but agreement is not checked", 'Add "agreement" to check, or remove it.')
    if cascade.believe and not cascade.drafts:
        report(("believe",), "is set, and drafts are not named", "Name them in the order in which they are asked.")
    for place, pair in enumerate(cascade.believe):
        for at, name in enumerate(pair):
            _known(("believe", place, at), name, drafts, "a deployment that drafts", report)
        if pair[0] == pair[1] and pair[0] not in repeated:
            report(("believe", place), "is a deployment and itself", "Name two, or let it draft twice.")
    _logprobs(cascade, drafts, endpoints, models, report)
    _rules(cascade, report)


def classifier_problems(said: Classifier, known: list[str], endpoints: Mapping[str, Endpoint], report: Report) -> None:
    """Arguments as those of `cascade_problems`; `known`: all deployments."""
    _known(("deployment",), said.deployment, known, "a deployment", report)
    at = endpoints.get(said.deployment)
    if at is not None and at.zone != "own":
        what = f"is {shown(said.deployment)}, in zone {at.zone}"
        report(("deployment",), what, "It reads requests before they are decided: name one on your own machines.")
    elif at is not None and "openai" not in at.dialects:
        report(
            ("deployment",), f"is {shown(said.deployment)}, which does not speak the OpenAI dialect", "Name another."
        )


def _known(path: tuple[str | int, ...], name: str, known: list[str], thing: str, report: Report) -> None:
    if name in known:
        return
    near = nearest(name, known, most=1)
    fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known[:10])}."
    report(path, f"is {shown(name)}, which is not the name of {thing}", fix)


def _logprobs(
    cascade: Cascade, drafts: list[str], endpoints: Mapping[str, Endpoint], models: Mapping[str, str], report: Report
) -> None:
    if "logprobs" not in cascade.check:
        return
    for name in dict.fromkeys(drafts):
        why = _silent(endpoints[name], models[name]) if name in endpoints else ""
        if why:
            what = f"asks for log-probabilities, which {name} does not tell: {why}"
            report(("check",), what, "Name other drafts, or check something else.")
            return


def _silent(at: Endpoint, model: str) -> str:
    """Why a provider tells no log-probabilities, as far as is known before it is asked; empty: it may."""
    if not _TELL.intersection(at.dialects):
        return "its dialect has no word for them"
    refused = any(
        isinstance(row, Refuses) and "logprobs" in row.members and row.endpoint == "chat" and not row.unless_body_says
        for row in at.deviations
        if row.holds((model.lower(),))
    )
    return "its provider refuses them" if refused and at.dialects[0] == "openai" else ""


def _rules(cascade: Cascade, report: Report) -> None:
    said = (cascade.must_match, cascade.must_not_match, cascade.min_chars, cascade.max_chars)
    if any(each not in ((), 0, None) for each in said) and "match" not in cascade.check:
        report(("check",), "does not name match, and rules for it are set", 'Add "match", or remove them.')
    if "match" in cascade.check and all(each in ((), 0, None) for each in said):
        report(("check",), "names match, and no rule is set", "Set must_match, must_not_match, min_chars or max_chars.")
    for word in ("must_match", "must_not_match"):
        for place, pattern in enumerate(getattr(cascade, word)):
            try:
                re.compile(pattern)
            except re.error as error:
                report((word, place), f"is no regular expression: {error}", "Correct it.")
                continue
            if not pattern or _LOOKS_AROUND.search(pattern):
                fix = "Write it without look-around, conditions and back-references."
                report((word, place), "is a regular expression that cannot be matched in one pass", fix)
    if cascade.max_chars is not None and cascade.max_chars < cascade.min_chars:
        report(("max_chars",), "is less than min_chars", "No answer could pass.")
