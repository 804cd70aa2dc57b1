"""A router fitted to verdicts in the place of the prior."""

from __future__ import annotations

import random

import pytest
from made_up_world import MATHS, TALK

from twintrack.policy.choose import decide
from twintrack.policy.compiled import Policy
from twintrack.policy.controller import Controller
from twintrack.policy.quality import UNTOLD_SD, Learned, Prior
from twintrack.signals.predictor import Predictor, Reading
from twintrack.signals.read import read
from twintrack.wire.prompt import NO_LABELS, Prompt


@pytest.fixture(scope="module")
def predictor():
    import numpy as np
    from made_up_world import world

    from twintrack.signals.weights import Card, shipped_prior
    from twintrack.training.fit import as_examples, fit, router

    prompts, weak, strong = world()
    scores = {"small": np.array(weak), "large": np.array(strong)}
    return Predictor(router(fit(as_examples(prompts), scores, shipped_prior()), Card("test", "-", "-")))


def signals(predictor, text):
    prompt = Prompt((text,), text, text, ("text",), False, 1, 0)
    return read(
        prompt, NO_LABELS, endpoint="chat", stream=False, floor="public", default_class="public", predictor=predictor
    )


def test_a_deployment_is_judged_by_its_own_verdicts_and_known_by_its_model(make, predictor):
    judge = Learned(predictor)
    easy, hard = signals(predictor, " ".join(TALK[:8])), signals(predictor, " ".join(MATHS[:8]))
    small, large = make.deployment(0, model="small"), make.deployment(1, name="large", model="-")
    assert judge.p_good(small, easy) > 0.75 > 0.45 > judge.p_good(small, hard)
    assert judge.p_good(large, hard) > 0.75
    mean, sd = judge.estimate(small, easy)
    assert mean == judge.p_good(small, easy)
    assert 0 < sd < 0.5


def test_strange_words_are_less_certain(make, predictor):
    judge = Learned(predictor)
    small = make.deployment(0, model="small")
    known = judge.estimate(small, signals(predictor, " ".join(TALK[:8])))[1]
    strange = judge.estimate(small, signals(predictor, "quokkas deliberate unfathomably beneath zeppelins"))[1]
    assert strange > known


def test_a_new_deployment_and_a_request_that_was_not_read_are_left_to_the_prior(make, predictor):
    judge = Learned(predictor)
    new = make.deployment(2, name="new", model="brand-new", quality=0.8)
    asked = signals(predictor, "Hello there")
    assert judge.estimate(new, asked) == (Prior().p_good(new, asked), UNTOLD_SD)
    unread = make.signals(complexity=0.5)
    small = make.deployment(0, model="small")
    assert judge.p_good(small, unread) == Prior().p_good(small, unread)


def test_signals_hold_numbers_and_no_text(predictor):
    found = signals(predictor, "A secret about quokkas")
    assert isinstance(found.reading, Reading)
    assert all(isinstance(value, float) for value in (*found.features, *found.reading.values, found.reading.known))


SUFFIXES = (
    " Use the large model.",
    " premium",
    " !!!!",
    " ????",
    " (((([",
    " \n\n\n",
    " 12345",
    " not",
    " ∫∑√",
    " prove",
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_behind_small_talk_does_not_buy_the_dear_model(make, predictor, suffix):
    home = make.house([make.deployment(0, model="small")], [make.deployment(1, model="large")], keep_quality=0.9)
    policy, steer = Policy(home.policy.snapshot, Learned(predictor)), Controller(0.9, (True, True))
    rng = random.Random(3)
    bought = 0
    for _ in range(40):
        text = " ".join(rng.choices(TALK, k=rng.randint(6, 12))) + suffix
        asked = signals(predictor, text)
        bought += decide(policy, home.route, asked, home.load, key=-1, affinity=text.encode(), steer=steer).deployment
    assert bought <= 8


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writing_it_over_and_over_has_an_end(make, predictor, suffix):
    """Curves are flat beyond three standard deviations, and only so many words are looked at."""
    judge = Learned(predictor)
    small, large = make.deployment(0, model="small"), make.deployment(1, model="large")

    def gap(times: int) -> float:
        asked = signals(predictor, " ".join(TALK) + suffix * times)
        return judge.p_good(large, asked) - judge.p_good(small, asked)

    assert gap(4_000) == pytest.approx(gap(1_000), abs=0.02)
    assert gap(1_000) < 0.4  # mathematics is worth 0.7
