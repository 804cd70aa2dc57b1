"""Nobody answers: which error that is, what stands against each, and who would serve the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twintrack.config.snapshot import PrivacyRule, Route, Snapshot
from twintrack.errors import Forbidden, NoEligibleModel, PromptTooLong, TwintrackError, Unavailable, UpstreamError
from twintrack.policy.compiled import RUNG, Policy, View
from twintrack.policy.explain import fix_sentence, objection_sentence, rule_place, wanted_words
from twintrack.policy.objections import CONTEXT, KEY, PASSING, PRIVACY, RuledOut, Rules, rule_code
from twintrack.signals.signals import Signals

if TYPE_CHECKING:
    from twintrack.policy.choose import Decision

_MOST_NAMED = 8


class NobodyMay(NoEligibleModel):
    """Lasting objections stand against every deployment."""

    ruled_out: tuple[RuledOut, ...] = ()
    would: str = ""
    """Where its class or what was found in it is what stands against it: whose rules these are, and who would serve it.
    Whoever knows what made it this class says what helps."""


class TooLongForAll(PromptTooLong):
    """Some deployment could answer if the prompt were shorter, and none as it is."""

    ruled_out: tuple[RuledOut, ...] = ()


class NobodyReady(Unavailable):
    """Some deployment could answer, but not right now."""

    ruled_out: tuple[RuledOut, ...] = ()


class KeyMayNot(Forbidden):
    """The key covers none of the deployments."""

    ruled_out: tuple[RuledOut, ...] = ()


Refusal = NobodyMay | TooLongForAll | NobodyReady | KeyMayNot


def refusal(
    policy: Policy, ruled_out: tuple[RuledOut, ...], signals: Signals, view: View, route: Route | None, key: int
) -> Refusal:
    """
    Args:
        view: what the request may meet.
        route: None: the client named a deployment.
    """
    snapshot = policy.snapshot
    codes = {code for _, code, _, _ in ruled_out}
    passing = codes & PASSING
    # Where some could answer in a moment, only what stands against those is news.
    told = [each for each in ruled_out if each[1] in passing] if passing else list(ruled_out)
    why = "; ".join(
        f"{snapshot.deployments[index].name}: {objection_sentence(code, have, need)}"
        for index, code, have, need in told[:_MOST_NAMED]
    )
    if len(told) > _MOST_NAMED:
        why += f"; and {len(told) - _MOST_NAMED} more"
    error: Refusal
    if passing:
        error = NobodyReady(_nobody_can(signals), why=why, fix="Try again shortly.")
    elif codes == {KEY}:
        error = KeyMayNot("This key may not use any model that could answer", why=why, fix=fix_sentence(KEY))
    elif CONTEXT in codes:
        # Whatever stands against the others, those whose window is too small have nothing else against the request.
        window = max(have for _, code, have, _ in ruled_out if code == CONTEXT)
        tokens, output = signals.prompt_tokens_est, signals.max_output_tokens
        error = TooLongForAll(tokens, output, window, why=why, fix=fix_sentence(CONTEXT))
    elif codes & PRIVACY:
        places, served = _served(snapshot, ruled_out, RUNG[signals.data_class], view, route, key)
        would = f"By {places} {served}."
        error = NobodyMay("No model can serve this request", why=why, fix=f"{would} {_helps(signals)}")
        error.would = would
    else:
        fix = fix_sentence(told[-1][1]) if told else "Add deployments to the route."
        error = NobodyMay("No model can serve this request", why=why, fix=fix)
    error.ruled_out = ruled_out
    return error


def _nobody_can(signals: Signals) -> str:
    return f"No deployment that may see {signals.data_class} data can answer right now"


def unreached(
    policy: Policy, decision: Decision, signals: Signals, route: Route | None, key: int, error: UpstreamError
) -> TwintrackError:
    """What a client is told when nobody that was asked could be reached: who would serve it too, where its class kept
    others out."""
    barred = tuple(each for each in decision.ruled_out if each[1] in PRIVACY)
    if not barred:
        return error
    view = policy.view(signals.data_class, route=route, key=key, categories=signals.categories)
    places, served = _served(policy.snapshot, barred, RUNG[signals.data_class], view, route, key)
    names = ", ".join(each.deployment.name for each in decision.order[:_MOST_NAMED])
    why = f"{names}: {error.what}" + (f", {error.why}" if error.why else "")
    return Unavailable(_nobody_can(signals), why=why, fix=f"Start it again, or add another one. By {places} {served}")


def _helps(signals: Signals) -> str:
    if signals.categories:
        return f"Add one, or leave out what was found in the request ({', '.join(signals.categories)})."
    return "Add one, or label the request with the class it really has."


def _served(
    snapshot: Snapshot, ruled_out: tuple[RuledOut, ...], rung: int, view: View, route: Route | None, key: int
) -> tuple[str, str]:
    """Where it is said that these may not, and who would serve it."""
    names = ["", route.name if route is not None else "", "", ""]
    if key >= 0:
        who = snapshot.keys[key]
        names[2] = who.name
        names[3] = snapshot.tenants[who.tenant].name if who.tenant >= 0 else ""
    rules = (rule_code(code, need) for _, code, _, need in ruled_out if code in PRIVACY)
    places = dict.fromkeys(rule_place(rule, names) for rule in rules)
    return " and ".join(places), wanted_words(together(view.rules, rung))


def together(rules: Iterable[Rules], rung: int) -> PrivacyRule:
    """One rule that asks for what all of these do, for reading: of several lists of patterns it holds them all."""
    each = [one for group in rules for one in group.rules[: rung + 1]]
    limits = [one.max_retention_days for one in each if one.max_retention_days >= 0]
    zones = each[0].zones
    persons: tuple[str, ...] = ()
    for one in each:
        zones = tuple(zone for zone in zones if zone in one.zones)
        if one.persons:
            persons = tuple(who for who in persons if who in one.persons) if persons else one.persons
    return PrivacyRule(
        zones,
        _narrow(pattern for one in each for pattern in one.regions),
        _narrow(pattern for one in each for pattern in one.providers),
        min(limits, default=-1),
        any(one.no_training for one in each),
        any(one.baa for one in each),
        any(one.dpa for one in each),
        persons,
    )


def _narrow(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in patterns if each != "*"))
