"""Time: rows of the ledger, budgets, signatures and certificates all depend on it."""

from __future__ import annotations

import datetime
import os
import time
import zoneinfo
from collections.abc import Iterator, Mapping

from twintrack.cli.doctor.finding import Finding, note, ok, problem, span

_ABOUT = "clock"
_SET = "Let the system set its clock: timedatectl set-ntp true, or run chrony or ntpd."
_SKEW_S = 60.0
"""By which a clock may be off before it matters; AWS refuses signatures that are five minutes off."""


def check(newest_us: int | None, prices_of: str, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """
    Args:
        newest_us: of the ledger's newest row, UTC microseconds; None: there is none.
        prices_of: day the list prices were gathered, which is in the past.
    """
    yield said(time.time(), newest_us, prices_of)
    yield zone(environ.get("TZ", ""))
    if not time.get_clock_info("monotonic").monotonic or time.monotonic() > time.monotonic():
        yield problem(_ABOUT, "the monotonic clock goes backwards", "Deadlines cannot hold here: use another machine.")


def said(now: float, newest_us: int | None, prices_of: str) -> Finding:
    """Whether `now`, in seconds since 1970, can be."""
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    if prices_of and at.date().isoformat() < prices_of:
        return problem(_ABOUT, f"it says {at:%Y-%m-%d}, and this program is newer than that", _SET)
    ahead_s = newest_us / 1e6 - now if newest_us is not None else 0.0
    if ahead_s > _SKEW_S:
        what = f"it says {at:%Y-%m-%d %H:%M} UTC, and the ledger's newest row is {span(ahead_s)} later"
        return problem(_ABOUT, what, f"{_SET} If it is right now, it was wrong when that row was written.")
    return ok(_ABOUT, f"it says {at:%Y-%m-%d %H:%M:%S} UTC, and no row of the ledger is newer")


def zone(tz: str) -> Finding:
    """Whether the zone that TZ names is one. The ledger counts in UTC whatever it is."""
    name = tz.removeprefix(":")
    if name and "/" in name and not name.startswith("/"):
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            fix = "Install the system's tzdata, or correct TZ; the ledger counts in UTC in any case."
            return note(_ABOUT, f"TZ is {name!r}, which this machine does not know", fix)
    return ok(_ABOUT, f"local time is {time.strftime('%Z, UTC%z')}; the ledger counts in UTC")
