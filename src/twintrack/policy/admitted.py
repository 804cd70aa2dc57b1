"""The permission to send: a deployment that may see a class of data.

`providers` accepts an `Admitted` and nothing else, and only `admit` makes them, from the privacy rules. So a retry, a
fallback or any later hop cannot reach a deployment outside the set: the type checker says so before a test does.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import final

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.config.snapshot import Deployment
from twintrack.policy.objections import Objection, Rules, privacy_objection


@final
class _Proof:
    """What it takes to make an `Admitted`."""

    __slots__ = ()


@final
class Admitted:
    """`deployment` may see data of `data_class` and below."""

    __slots__ = ("_data_class", "_deployment")

    def __init__(self, deployment: Deployment, data_class: DataClass, proof: _Proof) -> None:
        if type(proof) is not _Proof:
            raise TypeError("Only the policy admits a deployment")
        self._deployment = deployment
        self._data_class = data_class

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    @property
    def data_class(self) -> DataClass:
        return self._data_class

    def __repr__(self) -> str:
        return f"Admitted({self._deployment.name!r}, {self._data_class!r})"


def admit(deployment: Deployment, rung: int, rules: Iterable[Rules], today: float = inf) -> Admitted | Objection:
    """The permission for class `DATA_CLASSES[rung]`, or the rule against it; the rest as in `privacy_objection`."""
    objection = privacy_objection(deployment, rung, rules, today)
    return Admitted(deployment, DATA_CLASSES[rung], _Proof()) if objection is None else objection
