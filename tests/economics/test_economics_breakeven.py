"""Break-even: every crossing is found, and none that is not there."""

from __future__ import annotations

import itertools
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.economics import breakeven, workload_file
from twintrack.economics.breakeven import Steps, crossings

amounts = st.floats(1, 1e5)
steps_of_any_kind = st.builds(
    Steps,
    engine_usd=amounts,
    fixed_usd=st.floats(0, 1e5),
    engine_tokens=st.floats(1e3, 1e6),
    least_engines=st.integers(1, 4),
    alternative_usd_per_token=st.floats(1e-5, 1.0),
    alternative_fixed_usd=st.floats(0, 1e5),
)
MOST = 3e6


def first(steps: Steps) -> float | None:
    found = [each.tokens_per_day for each in crossings(steps, MOST) if each.cheaper_above == "selfhost"]
    return found[0] if found else None


@given(steps_of_any_kind)
@settings(max_examples=300, deadline=None)
def test_a_scan_by_brute_force_finds_the_same_sides(steps):
    """Between neighbouring crossings the cheaper side never changes, and on both sides of each it does."""
    found = crossings(steps, MOST)
    volumes = [0.0, *(each.tokens_per_day for each in found), MOST]
    cheaper = steps.selfhost_usd(0.0) <= steps.alternative_usd(0.0)
    for place, (low, high) in enumerate(itertools.pairwise(volumes)):
        if place and found[place - 1].cheaper_above == "selfhost":
            cheaper = True
        elif place:
            cheaper = False
        if high - low < 1e-3 * MOST:
            continue
        for share in (0.001, 0.2, 0.5, 0.8, 0.999):
            at = low + share * (high - low)
            gap = steps.selfhost_usd(at) - steps.alternative_usd(at)
            if abs(gap) > 1e-6 * steps.selfhost_usd(at):
                assert (gap <= 0) == cheaper, (place, at, gap)


@given(steps_of_any_kind)
@settings(max_examples=200, deadline=None)
def test_sides_alternate_and_volumes_rise(steps):
    found = crossings(steps, MOST)
    assert [each.tokens_per_day for each in found] == sorted(each.tokens_per_day for each in found)
    sides = [each.cheaper_above for each in found]
    assert all(a != b for a, b in itertools.pairwise(sides))


def test_every_step_that_turns_the_bill_is_a_crossing():
    """An engine costs 100 and takes 1,000 tokens, the alternative 0.11 a token: cheaper from 909 to 1,000, from 1,818
    to 2,000, and so on, each time until the next engine has to be added."""
    steps = Steps(100, 0, 1000, 1, 0.11)
    found = crossings(steps, 5000)
    meets = [each.tokens_per_day for each in found if not each.at_step]
    jumps = [each.tokens_per_day for each in found if each.at_step]
    assert meets == pytest.approx([n * 100 / 0.11 for n in range(1, 6)])
    assert jumps == [1000, 2000, 3000, 4000]


def test_engines_that_are_full_before_they_pay_never_break_even():
    assert crossings(Steps(100, 0, 1000, 1, 0.05), 1e7) == ()


@given(steps_of_any_kind, st.floats(1.01, 3))
@settings(max_examples=200, deadline=None)
def test_dearer_engines_or_more_staff_never_break_even_earlier(steps, more):
    from dataclasses import replace

    before = first(steps)
    for dearer in (
        replace(steps, engine_usd=steps.engine_usd * more),
        replace(steps, fixed_usd=steps.fixed_usd * more + 1),
        replace(steps, alternative_usd_per_token=steps.alternative_usd_per_token / more),
    ):
        after = first(dearer)
        assert after is None or (before is not None and after >= before * (1 - 1e-9)) or _paid_from_the_start(steps)


@given(steps_of_any_kind, st.floats(1.01, 3))
@settings(max_examples=200, deadline=None)
def test_a_better_used_engine_never_breaks_even_later(steps, more):
    from dataclasses import replace

    before = first(steps)
    after = first(replace(steps, engine_tokens=steps.engine_tokens * more))
    assert before is None or (after is not None and after <= before * (1 + 1e-9)) or _paid_from_the_start(steps)


def _paid_from_the_start(steps: Steps) -> bool:
    """Engines cost no more with nobody asking: there is no first crossing to move."""
    return steps.selfhost_usd(0.0) <= steps.alternative_usd(0.0)


# ---- the worked examples: Llama 3.3 70B on 4 x H100 at $2.40, three tokens in for one out


EXAMPLE = """
[traffic]
tokens_per_day = 10_000_000
input_tokens = 750
output_tokens = 250
peak_to_mean = 1
[selfhost]
usd_per_gpu_hour = 2.40
fte = {fte}
engineer_usd_per_year = 200_000
redundancy = 0
utilisation = 1
[needs]
max_ms_per_token = 200
[candidates]
closed = ["gpt-4o"]
managed = ["llama-3.3-70b-instruct"]
selfhost = ["llama-3.3-70b-instruct"]
gpus = ["H100"]
gpus_per_engine = 4
weight_bits = [16]
[[prices]]
model = "llama-3.3-70b-instruct"
provider = "groq"
input_usd_per_mtok = 0.59
output_usd_per_mtok = 0.79
[[prices]]
model = "gpt-4o"
provider = "openai"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
"""


@pytest.mark.parametrize(
    ("fte", "against", "million_tokens"),
    [("0", "gpt-4o@openai", 53), ("0.5", "gpt-4o@openai", 115),
     ("0", "llama-3.3-70b-instruct@groq", 360), ("0.5", "llama-3.3-70b-instruct@groq", 788)],
)  # fmt: skip
def test_worked_examples(tmp_path: Path, plan_of, fte, against, million_tokens):
    path = tmp_path / "example.toml"
    path.write_text(EXAMPLE.format(fte=fte))
    plan = plan_of(workload_file.read(path))
    pair = next(each for each in plan.pairings if each.alternative.key == against)
    assert pair.crossings[0].tokens_per_day == pytest.approx(million_tokens * 1e6, rel=0.03)
    assert pair.crossings[0].engines == 1
    assert pair.one_engine_tokens_per_day == pytest.approx(million_tokens * 1e6, rel=0.03)


# ---- the date


def grown(tmp_path: Path, plan_of, **said: float) -> breakeven.Payback:
    text = EXAMPLE.format(fte=0.5).replace("tokens_per_day = 10_000_000", "tokens_per_day = 400_000_000")
    text = text.replace("peak_to_mean = 1\n", f"peak_to_mean = 1\ngrowth_per_month = {said.get('growth', 0)}\n")
    text = text.replace("redundancy = 0\n", f"redundancy = 0\nstartup_weeks = {said.get('weeks', 8)}\n")
    text += f"[horizon]\napi_price_change_per_year = {said.get('api', 0)}\nhorizon_months = {said.get('months', 24)}\n"
    path = tmp_path / "grown.toml"
    path.write_text(text)
    plan = plan_of(workload_file.read(path))
    return next(each for each in plan.pairings if each.alternative.key == "gpt-4o@openai").payback


def test_the_month_is_the_first_in_which_all_that_was_spent_is_made_up_for(tmp_path, plan_of):
    payback = grown(tmp_path, plan_of)
    assert payback.month is not None
    assert payback.selfhost_usd[payback.month] <= payback.alternative_usd[payback.month]
    assert payback.selfhost_usd[payback.month - 1] > payback.alternative_usd[payback.month - 1]


def test_a_longer_start_and_falling_prices_pay_back_later_growth_sooner(tmp_path, plan_of):
    usual = grown(tmp_path, plan_of).month
    assert usual is not None
    later = grown(tmp_path, plan_of, weeks=30).month
    assert later is not None
    assert later > usual
    cheaper = grown(tmp_path, plan_of, api=-0.9, months=60).month
    assert cheaper is None or cheaper >= usual
    sooner = grown(tmp_path, plan_of, growth=0.2).month
    assert sooner is not None
    assert sooner <= usual


def test_never_within_the_horizon_is_an_answer(tmp_path, plan_of):
    assert grown(tmp_path, plan_of, weeks=100).month is None


# ---- and of whole workloads


def first_of(plan_of, **said: float) -> float:
    text = EXAMPLE.format(fte=said.get("fte", 0.5)).replace("2.40", str(said.get("rent", 2.4)))
    text = text.replace("utilisation = 1", f"utilisation = {said.get('utilisation', 0.9)}")
    text = text.replace("peak_to_mean = 1", f"peak_to_mean = {said.get('peak', 1.2)}")
    plan = plan_of(workload_file.build(tomllib.loads(text)))
    pair = next(each for each in plan.pairings if each.alternative.key == "llama-3.3-70b-instruct@groq")
    rising = [each.tokens_per_day for each in pair.crossings if each.cheaper_above == "selfhost"]
    return rising[0] if rising else math.inf


@pytest.mark.parametrize(
    ("name", "values"),
    [("rent", (1.5, 2.0, 2.4, 3.0)), ("fte", (0.0, 0.5, 1.0, 2.0)), ("peak", (1.0, 1.2, 2.0, 4.0)),
     ("utilisation", (1.0, 0.9, 0.6, 0.3))],
)  # fmt: skip
def test_rent_staff_peaks_and_idleness_each_move_the_break_even_up(plan_of, name, values):
    found = [first_of(plan_of, **{name: value}) for value in values]
    assert found == sorted(found)
    assert found[0] < found[-1]
