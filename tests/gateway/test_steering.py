"""What moves a route's choices while it runs, in a running gateway: verdicts, a budget, caches, a die."""

from __future__ import annotations

import msgspec
import pytest
from made_up_world import MATHS, TALK, router_of

from support.gateway import Served, deployment, provider, route
from support.waiting import eventually
from twintrack.providers.scripted import Script

EASY = " ".join(TALK[:8])


def asked(gateway, text=EASY, earlier=()):
    answer = gateway.ask({"model": "auto", "messages": [*earlier, {"role": "user", "content": text}]})
    assert answer.status == 200
    return answer


def priced(name, at, read=1.0, cached=1.0):
    price = f"price = {{ input_usd_per_mtok = {read}, cache_read_usd_per_mtok = {cached}, output_usd_per_mtok = 4.0 }}"
    return deployment(name, at, more=price)


def tiers(gateway, count=20):
    return {asked(gateway).headers["x-twintrack-tier"] for _ in range(count)}


def test_verdicts_that_contradict_the_router_turn_all_workers(mine, tmp_path):
    config = (
        provider("mine", mine.url)
        + deployment("small", "mine", quality=0.5)
        + deployment("large", "mine", quality=0.95)
        + route("auto", "small", "large", more="keep_quality = 0.9")
    )
    gateway = Served(tmp_path, config, workers=2)
    gateway.data.mkdir(parents=True)
    gateway.data.joinpath("router.json").write_bytes(msgspec.json.encode(router_of()))
    with gateway:
        answered = [asked(gateway) for _ in range(50)]
        assert {each.headers["x-twintrack-tier"] for each in answered} == {"t0"}
        for each in answered:
            assert gateway.ask({"id": each.id, "score": 0}, "/v1/feedback").status == 202
        eventually(lambda: tiers(gateway) == {"t1"}, 20.0, 0.2)
        # What was predicted is what stands in the row: the verdicts are compared with it again.
        assert "learned p_good 0." in asked(gateway).headers["x-twintrack-why"]


def test_a_budget_that_is_spent_takes_the_cheap_ones_and_refuses_nobody(mine, tmp_path):
    config = (
        provider("mine", mine.url)
        + deployment("small", "mine", quality=0.5)
        + deployment("large", "mine", quality=0.95)
        + route("auto", "small", "large", more="usd_per_day = 0.0000001")
    )
    with Served(tmp_path, config, workers=2) as gateway:
        first = asked(gateway)
        assert first.headers["x-twintrack-tier"] == "t1"
        eventually(lambda: tiers(gateway) == {"t0"}, 20.0, 0.2)
        gateway.file.write_text(config.replace("0.0000001", "1000"))
        eventually(lambda: tiers(gateway) == {"t1"}, 20.0, 0.2)


def test_a_conversation_stays_where_its_prompt_is_cached(mine, other, tmp_path):
    config = (
        provider("mine", mine.url)
        + provider("other", other.url)
        + priced("cached", "mine", 1.0, 0.1)
        + priced("cheap", "other", 0.6, 0.6)
        + '[routes.auto]\ntiers = [{ name = "t", deployments = ["cached", "cheap"] }]\n'
    )
    long = "The minutes of the meeting follow. " * 1_000
    with Served(tmp_path, config) as gateway:
        assert asked(gateway, long).headers["x-twintrack-model"] == "cheap"
        other.scripts["cheap"] = Script(status=500)
        assert asked(gateway, "1. " + long).headers["x-twintrack-model"] == "cached"
        del other.scripts["cheap"]
        eventually(lambda: asked(gateway, "2. " + long).headers["x-twintrack-model"] == "cheap")
        earlier = [{"role": "user", "content": "1. " + long}, {"role": "assistant", "content": "Noted."}]
        assert asked(gateway, "Who was there?", earlier).headers["x-twintrack-model"] == "cached"
        # The first turn of a conversation has nothing cached, whoever began the same way before.
        assert asked(gateway, "1. " + long).headers["x-twintrack-model"] == "cheap"


def test_a_share_of_requests_is_drawn_and_the_rows_say_how_likely_that_was(mine, tmp_path):
    config = provider("mine", mine.url) + "".join(deployment(name, "mine") for name in ("small", "large"))
    config += route("auto", "small", "large", more="explore = 0.1")
    body = {"model": "auto", "messages": [{"role": "user", "content": EASY}]}
    sensitive = ({"x-twintrack-class": "confidential"}, {"x-twintrack-class": "restricted"})
    with Served(tmp_path, config) as gateway, gateway.connect() as client:
        for number in range(380):
            client.post("/v1/chat/completions", body, sensitive[number % 2] if number >= 320 else {})
            answer = client.answer()
            assert answer.status == 200
            assert (answer.headers["x-twintrack-tier"] == "t0") or answer.headers["x-twintrack-why"].startswith("drawn")
        gateway.entries(answer.id)
        rows = gateway.query("SELECT data_class, reason, propensity, chosen, deployment FROM entries")
    assert len(rows) == 380
    open_ = [row for row in rows if row["data_class"] == "internal"]
    said = {row["chosen"]: row["propensity"] for row in open_}
    assert said == {"small": pytest.approx(0.95), "large": pytest.approx(0.05)}
    for name, p in said.items():  # as often as the ledger says, within four standard deviations
        often = sum(row["chosen"] == name for row in open_)
        assert abs(often - 320 * p) < 4 * (320 * p * (1 - p)) ** 0.5
        assert {row["reason"] for row in open_ if row["chosen"] == name} == {"explored" if p < 0.5 else "good_enough"}
    assert all(row["chosen"] == row["deployment"] for row in rows)
    closed = [row for row in rows if row["data_class"] != "internal"]
    assert {(row["chosen"], row["propensity"], row["reason"]) for row in closed} == {("small", 1.0, "good_enough")}


def test_drafts_that_verdicts_find_wanting_are_asked_for_no_more(mine, tmp_path):
    cheap = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"
    config = provider("mine", mine.url) + deployment("small", "mine", quality=0.5, more=cheap)
    config += deployment("large", "mine", quality=0.95)
    rules = 'keep_quality = 0.9\ncascade = { check = ["match"], min_chars = 1, min_p_good = 0.0 }'
    gateway = Served(tmp_path, config + route("auto", "small", "large", more=rules))
    gateway.data.mkdir(parents=True)
    gateway.data.joinpath("router.json").write_bytes(msgspec.json.encode(router_of()))
    with gateway:
        drafted = [asked(gateway, " ".join(MATHS)) for _ in range(40)]
        assert {each.headers["x-twintrack-tier"] for each in drafted} == {"t0"}
        for each in drafted:
            said = {"id": each.id, "score": 0, "source": "check"}
            assert gateway.ask(said, "/v1/feedback").status == 202
        better = eventually(
            lambda: (a := asked(gateway, " ".join(MATHS))).headers["x-twintrack-tier"] == "t1" and a, 20.0, 0.1
        )
        (row,) = gateway.entries(better.id)
        assert (row["deployment"], row["role"]) == ("large", "answer")
        ((name, code, have, need),) = msgspec.json.decode(row["ruled_out"])
        assert (name, code) == ("small", "draft_poor")
        assert have < need
        # What was good enough then stands in the row, and stands in the story.
        assert 0 < row["p_enough"] <= row["p_best"] <= 1
        assert row["p_good"] >= row["p_enough"]


def test_what_a_route_keeps_is_measured(mine, tmp_path):
    config = (
        provider("mine", mine.url)
        + deployment("small", "mine", quality=0.5)
        + deployment("large", "mine", quality=0.95)
        + route("auto", "small", "large", more="keep_quality = 0.9\nusd_per_day = 100")
        + route("plain", "small")
    )
    gateway = Served(tmp_path, config)
    gateway.data.mkdir(parents=True)
    gateway.data.joinpath("router.json").write_bytes(msgspec.json.encode(router_of()))

    def shown(name):
        lines = gateway.get("/metrics").body.decode().splitlines()
        return {line.partition(" ")[0]: float(line.partition(" ")[2]) for line in lines if line.startswith(name)}

    with gateway:
        for _ in range(10):
            asked(gateway)
        kept = eventually(lambda: shown("twintrack_quality_kept{"))
        assert set(kept) == {
            'twintrack_quality_kept{route="auto",bound="mean"}',
            'twintrack_quality_kept{route="auto",bound="low"}',
        }
        mean, low = (kept[f'twintrack_quality_kept{{route="auto",bound="{bound}"}}'] for bound in ("mean", "low"))
        assert 0.9 <= mean <= 1.0
        assert low < mean
        assert shown("twintrack_budget_pressure{") == {'twintrack_budget_pressure{route="auto"}': 0.0}
