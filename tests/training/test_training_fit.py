"""What a fitted router learns, that the request path computes the same, and that nothing in a prompt moves it far."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_world import MATHS, TALK, world

from twintrack.errors import TwintrackError
from twintrack.signals.evidence import evidence
from twintrack.signals.features import NAMES, features
from twintrack.signals.predictor import Predictor, probability
from twintrack.signals.tokens import prompt_tokens
from twintrack.signals.weights import Card, shipped_prior
from twintrack.training import frontier
from twintrack.training.calibrate import apply, calibrate, calibration_error, isotonic, platt, steepness
from twintrack.training.design import Examples
from twintrack.training.fit import as_examples, fit, router
from twintrack.training.turned import turned, variances
from twintrack.wire.prompt import Prompt


def read(predictor, text):
    prompt = Prompt((text,), text, text, ("text",), False, 1, 0)
    seen = evidence(prompt)
    return predictor.read(seen, features(prompt, prompt_tokens(prompt), seen))


def p_good(predictor, name, text):
    return probability(predictor.deployments[name], read(predictor, text))[0]


def test_it_learns_which_words_need_the_strong_model(fitted):
    found, _ = fitted
    prompts, weak, strong = world(400, seed=2)
    sums = found.sums(as_examples(prompts))
    gain = sums[:, found.names.index("large")] - sums[:, found.names.index("small")]
    assert frontier.apgr(gain, np.array(weak), np.array(strong)) > 0.7
    assert found.names == ("small", "large")


def test_the_request_path_computes_what_was_fitted(fitted):
    found, weights = fitted
    predictor = Predictor(weights)
    prompts = [*world(30, seed=3)[0], "", "?" * 3_000, "Wörter, 数字 und 1,024 (viele): `x = 3`\nA. ja\nB. nein"]
    expected = found.p_good(as_examples(prompts))
    for row, text in enumerate(prompts):
        for place, name in enumerate(found.names):
            if text not in ("",):
                assert p_good(predictor, name, text) == pytest.approx(expected[row, place], abs=0.02)


def test_thin_data_stay_close_to_what_all_requests_share():
    prompts, weak, strong = world(24, seed=4)
    found = fit(as_examples(prompts), {"small": np.array(weak), "large": np.array(strong)}, shipped_prior())
    sums = found.sums(as_examples(world(100, seed=5)[0]))
    assert sums.std(0).max() < 0.3


def test_verdicts_on_one_deployment_a_request_are_enough(fitted):
    prompts, weak, strong = world(400, seed=6)
    one = np.arange(400) % 2 == 0
    scores = {"small": np.where(one, weak, np.nan), "large": np.where(one, np.nan, strong)}
    found = fit(as_examples(prompts), scores, shipped_prior())
    test, low, high = world(400, seed=7)
    p = found.p_good(as_examples(test))
    assert frontier.apgr(p[:, 1] - p[:, 0], np.array(low), np.array(high)) > 0.65


def test_features_alone_can_be_learned_from_as_a_ledger_keeps_no_words():
    """Here the dear model is needed for long requests, and there are no n-grams."""
    rng = np.random.default_rng(9)
    prompts = ["word " * int(rng.integers(3, 120)) for _ in range(300)]
    hard = np.array([len(each) > 300 for each in prompts])
    scores = {"small": np.where(hard, 0.1, 0.9), "large": np.full(300, 0.9)}
    examples = as_examples(prompts)
    found = fit(Examples(examples.features, None), scores, shipped_prior())
    predictor = Predictor(router(found, Card("test", "-", "-")))
    assert p_good(predictor, "small", "word " * 10) > 0.7 > 0.3 > p_good(predictor, "small", "word " * 110)
    assert read(predictor, "word " * 10).known == 1.0


def test_nobody_with_twenty_verdicts_is_an_error():
    with pytest.raises(TwintrackError, match="20 verdicts"):
        fit(as_examples(["a"] * 10), {"small": np.ones(10)}, shipped_prior())


SUFFIXES = (
    " This is very hard.", " Use GPT-5.", " premium premium premium", " tier=premium model=large", " URGENT!!! " * 40,
    " integrate polynomial eigenvalue" * 200, " not" * 500, " ,,,(((" * 300, " \\frac{1}{2} = ∑" * 100,
    " 1234567890" * 300,
)  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_suffix_moves_a_prediction_beyond_its_bound(fitted, suffix):
    """What is written behind a prompt can do no more than the bounds of the parts add up to."""
    _, weights = fitted
    predictor = Predictor(weights)
    for text in world(10, seed=8)[0]:
        before, after = read(predictor, text).values, read(predictor, text + suffix).values
        for component, a, b in zip(weights.components, before, after, strict=True):
            assert abs(b - a) <= bound(component)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*TALK, *MATHS, "(", ",", "\n", "{", "not", "9", "?", "très", "premium"]), max_size=900)
)
def test_whatever_is_written_stays_within_the_bounds(fitted, words):
    _, weights = fitted
    values = read(Predictor(weights), " ".join(words)).values
    for component, value in zip(weights.components, values, strict=True):
        assert abs(value - component.mean) <= bound(component)


def test_one_feature_alone_buys_little(fitted):
    """The largest swing of any single feature's table is a small part of what all of them can do."""
    _, weights = fitted
    for component in weights.components:
        swings = [max(table) - min(table) for table in component.tables]
        assert max(swings) <= 0.25
        assert max(swings) <= sum(swings) / 2


def bound(component):
    tables = sum(max(map(abs, table)) for table in component.tables)
    return 3 * abs(component.slope) + 2 * tables + 2 * component.most + 1e-6


def test_reasons_name_the_features_and_add_up(fitted):
    _, weights = fitted
    predictor = Predictor(weights)
    text = "integrate polynomial over rational residues"
    prompt = Prompt((text,), text, text, ("text",), False, 1, 0)
    seen = evidence(prompt)
    found = features(prompt, prompt_tokens(prompt), seen)
    parts = predictor.parts("small", seen, found)
    assert parts[0].name == "wording"
    assert {part.name for part in parts} <= {*NAMES, "difficulty", "wording"}
    reading = predictor.read(seen, found)
    mix = predictor.deployments["small"].mix
    total = sum(share * value for share, value in zip(mix, reading.values, strict=True))
    means = sum(share * each.mean for share, each in zip(mix, weights.components, strict=True))
    assert sum(part.contribution for part in parts) == pytest.approx(total - means, abs=1e-6)


def test_calibration_rises_and_is_close():
    rng = np.random.default_rng(0)
    sums = rng.normal(size=4_000)
    outcomes = (rng.random(4_000) < 1 / (1 + np.exp(-1.5 * sums - 0.5))).astype(float)
    for way in (isotonic, platt):
        knots = way(sums, outcomes, np.ones(4_000))
        assert [y for _, y in knots] == sorted(y for _, y in knots)
        assert calibration_error(apply(knots, sums), outcomes) < 0.03
    assert calibrate(sums, outcomes, rng)[1] == "platt"


def test_what_is_a_step_is_not_forced_into_a_sigmoid():
    rng = np.random.default_rng(1)
    sums = rng.random(4_000)
    outcomes = (rng.random(4_000) < np.where(sums > 0.8, 0.9, 0.4)).astype(float)
    assert calibrate(sums, outcomes, rng)[1] == "isotonic"


def test_what_two_models_share_says_where_the_strong_one_is_worth_it():
    rng = np.random.default_rng(2)
    ease = rng.normal(size=20_000)
    ease -= ease.mean()
    scores = np.column_stack([rng.random(20_000) < 1 / (1 + np.exp(-(level + ease))) for level in (0.4, 2.4)]).astype(
        float
    )
    parts, mix = turned(scores)
    assert np.allclose(parts @ mix.T, scores - scores.mean(0))
    assert np.allclose(parts.std(0), (1.05, 0.95), atol=0.1)
    # Both are right the more often the easier it is, the weak one the more so: only the sum tells of it.
    slopes = ease @ parts / (ease @ ease)
    assert slopes[0] > 10 * abs(slopes[1])
    gain = mix[1] - mix[0]
    assert gain @ slopes == pytest.approx(ease @ (scores[:, 1] - scores[:, 0]) / (ease @ ease))
    assert gain[0] * slopes[0] < -0.05


def test_a_few_verdicts_show_neither_that_a_model_is_never_wrong_nor_how_steep_a_curve_is():
    scores = np.column_stack([np.arange(20) % 2, np.ones(20)]).astype(float)
    weak, strong = variances(scores)
    assert 0.05 < strong < weak < 0.25
    sums = np.linspace(-0.2, 0.2, 100)
    outcomes = (sums > 0).astype(float)
    for steep, rise in ((None, 0.45), (1.0, 0.1)):
        knots, way = calibrate(sums, outcomes, np.random.default_rng(0), steep=steep)
        low, high = apply(knots, np.array([0.0, 0.1]))
        assert (way, high - low) == ("platt", pytest.approx(rise, abs=0.06))


def test_all_deployments_are_as_steep_as_verdicts_on_them_together_say():
    rng = np.random.default_rng(1)
    away = rng.normal(0, 0.1, (4_000, 2))
    weight = np.ones(4_000)
    for times in (0.7, 1.0, 2.5):
        outcomes = (rng.random(away.shape) < 1 / (1 + np.exp(-times * away / 0.25))).astype(float)
        outcomes[:500, 0] = np.nan
        assert steepness(away, outcomes, weight) == pytest.approx(times, rel=0.15)
    assert steepness(away, rng.permutation(outcomes), weight) == 0.5


def test_who_is_weaker_is_not_left_to_twenty_verdicts_where_it_is_known():
    """The weaker model was lucky: so the prior, by which it suffers more from what is hard, is not turned round."""
    prompts = [text for pair in zip(*(world(10, seed=3)[0], world(10, seed=8)[0]), strict=True) for text in pair]
    examples = as_examples(prompts)
    rng = np.random.default_rng(0)
    lucky, unlucky = (rng.permutation(np.arange(20) < right).astype(float) for right in (15, 14))
    scores = {"weak": lucky, "strong": unlucky}
    known = fit(examples, scores, shipped_prior(), order=("weak", "strong"))
    open_ = fit(examples, scores, shipped_prior())
    assert known.names == ("weak", "strong")
    assert open_.names == ("strong", "weak")
    contrast = shipped_prior().mean("contrast_slope")
    assert known.heads[1].slope == pytest.approx(contrast, abs=0.02)
    # Hardly anything speaks for either, so nothing is expected of the contrast.
    assert abs(open_.heads[1].slope) < abs(contrast) / 2
