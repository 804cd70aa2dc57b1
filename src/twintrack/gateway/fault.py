"""A fault of ours, told to whoever runs the gateway."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from typing import Any


def tell(request_id: str, error: Exception) -> None:
    """What it says may quote the prompt; where it happened does not."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {at.name}, {os.path.basename(at.filename)}:{at.lineno}"
    print(f"twintrack: request {request_id}: {where}", file=sys.stderr)


def tell_of_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What an event loop is to call with what nobody caught. Its own way would print what the error says, and what a
    callback was called with: either may be a prompt."""
    error = context.get("exception")
    if error is None:
        print(f"twintrack: {context['message']}", file=sys.stderr, flush=True)
        return
    told = [error, *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())]
    lines = "".join(
        f"Traceback (most recent call last):\n{''.join(traceback.format_tb(each.__traceback__))}{type(each).__name__}\n"
        for each in told
    )
    print(f"twintrack: a fault of ours; what it says is left out\n{lines}", end="", file=sys.stderr, flush=True)
