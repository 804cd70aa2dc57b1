"""How a server writes what the dialect's servers write differently."""

from __future__ import annotations

from typing import Literal

import msgspec


class Spelling(msgspec.Struct, frozen=True):
    max_tokens: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    developer: bool = False
    """System text has the role `developer`."""
    thinking: Literal["reasoning_content", "reasoning", ""] = "reasoning_content"
    """The member an assistant's earlier thinking stands in; empty: it is left out."""
    custom_tools: bool = True
    """It has tools that take any text; else they are written as functions."""


USUAL = Spelling()
BY_THINKING = {
    place: msgspec.structs.replace(USUAL, thinking=place) for place in ("reasoning_content", "reasoning", "")
}
"""The usual, by where it takes earlier thinking."""
