"""Own measurements: taken from a real engine, and believed by as much as they are evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.processes import free_port
from twintrack.catalog.gpus import find_gpu
from twintrack.cli import command
from twintrack.economics import calibration, corrections, measure, shape
from twintrack.economics.inputs import BadWorkload
from twintrack.economics.measure import Measurement
from twintrack.economics.roofline import Setup
from twintrack.engines.start import Engine, EngineProcess, bundled
from twintrack.errors import TwintrackError


@pytest.fixture(scope="module")
def engine(needs) -> Iterator[Engine]:
    needs("xllamacpp", "runs the bundled engine")
    engine = Engine("demo-nano", bundled("demo-nano"), free_port(), parallel=2, context_tokens=1024)
    process = EngineProcess(engine)
    process.start()
    process.wait_ready(60)
    yield engine
    process.stop()


@pytest.mark.engine
def test_a_real_engine_is_measured_and_the_file_reads_back(engine, tmp_path):
    out = tmp_path / "measured.jsonl"
    asked = ["plan", "measure", engine.url, "--concurrency", "1,2", "--input-tokens", "20", "--output-tokens", "12"]
    asked += ["--requests", "4", "--seconds", "20", "--out", str(out), "--json"]
    run = CliRunner().invoke(command, asked)
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)["measurements"]
    assert [each["concurrency"] for each in found] == [1, 2]
    for each in found:
        assert each["output_tok_s"] > 0
        assert each["ttft_p50_ms"] > 0
        assert each["failed"] == 0
        assert each["requests"] == 4
        assert each["input_tokens"] > 0
    assert [each.concurrency for each in measure.read(out)] == [1, 2]


@pytest.mark.engine
def test_a_model_that_is_not_there_is_an_error_with_its_reason(engine):
    with pytest.raises(TwintrackError, match="answered none of"):
        measure.measure(
            engine.url + "/nowhere", "x", 1, input_tokens=4, output_tokens=4, requests=1, most_s=5
        )  # fmt: skip


def test_nobody_at_an_address_is_said():
    run = CliRunner().invoke(command, ["plan", "measure", f"http://127.0.0.1:{free_port()}/v1"])
    assert run.exit_code != 0
    assert "Nothing answers" in str(run.exception)


# ---- what is learned from it


def setup(model: str = "meta-llama/Meta-Llama-3.1-8B", on: str = "h100-sxm") -> Setup:
    form, gpu = shape.find(model), find_gpu(on)
    assert form is not None
    assert gpu is not None
    return Setup(form, gpu, 1, 16)


def measurement(tok_s: float, concurrency: int = 64, **changes: object) -> Measurement:
    facts = {
        "model": "llama-3.1-8b-instruct", "gpu": "H100", "gpus": 1, "weight_bits": 16.0, "concurrency": concurrency,
        "input_tokens": 200.0, "output_tokens": 400.0, "output_tok_s": tok_s, "ttft_p50_ms": 50.0, "ms_per_token": 10.0,
        "requests": 64, "failed": 0, "at": "2026-11-30T00:00:00+00:00",
    }  # fmt: skip
    return Measurement(**(facts | changes))  # type: ignore[arg-type]


def test_an_engine_half_as_fast_is_predicted_so_and_more_surely_the_more_points_there_are():
    made = calibration.shipped()
    before = calibration.throughput(made, setup(), 64, 200, 400)
    few, _ = corrections.corrected(made, [measurement(before.value / 2)])
    many, _ = corrections.corrected(made, [measurement(before.value / 2)] * 8)
    after_few = calibration.throughput(few, setup(), 64, 200, 400)
    after_many = calibration.throughput(many, setup(), 64, 200, 400)
    assert before.value / 2 < after_many.value < after_few.value < before.value
    assert after_many.value == pytest.approx(before.value / 2, rel=0.1)
    assert math.log(after_many.high / after_many.low) < math.log(after_few.high / after_few.low)
    assert math.log(after_few.high / after_few.low) < math.log(before.high / before.low)


def test_other_pairs_stay_as_they_were():
    made = calibration.shipped()
    other, _ = corrections.corrected(made, [measurement(100.0)])
    engine = setup(on="l40s")
    assert calibration.throughput(other, engine, 8, 200, 400) == calibration.throughput(made, engine, 8, 200, 400)


def test_what_cannot_be_used_is_said():
    _, unused = corrections.corrected(
        calibration.shipped(), [measurement(10.0, gpu=""), measurement(10.0, model="somebody/own")]
    )
    assert len(unused) == 2
    assert "its GPU is not known" in unused[0]
    assert "its model is not known" in unused[1]


def test_a_plan_follows_own_measurements(tmp_path: Path):
    load = tmp_path / "workload.toml"
    load.write_text(
        "[traffic]\nrequests_per_day = 4000000\n[candidates]\nclosed = ['gpt-4o']\n"
        "selfhost = ['llama-3.1-8b-instruct']\ngpus = ['h100-sxm']\nweight_bits = [16]\ngpus_per_engine = 1\n"
    )
    own = tmp_path / "measured.jsonl"
    measure.write(own, [measurement(500.0, concurrency) for concurrency in (16, 32, 64)])

    def engines(*more: str) -> int:
        run = CliRunner().invoke(command, ["plan", "--workload", str(load), "--json", "--no-draws", *more])
        assert run.exit_code == 0, run.output
        return next(each["engines"] for each in json.loads(run.output)["options"] if each["kind"] == "selfhost")

    assert engines("--measured", str(own)) > 2 * engines()


def test_a_line_that_is_no_measurement_is_named(tmp_path):
    path = tmp_path / "measured.jsonl"
    path.write_text('{"model": 1}\n')
    with pytest.raises(BadWorkload, match=r"measured\.jsonl:1"):
        measure.read(path)
