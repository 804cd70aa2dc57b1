"""Metrics by hand: small cases whose areas can be computed on paper."""

from __future__ import annotations

import numpy as np
import pytest

from twintrack.training import frontier

WEAK = np.array([1.0, 0, 1, 0, 1, 0, 1, 0, 1, 0])
STRONG = np.ones(10)


def test_the_oracle_recovers_everything_in_the_first_half_and_chance_half_of_it():
    assert frontier.apgr(STRONG - WEAK, WEAK, STRONG) == pytest.approx(0.75, abs=0.01)
    shares, qualities = frontier.fine_curve(STRONG - WEAK, WEAK, STRONG)
    assert frontier.cpt(shares, qualities, 50) == pytest.approx(25)
    assert frontier.cpt(shares, qualities, 80) == pytest.approx(40)
    rng = np.random.default_rng(0)
    weak, strong = rng.random(20_000), rng.random(20_000) + 0.3
    assert frontier.apgr(rng.random(20_000), weak, strong) == pytest.approx(0.5, abs=0.02)


def test_the_protocol_has_eleven_thresholds_from_no_strong_call_to_all():
    shares, qualities = frontier.curve(np.arange(100.0), np.zeros(100), np.ones(100))
    assert shares == pytest.approx(np.linspace(0, 1, 11))
    assert qualities == pytest.approx(shares)


def test_c95_is_the_share_that_keeps_95_percent_of_the_strong_quality():
    shares, qualities = frontier.fine_curve(np.arange(100.0), np.full(100, 0.9), np.ones(100))
    assert frontier.c95(shares, qualities) == pytest.approx(50)
    assert frontier.c95(shares, np.ones(101)) == 0


def test_no_gap_has_no_recovery():
    assert np.isnan(frontier.apgr(np.arange(10.0), STRONG, WEAK))
    assert np.isnan(frontier.cpt(*frontier.curve(np.arange(10.0), STRONG, WEAK), 50))


def test_the_hull_drops_what_mixing_two_others_beats_and_aiq_is_the_area_below():
    points = [(0.0, 0.2), (1.0, 0.4), (2.0, 0.9), (3.0, 0.8), (4.0, 1.0)]
    assert frontier.hull(points) == [(0.0, 0.2), (2.0, 0.9), (4.0, 1.0)]
    assert frontier.aiq(points, 4.0) == pytest.approx((2 * 0.55 + 2 * 0.95) / 4)
    assert frontier.aiq(points, 8.0) == pytest.approx((2 * 0.55 + 2 * 0.95 + 4 * 1.0) / 8)


def test_the_arena_score_puts_accuracy_first():
    """GPT-5 alone on the leaderboard of summer 2026: accuracy 73.96 %, 10.02 dollars, score 64.32."""
    assert frontier.arena_score(0.7396, 10.02) == pytest.approx(64.32, abs=0.2)
    assert frontier.arena_score(0.76, 0.18) > frontier.arena_score(0.76, 1.0)
