"""Percentiles out of buckets are near the truth, and adding histograms is adding numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.ledger import histogram

durations = st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=200)


@given(durations, durations)
def test_adding_histograms_counts_both(one, other):
    both = histogram.packed(one) + histogram.packed(other)
    assert both == histogram.packed([*one, *other])
    assert histogram.count(both) == len(one) + len(other)
    assert histogram.from_bytes(histogram.to_bytes(both)) == both


@given(st.lists(st.integers(1_000, 1_000_000_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_within_a_bucket_of_the_truth(values, share):
    found = histogram.quantile_ms(histogram.packed(values), share)
    rank = max(1, -int(-share * len(values) // 1))
    truth = sorted(values)[rank - 1] / 1000
    assert found is not None
    assert truth / 1.2 <= found <= truth * 1.2


def test_nothing_has_no_quantile():
    assert histogram.quantile_ms(0, 0.5) is None
    assert histogram.to_bytes(0) == b""


@pytest.mark.parametrize("duration_us", [-5, 0, 999, 10**15])
def test_what_lies_outside_is_counted_at_the_ends(duration_us):
    assert histogram.count(histogram.packed([duration_us])) == 1
    assert histogram.quantile_ms(histogram.packed([duration_us]), 0.5) is not None
