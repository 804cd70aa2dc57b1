"""What moves a route's choices while it runs, in a running gateway: verdicts, a budget, caches, a die."""

from __future__ import annotations

import msgspec
import pytest
from made_up_world import TALK, router_of

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


def test_a_share_of_requests_is_drawn_and_the_row_says_how_likely_it_was(mine, tmp_path):
    config = provider("mine", mine.url) + deployment("small", "mine") + deployment("large", "mine")
    config += route("auto", "small", "large", more="explore = 0.1")
    with Served(tmp_path, config) as gateway:
        drawn = eventually(lambda: (a := asked(gateway)).headers["x-twintrack-tier"] == "t1" and a, 30.0, 0.0)
        assert drawn.headers["x-twintrack-why"].startswith("drawn at random to explore")
        (row,) = gateway.entries(drawn.id)
        assert (row["reason"], row["propensity"], row["chosen"]) == ("explored", pytest.approx(0.05), "large")
        usual = eventually(lambda: (a := asked(gateway)).headers["x-twintrack-tier"] == "t0" and a, 30.0, 0.0)
        assert gateway.entries(usual.id)[0]["propensity"] == pytest.approx(0.95)
        told = [asked(gateway).headers["x-twintrack-tier"] for _ in range(3)]
        sensitive = [
            gateway.ask(
                {"model": "auto", "messages": [{"role": "user", "content": EASY}]},
                headers={"x-twintrack-class": "restricted"},
            )
            for _ in range(40)
        ]
        assert {each.headers["x-twintrack-tier"] for each in sensitive} == {"t0"}
        assert set(told) <= {"t0", "t1"}


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
