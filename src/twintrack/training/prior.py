"""What public outcomes say about difficulty, set by set: how much a request's looks are worth before any verdict."""

from __future__ import annotations

import numpy as np

from twintrack.signals.weights import Source
from twintrack.training.design import Array
from twintrack.training.files import Outcomes
from twintrack.training.fit import as_examples, difficulties
from twintrack.training.overlap import pack, text_hash
from twintrack.training.turned import turned


def source(outcomes: Outcomes, licence: str, where: str) -> Source:
    """Labels are averaged over models, an item's difficulty, and centred within the set: sets differ in level."""
    raw = difficulties(as_examples(outcomes.prompts))
    centre, spread = float(raw.mean()), float(raw.std())
    standard = np.clip((raw - centre) / spread, -3, 3)
    table = np.column_stack(list(outcomes.scores.values()))
    table = table[:, np.isfinite(table).mean(0) > 0.5]
    full = np.isfinite(table).all(1)
    table, standard = table[full], standard[full]
    level = table.mean(1)
    ranked = np.argsort(table.mean(0))
    third = max(1, len(ranked) // 3)
    slopes = [
        [_slope(standard, column) for column in turned(table[:, [worse, better]])[0].T]
        for worse in ranked[:third]
        for better in ranked[-third:]
        if worse != better
    ]
    both = np.mean(slopes, axis=0)
    return Source(
        outcomes.name,
        licence,
        where,
        len(table),
        table.shape[1],
        round(centre, 4),
        round(spread, 4),
        round(_slope(standard, level), 4),
        round(float(both[0]), 4),
        round(float(both[1]), 4),
        pack(map(text_hash, outcomes.prompts)),
    )


def _slope(x: Array, y: Array) -> float:
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))
