"""A router fitted to verdicts decides in a running gateway, from the moment its file is there to the moment it goes."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from made_up_world import MATHS, TALK, router_of

from support.gateway import Served, deployment, provider, route
from support.waiting import eventually

EASY, HARD = " ".join(TALK[:8]), " ".join(MATHS[:8])


@pytest.fixture(scope="module")
def weights() -> bytes:
    return msgspec.json.encode(router_of())


@pytest.fixture
def served(mine, tmp_path):
    config = (
        provider("mine", mine.url)
        + deployment("small", "mine", quality=0.5)
        + deployment("large", "mine", quality=0.95)
        + route("auto", "small", "large", more="keep_quality = 0.9")
    )
    with Served(tmp_path, config, clean=False) as gateway:
        yield gateway


def asked(gateway, text):
    answer = gateway.ask({"model": "auto", "messages": [{"role": "user", "content": text}]})
    assert answer.status == 200
    return answer


def test_a_running_gateway_takes_a_router_up_keeps_it_and_lets_it_go(served, weights):
    guessed = asked(served, EASY)
    assert guessed.headers["x-twintrack-tier"] == "t1"
    assert "learned" not in guessed.headers["x-twintrack-why"]

    served.data.joinpath("router.json").write_bytes(weights)
    easy = eventually(lambda: (a := asked(served, EASY)).headers["x-twintrack-tier"] == "t0" and a)
    hard = asked(served, HARD)
    assert easy.headers["x-twintrack-why"].startswith("cheapest that is good enough; learned p_good 0.")
    assert (hard.headers["x-twintrack-tier"], hard.headers["x-twintrack-model"]) == ("t1", "large")

    # Each row says by what it was decided; the one before the router is told as it was.
    (before,), (after,) = served.entries(guessed.id), served.entries(easy.id)
    policy, _, router = after["policy_version"].partition("+")
    assert before["policy_version"] == policy
    assert len(router) == 8
    command = [sys.executable, "-m", "twintrack", "explain", easy.id, "--data", str(served.data)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"(policy {policy}, router {router}, fitted to your verdicts)" in told

    # A broken file changes nothing, and a line says so.
    served.data.joinpath("router.json").write_bytes(weights[: len(weights) // 2])
    eventually(lambda: "the fitted router is not used, the one before decides" in served.stderr())
    eventually(lambda: served.stderr().count("is serving") == 2)
    assert asked(served, EASY).headers["x-twintrack-tier"] == "t0"

    undo = [sys.executable, "-m", "twintrack", "learn", "router", "--undo", "--data", str(served.data)]
    subprocess.run(undo, capture_output=True, check=True)
    back = eventually(lambda: (a := asked(served, EASY)).headers["x-twintrack-tier"] == "t1" and a)
    (row,) = served.entries(back.id)
    assert row["policy_version"] == policy


def test_a_gateway_starts_with_the_prior_where_the_router_is_broken(mine, tmp_path, weights):
    config = provider("mine", mine.url) + deployment("small", "mine", quality=0.5)
    gateway = Served(tmp_path, config + route("auto", "small"), clean=False)
    gateway.data.mkdir(parents=True)
    gateway.data.joinpath("router.json").write_bytes(weights.replace(b'"features_version":2', b'"features_version":0'))
    with gateway:
        assert asked(gateway, EASY).headers["x-twintrack-why"].startswith("the only one that can; p_good")
        assert "the fitted router is not used, the prior decides" in gateway.stderr()
        assert "is of version 1.0" in gateway.stderr()
