"""From a workload to a plan: what is allowed, what it costs, what is cheapest and how sure that is."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from twintrack.catalog import carbon, models
from twintrack.catalog import gpus as gpu_facts
from twintrack.economics import bill, breakeven, calibration, draws, eligibility, energy, market, shape, sizing, tuning
from twintrack.economics.bill import Engines, Option
from twintrack.economics.breakeven import Crossing, Payback
from twintrack.economics.calibration import Calibration
from twintrack.economics.draws import Sureness, Weight
from twintrack.economics.eligibility import RuledOut
from twintrack.economics.energy import Footprint
from twintrack.economics.inputs import Input
from twintrack.economics.market import Offer
from twintrack.economics.sizing import Engine
from twintrack.economics.tuning import Tuned
from twintrack.economics.workload import DAYS_PER_MONTH, Workload

_MOST_OF_A_KIND = 3
_USUAL_GPUS = ("h100-sxm", "h200-sxm", "b200-sxm", "a100-pcie", "l40s", "rtx-pro-6000-server")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option with what has to be known of it beside its bill."""

    option: Option
    duties: tuple[str, ...]
    engine: Engine | None
    """What it runs on, or what an API of an open model may run on."""


@dataclass(frozen=True, slots=True)
class Priced:
    candidate: Candidate
    lines: dict[str, float]
    monthly_usd: float
    once_usd: float
    total_usd: float
    engines: int
    usd_per_mtok: float
    """Reserved: what it costs by the tokens served."""
    footprint: Footprint


@dataclass(frozen=True, slots=True)
class Pairing:
    """Self-hosting against something sold by the token."""

    selfhost: Option
    alternative: Option
    one_engine_tokens_per_day: float | None
    """Volume at which the alternative costs as much as one engine and its staff, whether or not it can serve that."""
    engine_takes_tokens_per_day: float
    crossings: tuple[Crossing, ...]
    payback: Payback


@dataclass(frozen=True, slots=True)
class Plan:
    workload: Workload
    on: datetime.date
    options: tuple[Priced, ...]
    """By what they cost over the horizon, the cheapest first, and of equally cheap ones the best."""
    ruled_out: tuple[RuledOut, ...]
    sureness: tuple[Sureness, ...]
    """In the order of `options`; empty: no draws."""
    weights: tuple[Weight, ...]
    """What decides between the two best."""
    pairings: tuple[Pairing, ...]
    inputs: dict[str, Input]
    """The workload's, with rents and capacities."""
    made: Calibration
    tuned: tuple[Tuned, ...] = ()
    """Empty: the workload does not ask."""

    def best(self, *kinds: str) -> Priced | None:
        return next((priced for priced in self.options if priced.candidate.option.kind in kinds), None)


def plan(workload: Workload, *, on: datetime.date, sure: bool = True, made: Calibration | None = None) -> Plan:
    """Everything a plan says, in numbers.

    Args:
        on: the day whose prices hold.
        sure: draw 10,000 times what is not known exactly; else only the middle of everything.
    """
    made = calibration.shipped() if made is None else made
    ruled_out: list[RuledOut] = []
    inputs = dict(workload.inputs)
    candidates = _apis(workload, on, ruled_out, made)
    candidates += _engines(workload, inputs, ruled_out, made, on)
    candidates += _hybrids(workload, candidates)
    middle = {name: one.value for name, one in inputs.items()}
    months = int(workload["horizon_months"])
    priced = [_priced(each, workload, middle, months, made) for each in candidates]
    priced.sort(key=lambda each: (round(each.total_usd, 2), -(each.candidate.option.quality or 0.0)))
    options = [each.candidate.option for each in priced]
    sureness: list[Sureness] = []
    weights: list[Weight] = []
    if sure and options:
        drawn = draws.sample(_that_matter(inputs, options))
        sureness, _ = draws.judge(options, drawn, months)
        if len(options) > 1:
            weights = draws.weigh(options[0], options[1], _that_matter(inputs, options[:2]), drawn, months)
    return Plan(
        workload=workload,
        on=on,
        options=tuple(priced),
        ruled_out=tuple(dict.fromkeys(ruled_out)),
        sureness=tuple(sureness),
        weights=tuple(weights),
        pairings=tuple(_pairings(priced, middle)),
        inputs=inputs,
        made=made,
        tuned=tuning.ways(
            workload,
            {
                each.candidate.option.model: each.monthly_usd
                for each in priced
                if each.candidate.option.kind == "closed_api"
            },
            {
                each.candidate.option.model: (each.monthly_usd, each.candidate.engine.setup.gpu.name)
                for each in priced
                if each.candidate.option.kind == "selfhost" and each.candidate.engine is not None
            },
        ),
    )


# ---- what could be done


def _apis(workload: Workload, on: datetime.date, ruled_out: list[RuledOut], made: Calibration) -> list[Candidate]:
    """The cheapest offers of each kind that nothing speaks against; those named are taken whatever they cost."""
    wanted = workload.candidates
    middle = {name: one.value for name, one in workload.inputs.items()}
    found: dict[bool, list[tuple[float, Option]]] = {True: [], False: []}
    longest = max(cell.input_tokens + cell.output_tokens for cell in workload.lengths)
    seen: set[str] = set()
    for offer in market.offers(on, workload.prices):
        named = wanted.managed if offer.open_weights else wanted.closed
        own = any(price.model in (offer.model,) for price in workload.prices)
        if named and offer.model not in named:
            continue
        if not named and (wanted.closed or wanted.managed or wanted.selfhost) and not own:
            continue
        objections = eligibility.model_objections(offer.model, workload.needs, longest, workload.least_quality)
        if objections and offer.model not in seen:
            ruled_out += objections
        seen.add(offer.model)
        objections += (places := eligibility.place_objections(
            offer.provider, "third_party", workload.needs, on
        ))  # fmt: skip
        ruled_out += places
        if objections:
            continue
        option = _api_option(offer, workload)
        found[offer.open_weights].append((float(bill.monthly_usd(option, middle)), option))
    kept = []
    for open_weights, named in ((False, wanted.closed), (True, wanted.managed)):
        cheapest = _one_offer_a_model(sorted(found[open_weights], key=lambda pair: pair[0]))
        kept += [
            option
            for place, option in enumerate(cheapest)
            if named or place < _MOST_OF_A_KIND or option.model in workload.current
        ]
    return [
        Candidate(
            option,
            eligibility.contracts(option.provider, "third_party", workload.needs, on),
            _reference(option.model, workload, made) if option.kind == "managed_api" else None,
        )
        for option in kept
    ]


def _one_offer_a_model(rows: Iterable[tuple[float, Option]]) -> list[Option]:
    """Of each model, its cheapest offer; a reseller of the same price adds nothing."""
    kept: dict[str, Option] = {}
    for _, option in rows:
        kept.setdefault(option.model, option)
    return list(kept.values())


def _api_option(offer: Offer, workload: Workload) -> Option:
    return Option(
        key=f"{offer.model}@{offer.provider}",
        kind="managed_api" if offer.open_weights else "closed_api",
        model=offer.model,
        provider=offer.provider,
        title=f"{offer.model} at {offer.provider}",
        quality=offer.quality,
        tokens=market.tokens(offer, workload.lengths),
        source=offer.price.source,
    )


def _reference(model: str, workload: Workload, made: Calibration) -> Engine | None:
    form, gpu = shape.find(model), gpu_facts.find_gpu("h100-sxm")
    if form is None or gpu is None:
        return None
    found = sizing.engines(
        form, gpu, input_tokens=workload["input_tokens"], output_tokens=workload["output_tokens"],
        max_ms_per_token=100, max_ttft_ms=None, made=made,
    )  # fmt: skip
    if isinstance(found, sizing.TooSlow):
        return None
    return max(found, key=lambda engine: engine.tok_s.value / engine.setup.gpus)


def _engines(
    workload: Workload, inputs: dict[str, Input], ruled_out: list[RuledOut], made: Calibration, on: datetime.date
) -> list[Candidate]:
    """For each model the engines that cost least; of all models the cheapest few, or those named."""
    wanted = workload.candidates
    if not wanted.selfhost and (wanted.closed or wanted.managed):
        return []
    names = wanted.selfhost or tuple(
        model.name
        for model in models.models().values()
        if model.kind == "open" and not model.embeddings and not model.demo and shape.find(model.name) is not None
    )
    longest = max(cell.input_tokens + cell.output_tokens for cell in workload.lengths)
    found: list[tuple[float, Candidate]] = []
    for name in names:
        objections = eligibility.model_objections(name, workload.needs, longest, workload.least_quality)
        if (model := models.find(name)) is not None and model.kind == "closed":
            ruled_out.append(RuledOut(name, "own engines", "capability", "its weights cannot be had"))
            continue
        licence, duties = eligibility.licence_objection(
            name, workload.needs, workload["requests_per_day"] * bill.HOURS_PER_MONTH / 24
        )
        if licence is not None:
            objections.append(licence)
        objections += eligibility.place_objections("own engines", "own", workload.needs, on)
        known = {(each.model, each.where, each.ground) for each in ruled_out}
        ruled_out += [each for each in objections if (each.model, each.where, each.ground) not in known]
        if objections:
            continue
        form = shape.find(name)
        if form is None:
            ruled_out.append(RuledOut(name, "own engines", "memory", "the catalogue does not know how it is built"))
            continue
        duties += eligibility.contracts("", "own", workload.needs, on)
        if wanted.spot:
            duties += ("spot: engines may be taken away within minutes; keep another deployment to fall back on",)
        best = _best_engine(name, form, workload, inputs, ruled_out, made, duties)
        if best is not None:
            found.append(best)
    found.sort(key=lambda pair: pair[0])
    kept = [candidate for _, candidate in (found if wanted.selfhost else found[:_MOST_OF_A_KIND])]
    if wanted.own_hardware and kept:
        kept.append(_owned(kept[0]))
    return kept


def _best_engine(
    name: str,
    form: shape.Shape,
    workload: Workload,
    inputs: dict[str, Input],
    ruled_out: list[RuledOut],
    made: Calibration,
    duties: tuple[str, ...],
) -> tuple[float, Candidate] | None:
    """The GPUs and width at which the workload's month is cheapest."""
    best: tuple[float, Candidate] | None = None
    reasons = []
    for gpu_name in workload.candidates.gpus or _USUAL_GPUS:
        gpu = gpu_facts.gpus()[gpu_name]
        rent = _rent(gpu_name, workload)
        if rent is None:
            reasons.append(
                RuledOut(name, gpu.title, "capability", "nobody in the catalogue rents it out: state its rent")
            )
            continue
        needs = workload.needs
        sized = sizing.engines(
            form, gpu, input_tokens=workload["input_tokens"], output_tokens=workload["output_tokens"],
            max_ms_per_token=needs.max_ms_per_token, max_ttft_ms=needs.max_ttft_ms,
            context_tokens=needs.context_tokens, gpus=workload.candidates.gpus_per_engine,
            bits=workload.candidates.weight_bits, made=made,
        )  # fmt: skip
        if isinstance(sized, sizing.TooSlow):
            ground = "memory" if "fit" in sized.why else "latency"
            reasons.append(RuledOut(name, gpu.title, ground, sized.why))  # type: ignore[arg-type]
            continue
        for engine in sized:
            option = _engine_option(name, engine, workload)
            terms = option.engines
            assert terms is not None
            here = {**inputs, terms.rent: rent, terms.speed: _speed(terms.speed, engine)}
            usd = float(bill.monthly_usd(option, {each: one.value for each, one in here.items()}))
            if best is None or usd < best[0]:
                best = usd, Candidate(option, duties, engine)
                chosen = here
    if best is None:
        ruled_out += reasons
        return None
    inputs.update(chosen)
    return best


def _engine_option(name: str, engine: Engine, workload: Workload) -> Option:
    setup = engine.setup
    model = models.find(name)
    where = f"{setup.gpus}x{setup.gpu.name}"
    return Option(
        key=f"{name}@{where}",
        kind="selfhost",
        model=name,
        provider="own engines",
        title=f"{name} on own engines of {engine.title}",
        quality=None if model is None else model.quality,
        engines=Engines(
            engine=engine,
            rent=f"usd_per_gpu_hour:{setup.gpu.name}",
            speed=f"speed:{name}@{where}",
            input_tokens=workload["input_tokens"],
            output_tokens=workload["output_tokens"],
        ),
        source=f"calibration of {engine.setup.gpu.title}, {calibration.shipped().fitted}",
    )


def _owned(candidate: Candidate) -> Candidate:
    option = candidate.option
    terms = option.engines
    assert terms is not None
    gpu = terms.engine.setup.gpu
    server_w = carbon.overhead()["server_w_without_gpu"].mid / gpu.gpus_per_node
    owned = Engines(
        engine=terms.engine, rent=terms.rent, speed=terms.speed, input_tokens=terms.input_tokens,
        output_tokens=terms.output_tokens, owned=True, kw_per_gpu=(gpu.power_w + server_w) / 1000,
        uplift=gpu_facts.purchase()["hardware_uplift"].mid,
    )  # fmt: skip
    bought = Option(
        key=f"{option.key} bought", kind="own_hardware", model=option.model, provider="own hardware",
        title=f"{option.model} on bought {terms.engine.title}", quality=option.quality, engines=owned,
        source="ownership.toml",
    )  # fmt: skip
    return Candidate(bought, candidate.duties, candidate.engine)


def _rent(gpu: str, workload: Workload) -> Input | None:
    """What the workload says, else the middle of what is offered, spot left out unless it is asked for."""
    name = f"usd_per_gpu_hour:{gpu}"
    said = workload.inputs["usd_per_gpu_hour"]
    if said.origin != "assumed":
        return msgspec.structs.replace(said, name=name)
    mode = "spot" if workload.candidates.spot else "on_demand"
    offered = sorted(row.usd_per_gpu_hour for row in gpu_facts.rentals(gpu, mode=mode))  # type: ignore[arg-type]
    if not offered:
        return None
    middle = offered[(len(offered) - 1) // 2]
    rows = gpu_facts.rentals(gpu, mode=mode)  # type: ignore[arg-type]
    source = f"{len(rows)} offers of {', '.join(sorted({row.provider for row in rows}))}, read {rows[0].as_of}"
    return Input(name, middle, offered[0], offered[-1], "USD", "assumed", source)


def _speed(name: str, engine: Engine) -> Input:
    tok_s = engine.tok_s
    return Input(
        name, 1.0, tok_s.low / tok_s.value, tok_s.high / tok_s.value, "times the estimate", "assumed",
        f"calibration: {tok_s.value:,.0f} output tokens/s, 80 % interval {tok_s.low:,.0f} to {tok_s.high:,.0f}",
    )  # fmt: skip


def _hybrids(workload: Workload, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The easy share at the cheapest open way, the rest at the best closed model."""
    middle_kinds = ("managed_api", "selfhost")
    closed = [each for each in candidates if each.option.kind == "closed_api"]
    cheap = [each for each in candidates if each.option.kind in middle_kinds]
    if not closed or not cheap:
        return []
    premium = max(closed, key=lambda each: each.option.quality or 0.0)
    found = []
    for kind in middle_kinds:
        first = next((each for each in cheap if each.option.kind == kind), None)
        if first is None or first.option.model == premium.option.model:
            continue
        found.append(
            Candidate(
                Option(
                    key=f"{first.option.key} + {premium.option.key}",
                    kind="hybrid",
                    model=first.option.model,
                    provider=first.option.provider,
                    title=f"easy requests to {first.option.title}, the rest to {premium.option.title}",
                    quality=premium.option.quality,
                    cheap=first.option,
                    premium=premium.option,
                    source="both parts",
                ),
                first.duties,
                first.engine,
            )
        )
    return found


# ---- what it costs


def _priced(candidate: Candidate, workload: Workload, x: dict[str, float], months: int, made: Calibration) -> Priced:
    option = candidate.option
    lines = {name: float(usd) for name, usd in bill.lines(option, x).items()}
    monthly = sum(lines.values())
    part = option.cheap if option.cheap is not None and option.cheap.engines is not None else option
    count = 0
    if part.engines is not None:
        volume = x["easy_share"] if option.cheap is not None else 1.0
        count = int(np.asarray(bill.engines_needed(part.engines, x, volume=volume)))
    tokens = workload.tokens_per_day * DAYS_PER_MONTH
    return Priced(
        candidate=candidate,
        lines={name: usd for name, usd in lines.items() if usd},
        monthly_usd=monthly,
        once_usd=float(bill.once_usd(option, x)),
        total_usd=float(draws.total_usd(option, x, months)),
        engines=count,
        usd_per_mtok=monthly / tokens * 1e6,
        footprint=energy.footprint(option, workload, count, candidate.engine, made),
    )


def _pairings(priced: Sequence[Priced], x: dict[str, float]) -> Iterable[Pairing]:
    """The cheapest engines against the cheapest of what is sold by the token, and against each closed model."""
    own = [each.candidate.option for each in priced if each.candidate.option.kind in ("selfhost", "own_hardware")]
    sold = [each.candidate.option for each in priced if each.candidate.option.tokens is not None]
    for selfhost in own:
        for alternative in sold:
            steps = breakeven.steps(selfhost, alternative, x)
            most = max(1000 * x["requests_per_day"] * (x["input_tokens"] + x["output_tokens"]), 1e10)
            per_token = steps.alternative_usd_per_token
            yield Pairing(
                selfhost=selfhost,
                alternative=alternative,
                one_engine_tokens_per_day=(steps.fixed_usd + steps.engine_usd) / per_token if per_token > 0 else None,
                engine_takes_tokens_per_day=steps.engine_tokens,
                crossings=breakeven.crossings(steps, most),
                payback=breakeven.payback(selfhost, alternative, x),
            )


def _that_matter(inputs: dict[str, Input], options: Sequence[Option]) -> dict[str, Input]:
    """Inputs that some option's bill reads: rents and speeds of other engines are left out."""
    used = set()
    for option in options:
        for part in (option, option.cheap, option.premium):
            if part is not None and part.engines is not None:
                used |= {part.engines.rent, part.engines.speed}
    return {name: one for name, one in inputs.items() if ":" not in name or name in used}
