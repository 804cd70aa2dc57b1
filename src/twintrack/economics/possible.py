"""What could be done for a workload: offers by the token, engines of one's own, and both together."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from twintrack.catalog import carbon, models
from twintrack.catalog import gpus as gpu_facts
from twintrack.catalog.prices import Prices
from twintrack.economics import bill, calibration, eligibility, market, shape, sizing
from twintrack.economics.bill import Engines, Option
from twintrack.economics.calibration import Calibration
from twintrack.economics.eligibility import RuledOut
from twintrack.economics.inputs import Input
from twintrack.economics.market import Offer
from twintrack.economics.sizing import Engine
from twintrack.economics.workload import Workload

_MOST_OF_A_KIND = 3
_USUAL_GPUS = ("h100-sxm", "h200-sxm", "b200-sxm", "a100-pcie", "l40s", "rtx-pro-6000-server")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option with what has to be known of it beside its bill."""

    option: Option
    duties: tuple[str, ...]
    engine: Engine | None
    """What it runs on, or what an API of an open model may run on."""


def apis(
    workload: Workload, listed: Prices, on: datetime.date, ruled_out: list[RuledOut], made: Calibration
) -> list[Candidate]:
    """The cheapest offers of each kind that nothing speaks against; those named are taken whatever they cost."""
    wanted = workload.candidates
    middle = {name: one.value for name, one in workload.inputs.items()}
    found: dict[bool, list[tuple[float, Option]]] = {True: [], False: []}
    longest = max(cell.input_tokens + cell.output_tokens for cell in workload.lengths)
    seen: set[str] = set()
    for offer in market.offers(listed, workload.prices):
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
        price=offer.price,
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


def engines(
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


def hybrids(workload: Workload, candidates: Sequence[Candidate]) -> list[Candidate]:
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
