from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from twintrack.economics.planning import Plan, plan
from twintrack.economics.workload import Workload

DAY = datetime.date(2026, 11, 30)


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """A plan with the prices of one day, without draws unless asked for."""

    def made(workload: Workload, *, sure: bool = False) -> Plan:
        return plan(workload, on=DAY, sure=sure)

    return made
