"""Brings the beginning and the end of an attempt together, as the ledger stores them one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.entries import Attempt
from twintrack.ledger.records import Content, Dispatch, Names, Record, Refuse, Settle
from twintrack.ledger.words import NAMELESS, Words

MOST_OPEN: Final = 100_000
"""Attempts remembered that have no end yet. Beyond it the oldest is forgotten: it gets no span and is not counted."""
_NAMELESS = Words(NAMELESS)


@dataclass(frozen=True, slots=True)
class Begun:
    dispatch: Dispatch
    words: Words


@dataclass(frozen=True, slots=True)
class Ended:
    dispatch: Dispatch
    words: Words
    settle: Settle


@dataclass(frozen=True, slots=True)
class Refused:
    refuse: Refuse
    words: Words


Event = Begun | Ended | Refused | Content


class Joiner:
    def __init__(self, running: Iterable[Attempt] = ()) -> None:
        """`running`: attempts that the ledger already holds and that have no end yet."""
        self._open: dict[tuple[str, int], Begun] = {
            (attempt.request_id, attempt.attempt): _remembered(attempt) for attempt in running
        }

    def take(self, records: Sequence[Record], generations: Mapping[int, Words]) -> Iterator[Event]:
        """What the records tell, in their order. An end whose beginning nobody knows tells nothing."""
        opened = self._open
        for record in records:
            if type(record) is Dispatch:
                begun = Begun(record, generations.get(record.generation, _NAMELESS))
                if len(opened) >= MOST_OPEN:
                    del opened[next(iter(opened))]
                opened[record.request_id, record.attempt] = begun
                yield begun
            elif type(record) is Settle:
                found = opened.pop((record.request_id, record.attempt), None)
                if found is not None:
                    yield Ended(found.dispatch, found.words, record)
            elif type(record) is Refuse:
                yield Refused(record, generations.get(record.generation, _NAMELESS))
            elif type(record) is Content:
                yield record


def _remembered(attempt: Attempt) -> Begun:
    """From the ledger's row, which keeps all but who was ruled out by number, and the caller's trace."""
    names = Names(
        schema=0,
        generation=0,
        policy_version=attempt.policy_version,
        worker="",
        deployments=(
            (
                attempt.deployment,
                attempt.model,
                attempt.provider,
                attempt.zone,
                attempt.region,
                attempt.simulated,
            ),
            (attempt.chosen or attempt.deployment, "", "", "", "", False),
            (attempt.baseline or "", "", "", "", "", attempt.simulated),
        ),
        per_hour_nusd=(attempt.per_hour_nusd, 0, 0),
        routes=((attempt.route, (attempt.tier or "",)),) if attempt.route else (),
        keys=(attempt.key,) if attempt.key else (),
    )
    dispatch = Dispatch(
        request_id=attempt.request_id,
        attempt=attempt.attempt,
        at_us=attempt.at_us,
        generation=0,
        deployment=0,
        route=0 if attempt.route else -1,
        tier=0 if attempt.tier else -1,
        key=0 if attempt.key else -1,
        endpoint=attempt.endpoint,
        stream=attempt.stream,
        data_class=DATA_CLASSES.index(attempt.data_class) if attempt.data_class in DATA_CLASSES else -1,
        reason=attempt.reason,
        chosen=1,
        baseline=2 if attempt.baseline else -1,
        prompt_tokens_est=attempt.prompt_tokens_est or 0,
        predicted_nusd=attempt.predicted_nusd,
        p_good=attempt.p_good,
        complexity=attempt.complexity,
        propensity=attempt.propensity or 0.0,
        task=attempt.task,
        language=attempt.language,
        ruled_out=(),
        request_bytes=attempt.request_bytes or 0,
    )
    return Begun(dispatch, Words(names))
