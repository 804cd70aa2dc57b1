"""A plan says what is cheapest, how sure that is, and what it rests on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from twintrack.cli import command
from twintrack.economics import bill, draws, workload, workload_file
from twintrack.economics.document import Document, document
from twintrack.economics.inputs import BadWorkload, specs
from twintrack.economics.watchpoints import crossed, watchpoints

SMALL = """
name = "support"
[traffic]
daily_users = 10_000
requests_per_user = 8
input_tokens = 800
output_tokens = 300
"""
NAMED = (
    SMALL
    + """
[candidates]
closed = ["gpt-4o"]
managed = ["llama-3.3-70b-instruct"]
selfhost = ["llama-3.3-70b-instruct"]
"""
)


def built(text: str) -> workload.Workload:
    return workload_file.build(tomllib.loads(text))


def test_every_option_comes_with_its_bill_and_the_cheapest_first(plan_of):
    plan = plan_of(built(NAMED))
    kinds = {each.candidate.option.kind for each in plan.options}
    assert kinds == {"closed_api", "managed_api", "selfhost", "hybrid"}
    totals = [each.total_usd for each in plan.options]
    assert totals == sorted(totals)
    for each in plan.options:
        assert each.monthly_usd == pytest.approx(sum(each.lines.values()))
        assert all(usd > 0 for usd in each.lines.values())


def test_an_api_costs_what_the_price_function_says(plan_of):
    """80,000 requests a day of 800 and 300 tokens: $12.2K a month on GPT-4o."""
    plan = plan_of(built(NAMED))
    closed = next(each for each in plan.options if each.candidate.option.key == "gpt-4o@openai")
    assert closed.monthly_usd == pytest.approx(80_000 * (800 * 2.5 + 300 * 10) / 1e6 * 365 / 12)


def test_lengths_are_priced_one_by_one_where_prices_step(plan_of):
    """Half of the requests are beyond the step at 272,000 tokens, though the mean is not."""
    steps = """
    [traffic]
    requests_per_day = 1000
    lengths = [[2000, 500, 0.5], [400000, 500, 0.5]]
    [candidates]
    closed = ["gpt-5.4"]
    """
    mean = steps.replace(
        "lengths = [[2000, 500, 0.5], [400000, 500, 0.5]]", "input_tokens = 201000\noutput_tokens = 500"
    )
    assert plan_of(built(steps)).options[0].monthly_usd > 1.3 * plan_of(built(mean)).options[0].monthly_usd


def test_engines_are_counted_for_the_peak_and_never_fewer_than_redundancy_asks(plan_of):
    def engines(more: str) -> int:
        plan = plan_of(built(NAMED + more))
        return next(each.engines for each in plan.options if each.candidate.option.kind == "selfhost")

    assert engines("[selfhost]\nredundancy = 0") == 1
    assert engines("[selfhost]\nredundancy = 2") == 3
    text = NAMED.replace("daily_users = 10_000", "daily_users = 1_000_000") + "[selfhost]\nredundancy = 0"
    busy = next(e.engines for e in plan_of(built(text)).options if e.candidate.option.kind == "selfhost")
    peaky = text.replace("output_tokens = 300\n", "output_tokens = 300\npeak_to_mean = 6\n")
    assert next(e.engines for e in plan_of(built(peaky)).options if e.candidate.option.kind == "selfhost") > busy > 1


def test_idle_engines_are_part_of_the_bill(plan_of):
    plan = plan_of(built(NAMED))
    own = next(each for each in plan.options if each.candidate.option.kind == "selfhost")
    assert own.lines["engines, idle"] > own.lines["engines, busy"]


def test_a_hybrid_pays_for_the_wrong_route(plan_of):
    plan = plan_of(built(NAMED + "[hybrid]\neasy_share = 0.5\nwrong_route_share = 0.1"))
    hybrid = next(each for each in plan.options if each.candidate.option.kind == "hybrid")
    closed = next(each for each in plan.options if each.candidate.option.kind == "closed_api")
    assert hybrid.lines["wrong route"] == pytest.approx(closed.monthly_usd * 0.5 * 0.1)


def test_draws_give_probabilities_that_add_up_and_the_same_plan_again(plan_of):
    first, again = plan_of(built(NAMED), sure=True), plan_of(built(NAMED), sure=True)
    assert sum(each.p_cheapest for each in first.sureness) == pytest.approx(1)
    assert first.sureness == again.sureness
    for priced, sure in zip(first.options, first.sureness, strict=True):
        assert sure.monthly_low_usd <= priced.monthly_usd * 1.2
        assert sure.monthly_high_usd >= priced.monthly_usd * 0.8


def test_of_two_models_on_the_same_engines_the_better_one_is_recommended(plan_of):
    """Both fit one GPU twice over at this volume, so they cost the same."""
    text = (
        SMALL.replace("10_000", "100")
        + "[candidates]\nselfhost = ['gpt-oss-20b', 'gpt-oss-120b']\ngpus = ['a100-pcie']"
    )
    made = document(plan_of(built(text), sure=True))
    assert made.options[0].monthly_usd == made.options[1].monthly_usd
    assert made.recommendation.key is not None
    assert made.recommendation.key.startswith("gpt-oss-120b")


def test_a_tenth_of_the_draws_lie_below_low_and_a_tenth_above_high():
    loaded = built(NAMED)
    drawn = draws.sample({"input_tokens": loaded.inputs["input_tokens"], "fte": loaded.inputs["fte"]})
    for name, values in drawn.items():
        one = loaded.inputs[name]
        assert np.mean(values < one.low) == pytest.approx(0.1, abs=0.015)
        assert np.mean(values > one.high) == pytest.approx(0.1, abs=0.015)


def test_the_weightiest_input_is_the_one_the_difference_hangs_on(plan_of):
    """Against a model of the same price for input, output length decides."""
    prices = """
    [[prices]]
    model = "own-a"
    input_usd_per_mtok = 1
    output_usd_per_mtok = 3.4
    [[prices]]
    model = "own-b"
    input_usd_per_mtok = 1.9
    output_usd_per_mtok = 1
    """
    text = (
        prices
        + "[candidates]\nclosed = ['own-a', 'own-b']\n"
        + SMALL.partition("\n[")[2]
        .join(["[", ""])
        .replace("output_tokens = 300", "output_tokens = { value = 300, low = 100, high = 900 }")
    )
    plan = plan_of(built(text), sure=True)
    made = document(plan)
    assert made.what_matters[0].name == "output_tokens"
    assert made.recommendation.key is None
    assert made.recommendation.measure == "output_tokens"
    assert "Too close" in made.recommendation.sentences[0]


def test_what_may_not_be_used_is_ruled_out_with_its_reason(plan_of):
    plan = plan_of(built(SMALL + "[needs]\nmodalities = ['text', 'image']\ncontext_tokens = 200000\nmin_quality = 0.9"))
    grounds = {(each.model, each.ground) for each in plan.ruled_out}
    assert ("gpt-4o", "capability") in grounds
    assert ("llama-3.1-8b-instruct", "quality") in grounds
    assert all(each.why for each in plan.ruled_out)


def test_only_own_machines_leaves_only_own_engines(plan_of):
    plan = plan_of(built(SMALL + "[needs]\nzones = ['own']"))
    assert {each.candidate.option.kind for each in plan.options} == {"selfhost"}
    assert document(plan).phases[0].starts > "2026-11-30"
    assert any(each.ground == "residency" for each in plan.ruled_out)


def test_a_licence_that_does_not_allow_the_use_rules_a_model_out(plan_of):
    text = SMALL + "[candidates]\nselfhost = ['command-a-03-2025', 'llama-3.3-70b-instruct']\nclosed = ['gpt-4o']"
    plan = plan_of(built(text))
    assert ("command-a-03-2025", "licence") in {(each.model, each.ground) for each in plan.ruled_out}
    assert "llama-3.3-70b-instruct" in {each.candidate.option.model for each in plan.options}


def test_a_domicile_that_is_none_is_named(plan_of):
    with pytest.raises(BadWorkload, match="domicile is 'Germany'"):
        plan_of(built(NAMED + "[needs]\ndomicile = 'Germany'"))


def test_a_closed_model_cannot_be_run_by_oneself(plan_of):
    plan = plan_of(built(SMALL + "[candidates]\nselfhost = ['gpt-4o']"))
    assert plan.options == ()
    assert [each.why for each in plan.ruled_out] == ["its weights cannot be had"]
    assert document(plan).recommendation.sentences[0].startswith("Nothing is left")


def test_a_regime_rules_out_whom_it_does_not_allow_and_names_what_has_to_be_signed(plan_of):
    plan = plan_of(built(SMALL + "[needs]\nregimes = ['gdpr', 'hipaa']\nregions = ['DEU']\ndomicile = 'DE'"))
    assert {"regime", "residency"} <= {each.ground for each in plan.ruled_out}
    sold = [each for each in plan.options if each.candidate.option.tokens is not None]
    assert all(any("gdpr" in duty for duty in each.candidate.duties) for each in sold)


def test_what_the_use_asks_for_is_one_sentence_and_not_all_of_it_is_the_licence(plan_of):
    needs = "[needs]\nregimes = ['gdpr']\nsigned = ['dpa']\ndomicile = 'DE'\n"
    for more in (needs + "[candidates]\nclosed = ['gpt-4o']", "[candidates]\nselfhost = ['llama-3.3-70b-instruct']"):
        sentences = document(plan_of(built(SMALL + more))).recommendation.sentences
        said = next(each for each in sentences if "asks for: " in each)
        assert said.startswith("Using ")
        assert ".;" not in said
        assert not said.endswith("..")


def test_gpus_alone_and_a_full_stack_stand_apart(plan_of):
    made = document(plan_of(built(NAMED)))
    for option in made.options:
        if option.kind == "closed_api":
            assert option.energy.gpu_kwh is None
            assert option.energy.full_stack_kwh is not None
        if option.kind in ("selfhost", "managed_api"):
            assert option.energy.full_stack_kwh.value > 1.3 * option.energy.gpu_kwh.value
            assert option.energy.market_kg_co2e is None


def test_bought_hardware_is_an_option_where_it_is_asked_for(plan_of):
    text = NAMED.replace("[candidates]", "[candidates]\nown_hardware = true\ngpus = ['h100-sxm']")
    made = document(plan_of(built(text)))
    bought = next(each for each in made.options if each.kind == "own_hardware")
    assert bought.energy.scope.startswith("Scope 2")


def test_tuning_is_compared_where_it_is_asked_for(plan_of):
    made = document(plan_of(built(NAMED + "[finetune]\nexamples = 10000\ntokens_per_example = 500\nepochs = 3")))
    assert {each.kind for each in made.finetune} == {"open", "closed"}


def test_the_document_survives_a_round_trip(plan_of):
    made = document(plan_of(built(NAMED), sure=True))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Document) == made


# ---- bad input


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("daily_users = 10_000", "daily_users = -5"), "traffic.daily_users is -5"),
        (("daily_users = 10_000\nrequests_per_user = 8", "requests_per_day = 0"), "traffic.requests_per_day is 0"),
        (("output_tokens = 300", "output_tokens = 300\npeak_to_mean = 0.5"), "from 1 to 200"),
        (("output_tokens = 300", 'output_tokens = "many"'), "traffic.output_tokens is 'many', which is no number"),
        (("output_tokens = 300", "output_tokens = 300\ncached_share = 1.5"), "share from 0 to 0.99"),
        (("output_tokens = 300", "output_token = 300"), "Did you mean output_tokens?"),
        (("daily_users = 10_000\nrequests_per_user = 8", "requests_per_dya = 8"), "Did you mean requests_per_day?"),
        (("[traffic]", "[trafic]"), "Did you mean traffic?"),
        (('name = "support"', 'name = "support"\ncurrency = "EUR"'), "currency is 'EUR'"),
        (("daily_users = 10_000\nrequests_per_user = 8", ""), "how much is asked"),
        (("requests_per_user = 8", "requests_per_user = 8\ntokens_per_day = 5"), "the volume twice"),
    ],
)  # fmt: skip
def test_an_absurd_workload_is_named_with_the_sensible_range(change, said):
    with pytest.raises(BadWorkload) as caught:
        built(SMALL.replace(*change))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[candidates]\nclosed = ['gpt-4oo']", "candidates.closed has 'gpt-4oo'"),
        ("[candidates]\ngpus = ['h1000']", "candidates.gpus has 'h1000'"),
        ("[needs]\nmax_ms_per_token = 0", "needs.max_ms_per_token is 0. Use 1 to 10,000"),
        ("[needs]\ncontext_tokens = 10", "a mean request has 1,100 tokens"),
        ("[selfhost]\nfte = -1", "selfhost.fte is -1"),
        ("[selfhost]\nfte = { value = 2, low = 3, high = 4 }", "is not between low 3 and high 4"),
        ("[needs]\nuse = 'prod'", "needs.use is 'prod'. Use research, internal, product"),
        ("[needs]\nmodalitys = ['text']", "Did you mean modalities?"),
        ("[needs]\nmodalities = ['smell']", "Use text, image, audio"),
        ("[needs]\nregimes = ['gdrp']", "Did you mean gdpr?"),
        ("[energy]\nmarket_g_co2e_per_kwh = -5", "energy.market_g_co2e_per_kwh is -5. Use 0 to 3,000"),
        ("[prices]\nmodel = 'x'", "Write each as [[prices]]"),
        ("[finetune]\nexamples = 0", "finetune.examples is 0. Use 1 to 1,000,000,000"),
        ("[finetune]\nepochs = nan", "finetune.epochs is nan"),
        ("[energy]\ngrid = 'Atlantis'", "energy.grid is 'Atlantis'"),
        ("[[prices]]\nmodel = 'x'\ninput_usd_per_mtok = -1\noutput_usd_per_mtok = 1", "from 0 to 10,000"),
    ],
)
def test_a_wrong_need_or_candidate_is_named(more, said):
    with pytest.raises(BadWorkload) as caught:
        built(SMALL + more)
    assert said in str(caught.value)


def test_every_input_says_what_it_is_and_where_its_default_comes_from():
    for spec in specs().values():
        assert spec.what
        assert spec.source
        assert spec.least <= spec.mid <= spec.most
    assert sum(bill.staff_shares().values()) == pytest.approx(1)


# ---- the command


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "workload.toml"
    file.write_text(NAMED)
    return file


def test_the_command_gives_the_same_plan_as_json_and_in_words(path):
    run = CliRunner().invoke(command, ["plan", "--workload", str(path), "--json", "--on", "2026-11-30"])
    assert run.exit_code == 0, run.output
    made = json.loads(run.output)
    assert {
        "schema",
        "recommendation",
        "options",
        "break_even",
        "hybrid",
        "phases",
        "ruled_out",
        "what_matters",
    } <= set(made)
    words = CliRunner().invoke(command, ["plan", "--workload", str(path), "--on", "2026-11-30"])
    assert made["options"][0]["title"] in words.output
    assert all(title in words.output for title in ("Break-even of own engines", "Phases", "Energy", "Inputs"))


def test_origins_are_marked(path):
    run = CliRunner().invoke(command, ["plan", "--workload", str(path), "--json", "--no-draws"])
    origins = {each["name"]: each["origin"] for each in json.loads(run.output)["workload"]["inputs"]}
    assert origins["input_tokens"] == "stated"
    assert origins["peak_to_mean"] == "assumed"


def test_without_terminal_or_file_it_says_what_to_do():
    run = CliRunner().invoke(command, ["plan"])
    assert run.exit_code == 2
    assert "--workload FILE" in run.output


def test_a_plan_takes_under_a_second_and_under_three_with_draws(path):
    """CPU time of the whole command, since the machine may be busy with others."""
    report = str(path.with_suffix(".html"))
    for asked, most_s in (["--no-draws"], 1.0), ([], 3.0), (["--report", report], 3.0):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "twintrack.cli", "plan", "--workload", str(path), "--json", *asked],
            check=True, capture_output=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        after = os.times()
        assert after.children_user + after.children_system - before.children_user - before.children_system < most_s


# ---- the report


def report_of(path: Path, to: Path) -> str:
    run = CliRunner().invoke(
        command, ["plan", "--workload", str(path), "--report", str(to), "--on", "2026-11-30"], catch_exceptions=False
    )
    assert run.exit_code == 0, run.output
    return to.read_text()


def test_the_report_is_one_file_that_loads_nothing(path, tmp_path):
    page = report_of(path, tmp_path / "report.html")
    assert "<script" not in page
    assert "src=" not in page
    assert "url(#" in page
    assert "url(http" not in page
    for title in ("Options", "What a month is made of", "Break-even", "What matters most", "Phases", "Inputs"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<polyline") >= 6


def test_every_price_stands_with_its_source_and_day(path, tmp_path):
    run = CliRunner().invoke(command, ["plan", "--workload", str(path), "--json", "--no-draws", "--on", "2026-11-30"])
    made = json.loads(run.output)
    by_token = {
        part
        for option in made["options"]
        if option["kind"] in ("closed_api", "managed_api", "hybrid")
        for part in option["key"].split(" + ")
        if "@1x" not in part and "@4x" not in part
    }
    assert by_token <= {each["key"] for each in made["prices"]}
    report = report_of(path, tmp_path / "report.html")
    words = CliRunner().invoke(command, ["plan", "--workload", str(path), "--inputs", "--on", "2026-11-30"]).output
    for each in made["prices"]:
        assert re.search(r"20\d\d-\d\d-\d\d", each["source"]), each
        for said in (report, words):
            assert each["key"] in said
            assert each["source"] in said
    (gpt,) = (each for each in made["prices"] if each["key"] == "gpt-4o@openai")
    assert (gpt["input_usd"], gpt["cached_usd"], gpt["output_usd"]) == (2.5, 1.25, 10.0)


def test_a_quality_that_rules_out_says_whose_judgement_it_is(plan_of):
    plan = plan_of(built(SMALL + "[needs]\nmin_quality = 0.9\n"))
    sources = [each.source for each in plan.ruled_out if each.ground == "quality"]
    assert sources
    assert all("a judgement of the catalogue and no measurement, 20" in source for source in sources)


def test_a_table_wider_than_the_screen_can_be_moved_by_keyboard(path, tmp_path):
    page = report_of(path, tmp_path / "report.html")
    boxes = re.findall(r'<div class="scroll"[^>]*>', page)
    assert len(boxes) >= 5
    assert all('role="region"' in box and 'tabindex="0"' in box and "aria-label=" in box for box in boxes)


def test_names_in_a_workload_are_text_in_the_report(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(NAMED.replace('name = "support"', "name = '<script>alert(1)</script>'"))
    assert "<script>alert" not in report_of(path, tmp_path / "report.html")


@pytest.mark.needs("chromium", reason="draws the report")
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_its_screen(path, tmp_path, width, scheme):
    import shutil

    from playwright.sync_api import sync_playwright

    report_of(path, tmp_path / "report.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=["--no-sandbox"]
        )
        page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        chart = page.locator("figure svg[viewBox]:visible").first.bounding_box()
        assert chart is not None
        assert chart["width"] > 0.7 * min(width, 1000)
        assert said == []
        browser.close()


# ---- what `watch` will ask


def test_a_volume_that_passes_a_crossing_is_noticed_once_and_in_both_directions(plan_of):
    made = document(plan_of(built(NAMED + "[selfhost]\nfte = 0.5")))
    points = watchpoints(made)
    assert [point.tokens_per_day for point in points] == sorted(point.tokens_per_day for point in points)
    at = points[0].tokens_per_day
    assert crossed(points, at * 0.9, at * 1.01)[0] == points[0]
    assert crossed(points, at * 1.01, at * 0.9)[0] == points[0]
    assert crossed(points, at * 0.5, at * 0.9) == ()


# ---- the questions


def test_at_most_twelve_questions_make_a_workload():
    import click

    from twintrack.cli.plan_questions import asked

    said: list[dict[str, object]] = []

    @click.command()
    def questions() -> None:
        said.append(asked())

    answers = ["Help desk", "2000", "5", "", "250", "", "3%", "internal", "", "de", "yes", "0.5"]
    run = CliRunner().invoke(questions, input="\n".join(answers) + "\n")
    assert run.exit_code == 0, run.output
    assert run.output.count("?") <= 12
    made = workload_file.build(said[0])
    assert made["requests_per_day"] == 10_000
    assert made["growth_per_month"] == pytest.approx(0.03)
    assert made.needs.domicile == "DE"
    origins = {name: one.origin for name, one in made.inputs.items()}
    assert (origins["output_tokens"], origins["input_tokens"], origins["fte"]) == ("stated", "assumed", "stated")


def test_an_answer_out_of_its_range_is_asked_for_again_at_once():
    import click

    from twintrack.cli.plan_questions import asked

    said = []

    @click.command()
    def questions() -> None:
        said.append(asked())

    answers = ["Help desk", "lots", "-4", "2000", "5", "", "250", "900", "2", "", "internal", "-1", "", "", "", ""]
    run = CliRunner().invoke(questions, input="\n".join(answers) + "\n")
    assert run.exit_code == 0, run.output
    assert run.output.count("is no number") == 1
    assert run.output.count("above 0") == 2
    assert "Use times from 1 to 200" in run.output
    assert said[0]["traffic"] == {
        "daily_users": 2000, "requests_per_user": 5, "output_tokens": 250, "peak_to_mean": 2,
    }  # fmt: skip


# ---- what an operator agreed


def test_own_prices_and_discounts_hold_and_commitments_are_said(path, tmp_path):
    rows = tmp_path / "contract.toml"
    rows.write_text(
        "[[prices]]\nprovider = 'openai'\nmodel = 'gpt-4o'\nfrom = '2026-11-01'\ninput_usd_per_mtok = 1.25\n"
        "output_usd_per_mtok = 5.0\nsource = 'contract'\nas_of = '2026-11-01'\n"
        "[[commitments]]\nprovider = 'openai'\nusd_per_month = 5000\nfrom = '2026-11-01'\nsource = 'contract'\n"
        "as_of = '2026-11-01'\n"
    )
    data = str(tmp_path / "data")
    imported = CliRunner().invoke(command, ["catalog", "update", str(rows), "--yes", "--data", data])
    assert imported.exit_code == 0, imported.output

    def made(*more: str) -> Any:
        run = CliRunner().invoke(
            command, ["plan", "--workload", str(path), "--json", "--no-draws", "--on", "2026-11-30", *more]
        )
        assert run.exit_code == 0, run.output
        return json.loads(run.output)

    def bill_of(plan: Any) -> float:
        return float(next(each["monthly_usd"] for each in plan["options"] if each["key"] == "gpt-4o@openai"))

    listed, own = made("--data", str(tmp_path / "empty")), made("--data", data)
    assert bill_of(own) == pytest.approx(bill_of(listed) / 2)
    assert any("committed to $5,000 a month at openai" in note for note in own["workload"]["notes"])
