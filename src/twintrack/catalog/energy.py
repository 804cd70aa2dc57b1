"""What a request uses, in integers. Energy is kept in millijoules; 3.6 billion of them are a kilowatt hour."""

from __future__ import annotations


def energy_mj(output_tokens: int, j_per_output_token: float | None) -> int | None:
    """Energy of an answer in millijoules, rounded half up; None if nobody said what a token takes.

    Input tokens are not counted: measured tables give joules per output token at a stated load, prefill included.
    """
    if j_per_output_token is None:
        return None
    return int(output_tokens * j_per_output_token * 1000 + 0.5)
