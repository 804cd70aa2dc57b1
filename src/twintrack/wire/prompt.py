"""What routing may read of a request, whatever dialect it came in."""

from __future__ import annotations

import msgspec

from twintrack.errors import BadRequest

LABELS = ("class", "deadline-ms", "max-cost-usd", "stakes", "drop-unsupported")
"""A caller sets these as headers `x-twintrack-class: restricted`, or in `metadata` as `twintrack_class`."""


class Prompt(msgspec.Struct, frozen=True):
    texts: tuple[str, ...]
    """Every piece of text, system first, in order."""
    first_user: str
    """First user turn: what a conversation keeps, so affinity hashes it."""
    last_user: str
    modalities: tuple[str, ...]
    """Of text, image, audio, video, file; text comes first."""
    tools: bool
    """Tools are offered, or a tool call or result stands in the conversation."""
    turns: int
    max_output_tokens: int
    """What the client allows; 0: it did not say."""


class Labels(msgspec.Struct, frozen=True):
    """What a caller asks for this one request. Absent labels are None (or False)."""

    data_class: str | None = None
    deadline_ms: int | None = None
    """Until the answer is complete."""
    max_cost_nusd: int | None = None
    stakes_high: bool = False
    """Take the best allowed model, whatever it costs within the limits."""
    drop_unsupported: bool = False
    """Leave out what the provider's dialect has no word for, instead of refusing the request."""
    override: str | None = None
    """Class that an operator says holds, whatever was found."""
    override_reason: str = ""


NO_LABELS = Labels()


def read_labels(words: dict[str, str], classes: tuple[str, ...]) -> Labels:
    """Labels from name (as in `LABELS`) to text.

    Raises:
        BadRequest: an unknown class or stakes, or a number that is none.
    """
    data_class = words.get("class")
    if data_class is not None and data_class not in classes:
        raise BadRequest(
            f"Data class {data_class[:40]!r} is unknown", fix=f"Use {', '.join(classes)}.", param="x-twintrack-class"
        )
    stakes = words.get("stakes")
    if stakes not in (None, "high", "normal"):
        raise BadRequest(f"Stakes {stakes[:40]!r} are unknown", fix="Use high or normal.", param="x-twintrack-stakes")
    drop = words.get("drop-unsupported")
    if drop is not None and drop.lower() not in ("true", "false"):
        raise BadRequest(f"{drop[:40]!r} is neither true nor false", param="x-twintrack-drop-unsupported")
    deadline_ms = _number(words, "deadline-ms")
    max_cost_usd = _number(words, "max-cost-usd")
    return Labels(
        data_class,
        None if deadline_ms is None else int(deadline_ms),
        None if max_cost_usd is None else round(max_cost_usd * 1e9),
        stakes == "high",
        drop is not None and drop.lower() == "true",
    )


def _number(words: dict[str, str], name: str) -> float | None:
    text = words.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise BadRequest(
            f"{text[:40]!r} is not a positive number",
            fix="Leave the label out for no limit.",
            param=f"x-twintrack-{name}",
        )
    return number
