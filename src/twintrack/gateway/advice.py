"""What would help a request that nobody may see: its class has causes, and all of them have to go."""

from __future__ import annotations

from twintrack.config.settings import DATA_CLASSES
from twintrack.gateway.choosing import NAMED_CLASS, RUNG, Refused
from twintrack.gateway.undecided import Undecided
from twintrack.policy.refusal import NobodyMay


def advise(undecided: Undecided, refused: Refused) -> None:
    """Say so in the refusal."""
    error = refused.error
    if isinstance(error, NobodyMay) and error.would:
        helps = causes_gone(undecided, refused)
        error.fix = f"{error.would} Add one, or {' and '.join(helps)}." if helps else f"{error.would} Add one."


def causes_gone(undecided: Undecided, refused: Refused) -> list[str]:
    """What to do about each cause of the class that held, as phrases."""
    labels, serving, route = undecided.labels, undecided.serving, refused.route
    held = RUNG[refused.signals.data_class]
    helps: list[str] = []
    if labels.override is None:
        report = undecided.report
        if report is not None:
            helps += report.causes(held)
        default = NAMED_CLASS if route is None else route.default_class
        said = labels.data_class if labels.data_class is not None else default
        if RUNG.get(said, len(DATA_CLASSES)) >= held > 0:
            helps.append("label the request with the class it really has")
    if RUNG[serving.floor(undecided.key)] >= held > 0:
        helps.append("use a key whose own class is lower")
    return helps
