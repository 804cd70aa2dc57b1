"""A fault of ours, told to whoever runs the gateway."""

from __future__ import annotations

import os
import sys
import traceback


def tell(request_id: str, error: Exception) -> None:
    """What it says may quote the prompt; where it happened does not."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {at.name}, {os.path.basename(at.filename)}:{at.lineno}"
    print(f"twintrack: request {request_id}: {where}", file=sys.stderr)
