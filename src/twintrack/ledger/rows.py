"""Rows of attempts, and the statements that store them."""

from __future__ import annotations

from typing import Final

import msgspec

from twintrack.ledger.memory import Open
from twintrack.ledger.records import Dispatch, Names, Record, Settle
from twintrack.ledger.rollup import KINDS, MOST, AttemptRow

INSERT_ATTEMPT: Final = (
    "INSERT OR IGNORE INTO attempts (id, request_id, attempt, at_us, context, prompt_tokens_est, predicted_nusd, "
    "p_good, complexity, propensity, ruled_out, request_bytes, writer, ending, settled_us, detail, ttft_us, total_us, "
    "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nusd, baseline_nusd, "
    "energy_mj, response_bytes, p_enough, p_best) VALUES "
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SETTLE_ATTEMPT: Final = (
    "UPDATE attempts SET writer = NULL, ending = ?, settled_us = ?, detail = ?, ttft_us = ?, total_us = ?, "
    "input_tokens = ?, output_tokens = ?, cache_read_tokens = ?, cache_write_tokens = ?, reasoning_tokens = ?, "
    "cost_nusd = ?, baseline_nusd = ?, energy_mj = ?, response_bytes = ? WHERE id = ?"
)
SET_KINDS: Final = (
    "UPDATE attempts SET cache_write_1h_tokens = ?, input_audio_tokens = ?, output_audio_tokens = ?, "
    "input_image_tokens = ?, output_image_tokens = ? WHERE id = ?"
)
CONTEXT_OF_FIRST: Final = "SELECT context FROM attempts WHERE request_id = ? AND attempt = 0"
INSERT_REFUSAL: Final = "INSERT OR IGNORE INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_FEATURES: Final = "INSERT OR IGNORE INTO features VALUES (?, ?)"
INSERT_DRAFT: Final = "INSERT OR IGNORE INTO drafts VALUES (?, ?)"
UPSERT_VERDICT: Final = (
    "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (request_id, key, source) DO UPDATE SET "
    "at_us = excluded.at_us, score = excluded.score, label = excluded.label WHERE excluded.at_us >= at_us"
)
REPLACE_ROLLUP: Final = (
    "INSERT OR REPLACE INTO rollups VALUES "
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?, ?, ?)"
)

_MAY_BE_UNKNOWN: Final = frozenset(
    {
        "predicted_nusd",
        "ttft_us",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        *KINDS,
        "cost_nusd",
        "baseline_nusd",
        "energy_mj",
    }
)


def dispatched(opened: Open, dispatch: Dispatch, ruled_out: str | None) -> AttemptRow:
    """The row of an attempt that has no end yet."""
    return (
        opened.id,
        dispatch.request_id,
        dispatch.attempt,
        dispatch.at_us,
        opened.context,
        dispatch.prompt_tokens_est,
        dispatch.predicted_nusd,
        dispatch.p_good,
        dispatch.complexity,
        dispatch.propensity,
        ruled_out,
        dispatch.request_bytes,
        opened.writer,
        *(None,) * 14,
        dispatch.p_enough,
        dispatch.p_best,
    )


def closing(running: Open, settle: Settle, ending: int) -> AttemptRow:
    """The row of an attempt whose dispatch is only known as far as sums need it."""
    return (
        running.id,
        settle.request_id,
        settle.attempt,
        running.at_us,
        running.context,
        None,
        running.predicted_nusd,
        *(None,) * 6,
        ending,
        settle.at_us,
        settle.detail or None,
        settle.ttft_us,
        settle.total_us,
        settle.input_tokens,
        settle.output_tokens,
        settle.cache_read_tokens,
        settle.cache_write_tokens,
        settle.reasoning_tokens,
        settle.cost_nusd,
        settle.baseline_nusd,
        settle.energy_mj,
        settle.response_bytes,
        None,
        None,
    )


def undispatched(settle: Settle) -> Dispatch:
    """What is known of the dispatch of an attempt when only its end was found."""
    return Dispatch(
        request_id=settle.request_id,
        attempt=settle.attempt,
        at_us=max(0, settle.at_us - settle.total_us),
        generation=0,
        deployment=-1,
        route=-1,
        tier=-1,
        key=-1,
        endpoint="",
        stream=False,
        data_class=-1,
        reason="",
        chosen=-1,
        baseline=-1,
        prompt_tokens_est=0,
        predicted_nusd=None,
        p_good=None,
        complexity=None,
        propensity=0.0,
        task="",
        language="",
        ruled_out=(),
        request_bytes=0,
    )


def within_reason(record: Record) -> Record:
    """The same with numbers beyond reason as unknown, or cut where there is no unknown."""
    if type(record) is Names:
        return record
    changed: dict[str, int | None] = {}
    for name in record.__struct_fields__:
        number = getattr(record, name)
        if type(number) is int and name != "at_us" and not -MOST < number < MOST:
            changed[name] = None if name in _MAY_BE_UNKNOWN else MOST - 1
    return msgspec.structs.replace(record, **changed) if changed else record
