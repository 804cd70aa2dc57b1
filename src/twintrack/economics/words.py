"""A plan in sentences, each with the numbers it rests on."""

from __future__ import annotations

import msgspec

from twintrack.economics.amounts import count, usd
from twintrack.economics.draws import SURE
from twintrack.economics.inputs import specs
from twintrack.economics.phases import day_in, pairing, switch_month
from twintrack.economics.planning import Plan, Priced


class Recommendation(msgspec.Struct, frozen=True):
    key: str | None
    """The option recommended; None: too close, or nothing is left."""
    p_cheapest: float | None
    """None: nobody drew."""
    sure: bool
    measure: str | None
    """Name of the input to find out first, where it is too close."""
    sentences: tuple[str, ...]


def recommend(plan: Plan) -> Recommendation:
    if not plan.options:
        return Recommendation(
            None, None, False, None,
            ("Nothing is left: every option is ruled out. See why below, and relax the need that costs most.",),
        )  # fmt: skip
    best = plan.options[0]
    option = best.candidate.option
    months = int(plan.workload["horizon_months"])
    second = plan.options[1] if len(plan.options) > 1 else None
    p = plan.sureness[0].p_cheapest if plan.sureness else None
    sure = p is None or p >= SURE or second is None
    said = []
    measure = None
    if sure:
        certain = "" if p is None else f", with a probability of {p:.0%}" if p < 0.995 else ", in practice for certain"
        said.append(
            f"Take {option.title}: {usd(best.monthly_usd)} a month for {count(plan.workload.tokens_per_day)} tokens a "
            f"day, {usd(best.total_usd)} over {months} months, the cheapest of {len(plan.options)} options{certain}."
        )
    else:
        assert second is not None
        assert p is not None
        open_inputs = [weight for weight in plan.weights if weight.origin != "measured"]
        measure = open_inputs[0].name if open_inputs else None
        said.append(
            f"Too close: {option.title} ({usd(best.monthly_usd)} a month) is the cheapest in {p:.0%} of the draws, "
            f"{second.candidate.option.title} costs {usd(second.monthly_usd)}."
        )
        if measure is not None:
            weight = open_inputs[0]
            said.append(
                f"Measure {input_words(measure)}: it is {weight.origin} and explains {weight.share:.0%} of the "
                "difference between the two."
            )
    if sure and second is not None:
        said.append(
            f"Next is {second.candidate.option.title} at {usd(second.monthly_usd)} a month, "
            f"{usd(second.total_usd - best.total_usd)} more over the horizon."
        )
    said += _against_closed(plan, best)
    said += _break_even(plan)
    if best.candidate.duties:
        duties = "; ".join(duty.rstrip(".") for duty in best.candidate.duties)
        said.append(f"Using {option.model} there asks for: {duties}.")
    guessed = [name for name in ("requests_per_day", "input_tokens", "output_tokens", "peak_to_mean")
               if plan.inputs[name].origin == "assumed"]  # fmt: skip
    if guessed:
        words = "; ".join(f"{input_words(name)} ({specs()[name].what})" for name in guessed)
        said.append(f"Assumed, not known: {words}.")
    return Recommendation(option.key if sure else None, p, sure, measure, tuple(said))


def _against_closed(plan: Plan, best: Priced) -> list[str]:
    closed = plan.best("closed_api")
    if closed is None or closed is best:
        return []
    saved = 1 - best.monthly_usd / closed.monthly_usd if closed.monthly_usd else 0.0
    word = f"{saved:.0%} less" if saved >= 0 else f"{-saved:.0%} more"
    return [
        f"That is {word} than the cheapest closed model, {closed.candidate.option.title} at "
        f"{usd(closed.monthly_usd)} a month; whether it is as good for you, an evaluation has to say."
    ]


def _break_even(plan: Plan) -> list[str]:
    sold = plan.best("closed_api", "managed_api")
    found = pairing(plan, sold)
    if found is None or sold is None:
        return []
    rising = [crossing for crossing in found.crossings if crossing.cheaper_above == "selfhost"]
    if not rising:
        reason = (
            f"one engine takes {count(found.engine_takes_tokens_per_day)} tokens a day and would have to take "
            f"{count(found.one_engine_tokens_per_day)}"
            if found.one_engine_tokens_per_day
            else "the alternative costs nothing"
        )
        return [f"Own engines never break even with {found.alternative.title}: {reason}."]
    first = rising[0]
    more = f", the first of {len(found.crossings)} crossings" if len(found.crossings) > 1 else ""
    said = (
        f"Own engines ({found.selfhost.title}) cost less than {found.alternative.title} from "
        f"{count(first.tokens_per_day)} tokens a day on {first.engines} engine{'s' * (first.engines > 1)}{more}; today "
        f"it is {count(plan.workload.tokens_per_day)}."
    )
    month, why = switch_month(plan, found)
    when = f"From {day_in(plan.on, month):%B %Y} on: {why}." if month is not None else f"Not within the horizon: {why}."
    return [said, when]


def input_words(name: str) -> str:
    """What an input is, in words a reader of the workload file finds again."""
    word, _, where = name.partition(":")
    if word == "speed":
        return f"the throughput of {where}"
    spec = specs().get(word)
    section = f"{spec.section}." if spec is not None else ""
    return f"{section}{word}" + (f" of {where}" if where else "")
