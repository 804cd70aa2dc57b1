"""Statements about memory: which model fits which GPU, at how many bits, and what tuning it takes."""

from __future__ import annotations

from twintrack.catalog import gpus
from twintrack.catalog.gpus import Gpu
from twintrack.economics import finetune, memory, shape
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, Range, shown, sums_agree
from twintrack.economics.roofline import Setup
from twintrack.economics.shape import Shape

_FITS = (
    r"\bfits?\b|\bruns? on\b|\bcan (?:run|hold|serve)\b|\bholds?\b|\benough\b|\bneeds?\b|\btakes?\b|\brequires?\b"
    r"|\bon (?:a )?consumer\b"
)
_TUNES = r"\bfine.?tun\w+|\btraining\b|\btuning\b|\blora\b|\bqlora\b"
_CONSUMER_GB, _DATA_CENTRE_GB = 24, 80
_USABLE = 0.9


def fits(sentence: Sentence, context: Context) -> list[Check]:
    """`70B at 4 bits fits one 24 GB GPU`, `a 70B model in FP16 needs 140 GB`, `LoRA of 70B fits on 2 A100`."""
    if not sentence.says(_FITS) and not (sentence.having("bit") and sentence.says(r"consumer|card")):
        return []
    bits = [each.low for each in sentence.having("bit")]
    built = shape_of(sentence)
    if built is None:
        vague = next((named for named in sentence.models if not named.architecture), None)
        if vague is not None and bits and sentence.says(r"consumer"):
            return [_sizes(vague.title, bits[0])]
        return []
    tuned = sentence.says(_TUNES)
    wide = bits[0] if bits else built.weight_bits
    if tuned:
        method: finetune.Method = (
            "qlora" if sentence.says(r"\bqlora\b") else "lora" if sentence.says(r"\blora\b") else "full"
        )
        need, how = (
            _tuning_gb(sentence, built, method),
            {
                "full": "16 bytes a weight",
                "lora": "2 bytes a weight and the adapter",
                "qlora": "0.6 bytes a weight and the adapter",
            }[method],
        )
    else:
        need, how = built.total_b * wide / 8, f"{wide:g} bits a weight"
    sums = f"{shown(built.total_b)}B weights, {how} = {shown(need)} GB"
    held = sentence.having("gb")
    on_gpu = sentence.having("gpu") or sentence.gpus or sentence.says(r"consumer|high.end|\bcards?\b")
    if held and not sentence.gpus and sentence.says(r"\bneeds?\b|\btakes?\b|\brequires?\b"):
        right, factor = sums_agree((held[0].low, held[0].high), (need, need), about=True)
        return [_needs_check(right, factor, (held[0].low, held[0].high), need, sums)]
    if not held and not on_gpu:
        return []
    if sentence.gpus and sentence.gpus[0].names and not tuned:
        return [_engine_check(built, wide, sentence, sums)]
    room, words = _room(sentence, held)
    return [_fits_check(need <= room * _USABLE, need, room, f"{sums}; {words}, {_USABLE:.0%} of it usable")]


def _tuning_gb(sentence: Sentence, built: Shape, method: finetune.Method) -> float:
    architecture = next((named.architecture for named in sentence.models if named.architecture), None)
    if architecture is not None:
        return finetune.memory_gb(architecture, method)
    per_weight = {"full": 16.0, "lora": 2.0, "qlora": 0.6}[method]
    return built.total_b * per_weight * (1.0 if method == "full" else 1.04)


def _room(sentence: Sentence, held: list[Quantity]) -> tuple[float, str]:
    counted = sentence.having("gpu")
    count = counted[0].high if counted else 1
    if sentence.gpus and sentence.gpus[0].names:
        gpu = gpus.gpus()[sentence.gpus[0].names[0]]
        one = gpu.memory_gib * 1.0737
        return count * one, f"{shown(count)} x {gpu.title} = {shown(count * one)} GB"
    one = held[0].high if held else _CONSUMER_GB if sentence.says("consumer") else _DATA_CENTRE_GB
    return count * one, f"{shown(count)} GPU of {shown(one)} GB"


def _needs_check(right: bool, factor: float, stated: Range, need: float, sums: str) -> Check:
    return Check(
        relation="memory",
        verdict="right" if right else "wrong",
        stated=stated,
        computed=(need, need),
        unit="GB",
        factor=factor,
        sums=(sums, "keys and values and the engine's own come on top"),
    )


def _fits_check(right: bool, need: float, room: float, sums: str) -> Check:
    return Check(
        relation="memory",
        verdict="right" if right else "wrong",
        computed=(need, need),
        unit="GB",
        factor=None if right else room * _USABLE / need,
        sums=(sums, "it fits" if right else "it does not fit"),
    )


def _engine_check(built: Shape, bits: float, sentence: Sentence, sums: str) -> Check:
    """On GPUs that are named: as the planner sizes an engine, with room for one short sequence."""
    counted = sentence.having("gpu")
    gpu, count = gpus.gpus()[sentence.gpus[0].names[0]], round(counted[0].high) if counted else 1
    fit = memory.fit(Setup(built, gpu, max(count, 1), bits), batch=1, context_tokens=2048)
    need = fit.weights_gb + fit.kv_gb + fit.engine_gb
    return Check(
        relation="memory",
        verdict="right" if fit.fits else "wrong",
        computed=(need, need),
        unit="GB",
        factor=None if fit.fits else fit.available_gb / need,
        sums=(
            sums,
            f"with one sequence of 2,048 tokens and the engine's own {shown(need)} GB; "
            f"{shown(max(count, 1))} x {gpu.title} leave {shown(fit.available_gb)} GB",
            "it fits" if fit.fits else "it does not fit",
        ),
    )


def _sizes(title: str, bits: float) -> Check:
    largest = _CONSUMER_GB * _USABLE * 8 / bits
    return Check(
        relation="memory",
        verdict="depends",
        unit="GB",
        sums=(f"{_CONSUMER_GB} GB x {_USABLE:.0%} / {bits:g} bits = {shown(largest)}B weights at most",),
        condition=f"it holds for sizes of {title} up to some {shown(largest * 0.85)}B, not for larger ones",
    )


def least_gpus(built: Shape, gpu: Gpu, bits: float) -> int:
    """Fewest GPUs, a power of two, that hold the weights and a few sequences."""
    for count in (1, 2, 4, 8, 16):
        if memory.fit(Setup(built, gpu, count, bits), batch=4, context_tokens=4096).fits:
            return count
    return 32


def shape_of(sentence: Sentence) -> Shape | None:
    for named in sentence.models:
        if named.architecture is not None:
            return shape.of(named.architecture)
    sizes = sentence.having("param")
    return shape.guess(f"{shown(sizes[0].low / 1e9)}B", sizes[0].low / 1e9) if sizes else None
