"""Tuning an open model against having a closed one tuned: sums a person can check, and how they move."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.catalog.architectures import find
from twintrack.catalog.gpus import gpus
from twintrack.catalog.tuning import jobs
from twintrack.economics.finetune import (
    adapter_weights,
    closed_plan,
    compare,
    endpoint_usd_per_month,
    gpus_needed,
    memory_gb,
    open_plan,
)

LLAMA = find("llama-3.3-70b-instruct")
SMALL = find("llama-3.1-8b-instruct")
A100 = gpus()["a100-sxm"]
DATA = {"examples": 10_000, "tokens_per_example": 500, "epochs": 3}


def tuned(method="lora", model=LLAMA, **changes):
    return open_plan(model, method, **{**DATA, "gpu": A100, "usd_per_gpu_hour": 1.4, "failed_share": 0.0, **changes})


def test_full_tuning_of_70b_does_not_fit_eight_a100_and_an_adapter_does():
    full, lora, qlora = (memory_gb(LLAMA, method) for method in ("full", "lora", "qlora"))
    assert 1120 < full < 1150  # 16 bytes a weight
    assert gpus_needed(full, A100) >= 14
    assert 140 < lora < 150
    assert gpus_needed(lora, A100) == 2
    assert 42 < qlora < 52
    assert gpus_needed(qlora, A100) == 1


def test_the_hours_are_those_of_the_worked_example():
    plan = tuned("full", gpus=16)
    assert plan.training_tokens == 15_000_000
    assert plan.gpu_hours_per_run == pytest.approx(16.0, rel=0.02)  # 6 N D at 35 % of 312 TFLOPS
    assert plan.usd == pytest.approx(22.6, rel=0.02)
    assert tuned("lora").gpu_hours_per_run == pytest.approx(plan.gpu_hours_per_run * 4 / 6)


def test_a_closed_job_is_charged_by_token_and_epoch():
    assert closed_plan(jobs()["gpt-4o"], **DATA).usd == pytest.approx(375)
    assert closed_plan(jobs()["gpt-4o-mini"], **DATA).usd == pytest.approx(45)


def test_failed_runs_are_paid_for_as_far_as_they_get():
    assert tuned(runs=7, failed_share=0.3).failed_runs == pytest.approx(3)
    assert tuned(runs=7, failed_share=0.3).usd == pytest.approx(tuned().usd * 8.5)
    assert tuned(runs=7, failed_share=0.3, failed_part=1).usd == pytest.approx(tuned().usd * 10)


def test_open_runs_go_side_by_side_and_closed_jobs_one_after_the_other():
    assert tuned(runs=8, parallel=4).hours == pytest.approx(tuned().hours * 2)
    assert tuned(runs=8, parallel=4).usd == pytest.approx(tuned(runs=8).usd)  # sooner, not cheaper
    job = jobs()["gpt-4o"]
    assert closed_plan(job, **DATA, runs=8, parallel=4).hours == 8 * closed_plan(job, **DATA).hours


def test_an_adapter_is_a_sliver_of_a_gpu():
    assert adapter_weights(SMALL, 16) == 41_943_040  # the number peft prints for every linear layer of 8B
    assert tuned(model=SMALL).adapter_gb == pytest.approx(0.084, abs=0.001)
    assert tuned("full").adapter_gb == 0


def test_below_ten_thousand_examples_training_is_cheap_and_the_endpoint_decides():
    plan, job = tuned("lora"), closed_plan(jobs()["gpt-4o"], **DATA)
    assert plan.usd < job.usd  # the rule of thumb says otherwise
    idle = endpoint_usd_per_month(2, 1.4)
    up = compare(plan, job, months=12, open_serving_usd_per_month=idle, closed_tokens_usd_per_month=100)
    shared = compare(plan, job, months=12, open_serving_usd_per_month=20, closed_tokens_usd_per_month=100)
    assert (up.cheaper, up.month) == ("closed", None)
    assert (shared.cheaper, shared.month) == ("open", 0)


def test_what_takes_more_at_first_pays_back_in_the_month_said_or_never():
    plan, job = tuned(), closed_plan(jobs()["gpt-4o-mini"], **DATA)
    said = {"open_serving_usd_per_month": 1000, "closed_tokens_usd_per_month": 1000, "open_staff_usd": 6000}
    both = compare(plan, job, months=12, **said)
    assert both.closed_monthly_usd == 2000  # the uplift
    assert both.month == pytest.approx((plan.usd + 6000 - 45) / 1000)
    assert compare(plan, job, months=5, **said).month is None


@settings(derandomize=True, deadline=None)
@given(
    method=st.sampled_from(["full", "lora", "qlora"]),
    examples=st.integers(1, 10**6),
    epochs=st.floats(0.5, 10),
    price=st.floats(0.1, 20),
    failed=st.floats(0, 0.9),
)
def test_more_data_dearer_gpus_and_more_failures_never_cost_less(method, examples, epochs, price, failed):
    said = {"model": SMALL, "examples": examples, "epochs": epochs, "usd_per_gpu_hour": price, "failed_share": failed}
    usd = tuned(method, **said).usd
    for more in ({"examples": 2 * examples}, {"usd_per_gpu_hour": 2 * price}, {"failed_share": (1 + failed) / 2}):
        assert tuned(method, **{**said, **more}).usd >= usd


def test_the_sums_are_shown():
    assert "10,000 examples x 500 tokens x 3 epochs = 15,000,000 tokens" in tuned().sums[0]
    assert "$375.00" in closed_plan(jobs()["gpt-4o"], **DATA).sums[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": 0}, "examples is 0: it has to be 1 or more"),
        ({"mfu": 1.5}, "mfu is 1.5"),
        ({"failed_share": 1}, "failed_share is 1"),
        ({"gpus": 1}, "gpus is 1: lora tuning takes"),
        ({"parallel": 0}, "runs and parallel is 0"),
    ],
)
def test_an_impossible_number_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        tuned(**changes)
