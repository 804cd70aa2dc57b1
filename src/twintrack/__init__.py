"""Twintrack: open and closed language models as one service.

Importing this package starts nothing and reads nothing; `Gateway` is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twintrack.gateway.library import Gateway as Gateway

__version__ = "0.1.0"
__all__ = ["Gateway", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Gateway":
        from twintrack.gateway.library import Gateway

        return Gateway
    raise AttributeError(f"module 'twintrack' has no attribute {name!r}")
