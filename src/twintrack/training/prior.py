"""What public outcomes say about difficulty, set by set: how much a request's looks are worth before any verdict."""

from __future__ import annotations

import numpy as np

from twintrack.signals.weights import Source
from twintrack.training.design import Array
from twintrack.training.files import Outcomes
from twintrack.training.fit import as_examples, difficulties
from twintrack.training.overlap import pack, text_hash


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
    gain = table[:, ranked[-third:]].mean(1) - table[:, ranked[:third]].mean(1)
    return Source(
        outcomes.name,
        licence,
        where,
        len(table),
        table.shape[1],
        round(centre, 4),
        round(spread, 4),
        round(_slope(standard, level), 4),
        round(_slope(standard, gain), 4),
        round(_logit_slope(standard, table), 4),
        pack(map(text_hash, outcomes.prompts)),
    )


def _slope(x: Array, y: Array) -> float:
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def _logit_slope(x: Array, table: Array) -> float:
    """Slope of the log odds common to all models, each with a level of its own, by Newton's method."""
    levels = np.zeros(table.shape[1])
    slope = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(levels + slope * x[:, None])))
        weight = p * (1 - p) + 1e-9
        levels += np.clip(((table - p).sum(0)) / (weight.sum(0) + 0.1), -1, 1)
        p = 1 / (1 + np.exp(-(levels + slope * x[:, None])))
        weight = p * (1 - p) + 1e-9
        step = float((x @ (table - p)).sum() / ((x**2) @ weight).sum())
        slope += step
        if abs(step) < 1e-6:
            break
    return slope
