"""Points in time as people write and read them. All are UTC microseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

FORMS: Final = "Use 30m, 12h, 7d, 2w, 2026-11-01 or 2026-11-01T09:00 (UTC)."
"""What to do about a `ValueError` of `moment_us`."""
_AGO: Final = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNIT_S: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment_us(said: str, now_us: int) -> int:
    """The time meant by `7d` (ago) or by an ISO 8601 time, UTC unless it says otherwise.

    Raises:
        ValueError: it is neither.
    """
    if ago := _AGO.fullmatch(said):
        return max(0, now_us - int(ago[1]) * _UNIT_S[ago[2]] * 1_000_000)
    at = datetime.fromisoformat(said)
    try:
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)  # no year before 1 or after 9999 there, either
        return int(at.timestamp()) * 1_000_000
    except OverflowError as error:
        raise ValueError(str(error)) from error


def moment(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
