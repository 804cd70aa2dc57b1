"""Models, GPUs and providers that a sentence names."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from twintrack.catalog import architectures, gpus, licences, models, providers
from twintrack.catalog.architectures import Architecture
from twintrack.catalog.models import Model

_MAKER = (
    r"gpt-oss|chatgpt|gpt|claude|gemini|gemma|(?:meta[- ])?llama|mistral|mixtral|ministral|codestral|pixtral|qwen"
    r"|deepseek|phi|kimi|glm|command|nemotron|falcon|grok|minimax|starcoder|bloom|olmo|granite"
)
_PART = (
    r"\d+(?:\.\d+)?x\d+b|\d+(?:\.\d+)?[bB](?![a-zA-Z])(?:[- ]?[aA]\d+[bB])?|\d+(?:\.\d+)*[a-z]?(?![\d%])"
    r"|v\d+(?:\.\d+)?|r\d|k\d(?:\.\d+)?|r\+|r\b|a\+|a\b(?=\s|$)|mini|nano|turbo|pro|flash|lite|sonnet|opus|haiku|large|small|medium|nemo|scout|maverick|vision"
    r"|guard|coder|instruct|chat|it|base|preview|latest|max|plus|next|air|fable|sol|terra|luna|\d{4}"
)
_MODEL = re.compile(
    rf"(?<![\w-])(?:(?:{_MAKER})(?:[- ]?(?:{_PART}))*(?![\w])|o[134](?:-mini|-pro)?(?![\w-])|4o(?:[- ]mini)?(?![\w-])"
    r"|(?:opus|sonnet|haiku) \d(?:\.\d)?(?![\w.]))",
    re.IGNORECASE,
)
_OTHER = re.compile(rf"\s?/\s?((?:{_PART})(?:[- ]?(?:{_PART}))*)(?!\w)", re.IGNORECASE)
_GPU = re.compile(
    r"(?<![a-wyzA-Z])(?:(?:NVIDIA|AMD)\s+)?(?:H100|H200|A100|B200|B300|GB200|GB300|GH200|L40S|L40|L4|A10G|A30|V100|MI300X"
    r"|(?:GeForce\s+)?RTX\s?4090|RTX\s?A?6000|RTX\s?PRO\s?6000)(?:[- ]?(?:SXM\d?|PCIe|NVL))?"
    r"(?:[- ]?\d+\s?G(?:i?B)?(?![a-z]))?s?(?![a-zA-Z])"
)


@dataclass(frozen=True, slots=True)
class NamedModel:
    text: str
    start: int
    end: int
    model: Model | None
    """In the catalogue."""
    architecture: Architecture | None

    @property
    def title(self) -> str:
        return self.text.strip()


@dataclass(frozen=True, slots=True)
class NamedGpu:
    text: str
    start: int
    end: int
    names: tuple[str, ...]
    """Rows of the catalogue it may mean: a bare H100 is any H100 of 80 GB."""


def named_models(text: str) -> tuple[NamedModel, ...]:
    """In their order; of `DeepSeek V3 / R1` both."""
    found = []
    for match in _MODEL.finditer(text):
        words = re.sub(r"[- ](?:a|it)$", "", match[0], flags=re.IGNORECASE).rstrip(" -")
        found.append(
            NamedModel(
                words, match.start(), match.start() + len(words), models.resolve(words), architectures.find(words)
            )
        )
        family = re.match(r"[A-Za-z-]+", words)
        place = match.start() + len(words)
        while family and (other := _OTHER.match(text, place)):
            name = f"{family[0].rstrip('-')} {other[1]}"
            found.append(NamedModel(name, other.start(1), other.end(1), models.resolve(name), architectures.find(name)))
            place = other.end()
    return tuple(found)


def named_gpus(text: str) -> tuple[NamedGpu, ...]:
    return tuple(
        NamedGpu(match[0], match.start(), match.end(), _rows(match[0].rstrip("s"))) for match in _GPU.finditer(text)
    )


def named_providers(text: str) -> tuple[str, ...]:
    words = set(re.findall(r"[a-z][a-z.-]+", text.lower()))
    return tuple(name for name in providers.providers() if name in words and len(name) > 3)


def no_such_model(name: NamedModel) -> str:
    """Why there is no such model although there is its family; empty: there is, or nothing is known."""
    return "" if name.model or name.architecture else licences.mistake(name.text)


@functools.cache
def _rows(words: str) -> tuple[str, ...]:
    one = gpus.find_gpu(words)
    if one is None:
        return ()
    if re.search(r"SXM|PCIe|NVL", words):
        return (one.name,)
    family = one.name.partition("-")[0]
    return tuple(
        gpu.name
        for gpu in gpus.gpus().values()
        if gpu.name.partition("-")[0] == family and gpu.memory_gib == one.memory_gib
    )
