"""What LiteLLM's files say of a model: its price, its window, what it takes in."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from twintrack.config import settings
from twintrack.config.moving.litellm_entry import Entry, decimal
from twintrack.config.moving.moved import Guess
from twintrack.config.moving.upstream import Identity
from twintrack.config.moving.write import Value

_PRICES = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cache_read_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_usd_per_mtok",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_usd_per_mtok",
    "input_cost_per_audio_token": "input_audio_usd_per_mtok",
    "output_cost_per_audio_token": "output_audio_usd_per_mtok",
    "input_cost_per_image_token": "input_image_usd_per_mtok",
    "output_cost_per_image_token": "output_image_usd_per_mtok",
}
_OURS = frozenset(each.name for each in msgspec.structs.fields(settings.Price))
_MOST_USD = Decimal(10**9)
_INPUTS = {"supports_vision": "image", "supports_audio_input": "audio", "supports_pdf_input": "file"}


def price(entry: Entry, *, embeddings: bool) -> dict[str, Value]:
    """Per million tokens; nothing if what is said would not be a price."""
    found: dict[str, Value] = {}
    taken = []
    for theirs, ours in _PRICES.items():
        node = entry.params.get(theirs) or entry.info.get(theirs)
        if node is None or ours not in _OURS:
            continue
        amount = decimal(node)
        if amount is None or not 0 <= amount * 1_000_000 <= _MOST_USD:
            entry.say(node, "not carried", "It is no price that can be.")
            continue
        found[ours] = amount * 1_000_000
        taken.append((node, f"price.{ours}"))
    if "input_usd_per_mtok" in found and ("output_usd_per_mtok" in found or embeddings):
        for node, to in taken:
            entry.take(node, to)
        return found
    for node, _ in taken:
        entry.say(node, "not carried", "A price by the token needs both input and output.")
    return {}


def facts(
    entry: Entry, which: Identity, upstream: str, guess: Guess, *, embeddings: bool
) -> tuple[dict[str, Value], str]:
    """Facts, and a comment on those that were assumed."""
    found = _limits(entry, embeddings=embeddings)
    inputs = _inputs(entry)
    tools = entry.flag("supports_function_calling", "facts.tools")
    comment = ""
    if which.known is None:
        quality, how = guess(upstream)
        unsaid = [] if embeddings else [word for word, said in (("inputs", inputs), ("tools", tools)) if said is None]
        comment = f"quality: {how}" + (f"; {' and '.join(unsaid)}: assumed" if unsaid else "")
        inputs = inputs or ["text"]
        tools = True if "tools" in unsaid else tools
        found["quality"] = quality
    if inputs is not None:
        found["modalities"] = inputs
    if tools is not None:
        found["tools"] = tools
    if embeddings and not (which.known and which.known.embeddings):
        found["embeddings"] = True
    return found, comment


def _limits(entry: Entry, *, embeddings: bool) -> dict[str, Value]:
    """Windows. max_tokens alone is an older word for the longest answer, or for an embedding model's window."""
    info = entry.info
    found: dict[str, Value] = {}
    window = info.get("max_input_tokens") or (info.get("max_tokens") if embeddings else None)
    output = None if embeddings else info.get("max_output_tokens") or info.get("max_tokens")
    for word, node in (("context_tokens", window), ("max_output_tokens", output)):
        most = entry.count(node, f"facts.{word}")
        if most is not None:
            found[word] = most
    return found


def _inputs(entry: Entry) -> list[str] | None:
    """None: nothing is said of them."""
    said = {ours: entry.flag(theirs, "facts.modalities") for theirs, ours in _INPUTS.items()}
    if all(flag is None for flag in said.values()):
        return None
    return ["text", *(name for name, flag in said.items() if flag)]
