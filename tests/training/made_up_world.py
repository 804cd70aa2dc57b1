"""A made-up world in which words tell who is needed: mathematics needs the strong model, small talk does not."""

from __future__ import annotations

import numpy as np

from twintrack.signals.weights import Card, Router, shipped_prior

TALK = ["hello", "there", "friend", "what", "lovely", "weather", "for", "walking", "in", "the", "green", "park"]
MATHS = ["integrate", "polynomial", "over", "rational", "residues", "modulo", "prime", "lattice", "eigenvalue", "bound"]


def world(count=240, seed=1):
    """Prompts and what weak and strong say: both do small talk, only the strong one does mathematics."""
    rng = np.random.default_rng(seed)
    prompts, weak, strong = [], [], []
    for number in range(count):
        hard = bool(rng.random() < 0.5)
        words = rng.choice(MATHS if hard else TALK, int(rng.integers(5, 14)))
        prompts.append(f"{' '.join(words)} {number}")
        weak.append(float(rng.random() < (0.2 if hard else 0.9)))
        strong.append(float(rng.random() < 0.9))
    return prompts, weak, strong


def router_of(count=240, seed=1, **models) -> Router:
    """A router fitted to it; `models` renames `small` and `large`."""
    from twintrack.training.fit import as_examples, fit, router

    prompts, weak, strong = world(count, seed)
    scores = {models.get("small", "small"): np.array(weak), models.get("large", "large"): np.array(strong)}
    return router(fit(as_examples(prompts), scores, shipped_prior()), Card("test", "2026-11-30", "made up"))
