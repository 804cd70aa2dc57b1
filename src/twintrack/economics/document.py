"""A plan as programs read it: `twintrack plan --json`. Fields are added, never changed within a schema."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from twintrack.economics import phases as steps
from twintrack.economics.breakeven import Crossing
from twintrack.economics.draws import Weight
from twintrack.economics.eligibility import RuledOut
from twintrack.economics.energy import Footprint, Range
from twintrack.economics.inputs import Input
from twintrack.economics.phases import Phase
from twintrack.economics.planning import Plan, Priced
from twintrack.economics.tuning import Tuned
from twintrack.economics.words import Recommendation, recommend
from twintrack.economics.workload import Cell, Needs

SCHEMA = 1


class EngineOut(msgspec.Struct, frozen=True):
    gpu: str
    gpus: int
    weight_bits: float
    batch: int
    """Sequences running when it is full."""
    output_tok_s: Range
    ms_per_token: float
    ttft_ms: float
    most_sequences: int
    takes_tokens_per_day: float | None
    """Input and output, its peak and utilisation counted in."""


class OptionOut(msgspec.Struct, frozen=True):
    """Dollars of today's volume and prices; intervals are 80 %, null without draws."""

    key: str
    kind: str
    model: str
    provider: str
    title: str
    quality: float | None
    monthly_usd: float
    monthly_low_usd: float | None
    monthly_high_usd: float | None
    once_usd: float
    total_usd: float
    """Over the horizon, with what is paid once, growth and price changes."""
    total_low_usd: float | None
    total_high_usd: float | None
    p_cheapest: float | None
    usd_per_mtok: float
    lines: dict[str, float]
    engines: int
    engine: EngineOut | None
    energy: Footprint
    duties: tuple[str, ...]
    source: str


class PriceOut(msgspec.Struct, frozen=True):
    """Dollars per million tokens, discounts included."""

    key: str
    over_input_tokens: int
    """Holds for requests longer than this."""
    input_usd: float
    cached_usd: float
    output_usd: float
    source: str
    """With its day."""


class BreakEvenOut(msgspec.Struct, frozen=True):
    selfhost: str
    alternative: str
    tokens_per_day: float | None
    """The first volume from which engines cost no more; null: never."""
    one_engine_tokens_per_day: float | None
    """At which the alternative costs as much as one engine and its staff, whether or not one engine can serve it."""
    engine_takes_tokens_per_day: float
    crossings: tuple[Crossing, ...]
    month: int | None
    """Months from today until all that was spent is made up for; null: never within the horizon."""
    date: str | None
    selfhost_usd: tuple[float, ...]
    """Spent in all by the end of each month."""
    alternative_usd: tuple[float, ...]


class WorkloadOut(msgspec.Struct, frozen=True):
    name: str
    tokens_per_day: float
    inputs: tuple[Input, ...]
    lengths: tuple[Cell, ...]
    needs: Needs
    notes: tuple[str, ...]


class HybridOut(msgspec.Struct, frozen=True):
    """The split that costs least."""

    key: str
    easy_share: float
    cheap: str
    premium: str
    saved_usd_per_month: float
    """Against the premium model alone; negative is a loss."""


class Document(msgspec.Struct, frozen=True):
    schema: int
    on: str
    recommendation: Recommendation
    options: tuple[OptionOut, ...]
    """The cheapest over the horizon first."""
    prices: tuple[PriceOut, ...]
    """What the options pay by the token."""
    break_even: tuple[BreakEvenOut, ...]
    hybrid: HybridOut | None
    finetune: tuple[Tuned, ...]
    phases: tuple[Phase, ...]
    ruled_out: tuple[RuledOut, ...]
    what_matters: tuple[Weight, ...]
    workload: WorkloadOut
    calibration: str


def document(plan: Plan) -> Document:
    sureness = {each.key: each for each in plan.sureness}
    takes = {pair.selfhost.key: pair.engine_takes_tokens_per_day for pair in plan.pairings}
    options = []
    for priced in plan.options:
        option = priced.candidate.option
        sure = sureness.get(option.key)
        options.append(
            OptionOut(
                key=option.key,
                kind=option.kind,
                model=option.model,
                provider=option.provider,
                title=option.title,
                quality=option.quality,
                monthly_usd=priced.monthly_usd,
                monthly_low_usd=None if sure is None else sure.monthly_low_usd,
                monthly_high_usd=None if sure is None else sure.monthly_high_usd,
                once_usd=priced.once_usd,
                total_usd=priced.total_usd,
                total_low_usd=None if sure is None else sure.total_low_usd,
                total_high_usd=None if sure is None else sure.total_high_usd,
                p_cheapest=None if sure is None else sure.p_cheapest,
                usd_per_mtok=priced.usd_per_mtok,
                lines=priced.lines,
                engines=priced.engines,
                engine=_engine(priced, takes),
                energy=priced.footprint,
                duties=priced.candidate.duties,
                source=option.source,
            )
        )
    return Document(
        schema=SCHEMA,
        on=plan.on.isoformat(),
        recommendation=recommend(plan),
        options=tuple(options),
        prices=tuple(_prices(plan)),
        break_even=tuple(_break_even(plan)),
        hybrid=_hybrid(plan),
        finetune=plan.tuned,
        phases=tuple(steps.phases(plan)),
        ruled_out=plan.ruled_out,
        what_matters=plan.weights,
        workload=WorkloadOut(
            name=plan.workload.name,
            tokens_per_day=plan.workload.tokens_per_day,
            inputs=tuple(plan.inputs.values()),
            lengths=plan.workload.lengths,
            needs=plan.workload.needs,
            notes=plan.workload.notes,
        ),
        calibration=f"fitted {plan.made.fitted} to {len(plan.made.sources)} sets of measurements",
    )


def _engine(priced: Priced, takes: dict[str, float]) -> EngineOut | None:
    option = priced.candidate.option
    part = option.cheap if option.cheap is not None else option
    if part.engines is None:
        return None
    engine = part.engines.engine
    return EngineOut(
        gpu=engine.setup.gpu.name,
        gpus=engine.setup.gpus,
        weight_bits=engine.setup.weight_bits,
        batch=engine.batch,
        output_tok_s=Range(engine.tok_s.value, engine.tok_s.low, engine.tok_s.high),
        ms_per_token=engine.ms_per_token,
        ttft_ms=engine.ttft_ms,
        most_sequences=engine.most_sequences,
        takes_tokens_per_day=takes.get(part.key),
    )


def _prices(plan: Plan) -> Iterator[PriceOut]:
    seen = set()
    for priced in plan.options:
        option = priced.candidate.option
        for part in (option, option.cheap, option.premium):
            if part is None or part.price is None or part.key in seen:
                continue
            seen.add(part.key)
            over, step = 0, part.price
            while True:
                yield PriceOut(
                    part.key,
                    over,
                    step.input_nusd_per_mtok / 1e9,
                    step.cache_read_nusd_per_mtok / 1e9,
                    step.output_nusd_per_mtok / 1e9,
                    part.price.source,
                )
                if step.long is None:
                    break
                over, step = step.long_input_tokens, step.long


def _break_even(plan: Plan) -> list[BreakEvenOut]:
    found = []
    for pair in plan.pairings:
        rising = [crossing for crossing in pair.crossings if crossing.cheaper_above == "selfhost"]
        month = pair.payback.month
        found.append(
            BreakEvenOut(
                selfhost=pair.selfhost.key,
                alternative=pair.alternative.key,
                tokens_per_day=rising[0].tokens_per_day if rising else None,
                one_engine_tokens_per_day=pair.one_engine_tokens_per_day,
                engine_takes_tokens_per_day=pair.engine_takes_tokens_per_day,
                crossings=pair.crossings,
                month=month,
                date=None if month is None else steps.day_in(plan.on, month).isoformat(),
                selfhost_usd=pair.payback.selfhost_usd,
                alternative_usd=pair.payback.alternative_usd,
            )
        )
    return found


def _hybrid(plan: Plan) -> HybridOut | None:
    best = plan.best("hybrid")
    if best is None:
        return None
    option = best.candidate.option
    assert option.cheap is not None
    assert option.premium is not None
    premium = next((each for each in plan.options if each.candidate.option is option.premium), None)
    return HybridOut(
        key=option.key,
        easy_share=plan.workload["easy_share"],
        cheap=option.cheap.key,
        premium=option.premium.key,
        saved_usd_per_month=0.0 if premium is None else premium.monthly_usd - best.monthly_usd,
    )
