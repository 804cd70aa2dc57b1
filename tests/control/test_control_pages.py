"""The two pages, over a ledger with known rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import twintrack.control
from twintrack.ledger.database import database

HOUR_US = 3_600_000_000
FOLDER = Path(twintrack.control.__file__).parent
OWN, MANAGED, UNPRICED, SIMULATED = 0, 1, 3, 5
"""Deployments of the snapshot."""


def words(page: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


# ---- the overview


def test_without_a_ledger_the_overview_says_what_to_do_next(console):
    answer = console.get("/")
    assert answer.status == 200
    assert "Serving, and waiting for a first request." in answer.text
    said = answer.text.split("<code>")[1].split("</code>")[0]
    assert said.startswith(
        "curl http://127.0.0.1:8080/v1/chat/completions -H &#34;authorization: Bearer $TWINTRACK_KEY"
    )
    assert "&#34;model&#34;:&#34;auto&#34;" in said


def test_an_empty_ledger_does_the_same(console, ledger):
    ledger.load()
    assert "waiting for a first request" in console.get("/").text


def test_the_overview_lists_who_serves_where_at_which_price(console):
    page = words(console.get("/").text)
    assert "small llama@gpu-room llama-3.3-70b-instruct at gpu-room own eu-west $1.20 an hour" in page
    assert "balanced mid@together mid at together contracted eu-central in $0.20 out $0.60" in page
    assert "new-model@openai new-model at openai third party unknown" in page
    assert "gpt-5.4@openai baseline gpt-5.4 at openai third party in $2.50 out $15.00" in page
    assert "at most $0.05 a request; first token within 2,000 ms" in page


def test_demo_models_and_simulated_providers_are_labelled(console):
    page = words(console.get("/").text)
    assert "demo-nano@laptop demo model" in page
    assert "scripted-premium@pretend SIMULATED" in page


def test_cost_baseline_and_savings_stand_with_interval_and_coverage(console, ledger, now_us):
    for number, cost in enumerate((1_000_000_000, 1_200_000_000, 1_100_000_000)):
        ledger.answered(f"r{number}", now_us - 60_000_000, MANAGED, cost_nusd=cost, baseline_nusd=4_000_000_000)
    ledger.answered("u", now_us - 50_000_000, UNPRICED, cost_nusd=None, baseline_nusd=4_000_000_000)
    ledger.load()
    page = words(console.get("/").text)
    assert "4 requests in the last 7 days cost $3.30, 1 attempt of unknown cost left out. That is $8.70 less" in page
    assert "95\u00a0% confidence between" in console.get("/").text
    assert "Cost of answered and failed attempts $3.30 and 1 attempt of unknown cost" in page
    assert "+$8.70 95 %: +$8.36 to +$9.04 over 75 % of attempts" in page


def test_a_loss_is_shown_as_a_loss(console, ledger, now_us):
    for number in range(3):
        facts = {"cost_nusd": 2_000_000_000 + number, "baseline_nusd": 500_000_000}
        ledger.answered(f"r{number}", now_us - 60_000_000, MANAGED, **facts)
    ledger.load()
    page = console.get("/").text
    assert "That is $4.50 more than the baseline" in words(page)
    assert '<span class="number loss">−$4.50</span>' in page


def test_savings_that_may_be_chance_say_so(console, ledger, now_us):
    for number, cost in enumerate((1_000_000_000, 3_000_000_000, 1_900_000_000)):
        ledger.answered(f"r{number}", now_us - 60_000_000, MANAGED, cost_nusd=cost, baseline_nusd=2_000_000_000)
    ledger.load()
    assert "$0.100 less than the baseline, which may be chance: the 95 % interval is" in words(console.get("/").text)


def test_an_unpriced_model_costs_unknown_never_nothing(console, ledger, now_us):
    ledger.answered("u", now_us - 60_000_000, UNPRICED, cost_nusd=None, baseline_nusd=None)
    ledger.load()
    page = words(console.get("/").text)
    assert "1 request in the last 7 days; what they cost is unknown." in page
    assert "Saved baseline less cost, where both are known unknown unknown" in page


def test_idle_engines_are_a_line_of_their_own_and_count(console, ledger, snapshot, now_us):
    hour_us = now_us // HOUR_US * HOUR_US - HOUR_US
    for second in range(0, 3601, 10):
        ledger.loader.mark_up(hour_us + second * 1_000_000, [snapshot.deployments[OWN]])
    ledger.answered(
        "own", hour_us, OWN, cost_nusd=None, baseline_nusd=400_000_000, total_us=HOUR_US // 4, ttft_us=100_000
    )
    ledger.load()
    page = words(console.get("/").text)
    assert "1 request in the last 7 days cost $1.20, idle engines included. That is $0.800 more" in page
    assert "Idle engines paid by the hour, used by nobody $0.900 $0.900" in page
    assert "Saved, net less idle engines −$0.800 −$0.800" in page


def test_simulated_rows_are_in_no_real_figure(console, ledger, now_us):
    ledger.answered("real", now_us - 60_000_000, MANAGED, cost_nusd=1_000_000_000, baseline_nusd=1_500_000_000)
    ledger.answered("sim", now_us - 50_000_000, SIMULATED, cost_nusd=7_000_000_000, baseline_nusd=9_000_000_000)
    ledger.load()
    page = console.get("/").text
    real, pretend = page.split('<section class="pretend"')
    assert "1 request in the last 7 days cost $1.00" in words(real)
    assert "$7.00" not in real
    assert "SIMULATED" in pretend
    assert "Nothing here was spent or saved" in pretend
    assert "1 request in the last 7 days cost $7.00" in words(pretend.split("</section>")[0])


def test_with_nothing_but_simulated_rows_nothing_looks_real(console, ledger, now_us):
    ledger.answered("sim", now_us - 50_000_000, SIMULATED)
    ledger.load()
    before = console.get("/").text.split('<section class="pretend"')[0]
    assert "Nothing real was asked in the last 7 days." in before
    assert "$" not in before


def test_requests_of_yesterday_are_not_todays(console, ledger, now_us):
    ledger.answered("old", now_us - 20 * HOUR_US, MANAGED, cost_nusd=1_000_000_000)
    ledger.load()
    assert "Requests 0 1" in words(console.get("/").text)


def test_the_latest_requests_are_one_line_each_newest_first(week, console_over):
    page = console_over(week).get("/console/latest").text
    ids = re.findall(r'href="/console/requests/([^"]*)"', page)
    assert len(ids) == 20
    assert ids[0] == "tt-running"
    assert ids.count("tt-fallback") == 1
    row = words(next(row for row in page.split("<tr") if "tt-fallback" in row))
    assert "auto gpt-5.4@openai premium answered attempt 2 812 / 301 $0.00655" in row


@pytest.mark.parametrize(
    ("request_id", "expected"),
    [
        ("tt-running", "gpt-5.4@openai premium running – – –"),
        ("tt-refused", "nobody refused, 422 – $0.00 –"),
        ("tt-unpriced", "answered 812 / 301 unknown 2.0 s"),
        ("tt-own", "answered 812 / 301 engine time 2.0 s"),
        ("tt-pretend", "scripted-premium@pretend premium SIMULATED answered"),
        ("tt-demo", "demo-nano@laptop small demo model answered"),
    ],
)
def test_a_line_says_how_it_ended(week, console_over, request_id, expected):
    page = console_over(week).get("/console/latest").text
    assert expected in words(next(row for row in page.split("<tr") if request_id in row))


def test_the_chart_says_in_words_and_in_a_table_what_it_draws(week, console_over):
    page = console_over(week).get("/console/sums").text
    assert re.search(r'aria-label="Cost per hour over the last 24 hours: \$[\d.]+ in all, most between', page)
    table = page.split('<details id="real-hours">')[1].split("</details>")[0]
    assert table.count("<tr>") == 25
    assert "15:00 to 16:00" in table


def test_parts_of_the_overview_are_what_the_whole_shows(week, console_over):
    console = console_over(week)
    whole = console.get("/").text
    assert console.get("/console/latest").text.strip() in whole
    assert console.get("/console/sums").text.strip() in whole


# ---- one request


def test_a_request_is_explained_with_its_attempts_and_who_was_ruled_out(week, console_over):
    answer = console_over(week).get("/console/requests/tt-fallback")
    assert answer.status == 200
    page = words(answer.text)
    assert "with key support-bot and asked for auto (chat, streamed)." in page
    assert "Chosen: mid@together, tier balanced. It is in the cheapest tier that is good enough" in page
    assert (
        "Attempt 1: mid@together (mid at together) refused (HTTP 503, overloaded), done after 0.40 s. "
        "It was not charged."
    ) in page
    assert "Together they cost $0.006545." in page
    assert "Without routing, gpt-5.4@openai would have answered for $0.006545: $0.00 saved." in page
    assert "balanced provider refused HTTP 503, overloaded – $0.00 – – 400 ms" in page
    assert "premium answered 812 / 301 512 from the cache $0.00655 $0.00655 on gpt-5.4@openai 310 ms 2.0 s" in page
    assert "llama@gpu-room it has 64 requests in flight, its limit is 64." in page
    assert "the cost is limited to $0.05 and its price is unknown. State the deployment&#39;s price" in page
    assert "Complexity, 0 to 1 0.41" in page


def test_a_refusal_is_explained_too(week, console_over):
    page = words(console_over(week).get("/console/requests/tt-refused").text)
    assert "It was sent to nobody and cost nothing: no_eligible_model (HTTP 422)." in page
    assert "restricted data stays on your own machines, and this is a third party." in page
    assert "Data class restricted" in page


def test_a_running_request_says_so(week, console_over):
    page = words(console_over(week).get("/console/requests/tt-running").text)
    assert "Attempt 1: gpt-5.4@openai (gpt-5.4 at openai) has been running since" in page


def test_a_simulated_request_says_so_on_top(week, console_over):
    page = console_over(week).get("/console/requests/tt-pretend").text
    assert "SIMULATED: prices or answers of this request are made up" in page.split("<section")[0]


def test_an_unknown_request_gets_help(week, console_over):
    answer = console_over(week).get("/console/requests/tt-nobody")
    assert answer.status == 404
    assert "There is no request &#39;tt-nobody&#39; in the ledger." in answer.text
    assert "x-twintrack-id" in answer.text
    assert 'value=""' in answer.text


def test_html_in_an_id_is_text(week, console_over):
    console = console_over(week)
    page = console.get("/").text
    assert "<img" not in page
    link = re.search(r'href="(/console/requests/[^"]*onerror[^"]*)"', page)
    assert link
    answer = console.get(link[1])
    assert answer.status == 200
    assert "<img" not in answer.text
    assert "&lt;img src=x" in answer.text
    unknown = console.get("/console/requests/%3Cscript%3Ealert(1)%3C/script%3E")
    assert unknown.status == 404
    assert "<script>" not in unknown.text


def test_the_search_leads_to_the_request(console):
    answer = console.get("/console/requests?id=%20tt-1%2F2%3F%20")
    assert (answer.status, answer.headers["location"]) == (303, "/console/requests/tt-1%2F2%3F")
    assert console.get("/console/requests?id=").headers["location"] == "/"
    assert (
        console.get("/console/requests?id=//evil.example/").headers["location"].startswith("/console/requests/%2F%2F")
    )


# ---- what cannot be shown


def test_an_unknown_page_is_a_404_with_help(console):
    answer = console.get("/console/request")
    assert answer.status == 404
    assert "Did you mean /console/requests/?" in answer.text


def test_a_broken_ledger_is_a_page_that_says_so(console, snapshot):
    path = database(snapshot.data)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    answer = console.get("/")
    assert answer.status == 503
    assert "is broken" in answer.text


# ---- files


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_style_script_and_icon_are_ours(console, name, media_type):
    answer = console.get(f"/console/static/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.body == (FOLDER / "static" / name).read_bytes()


@pytest.mark.parametrize("name", ["app.py", "..%2Fapp.py", "", "console.css/x"])
def test_no_other_file_is_served(console, name):
    assert console.get(f"/console/static/{name}").status == 404


def test_pages_ask_nobody_else_for_anything():
    for path in [*(FOLDER / "templates").iterdir(), *(FOLDER / "static").iterdir()]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"^\s*//.*$|; // .*$", "", text, flags=re.M), path.name


def test_templates_hold_no_inline_style_or_script():
    for path in (FOLDER / "templates").iterdir():
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! src=)|\|\s*safe|autoescape", text), path.name


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_bars_stand_out_from_what_they_are_on(dark):
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for bars and edges."""
    sheet = (FOLDER / "static" / "console.css").read_text()
    light, night = re.findall(r":root \{(.*?)\}", sheet, re.S)[:2]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light))
    if dark:
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", night))
    for ink in ("ink", "soft", "accent", "gain", "loss"):
        for paper in ("paper", "raised", "pretend-paper"):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    assert contrast(colours["pretend"], colours["pretend-paper"]) >= 4.5
    for mark in ("bar", "idle", "edge"):
        assert contrast(colours[mark], colours["paper"]) >= 3, mark


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
