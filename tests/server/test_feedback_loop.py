"""The whole way round: requests, what was said about their answers, a router fitted to it, other choices."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.providers.scripted import Received, Script, chat_answer

MATHS = ["integrate", "polynomial", "equation", "derivative", "matrix", "prime", "theorem", "modulo", "fraction", "sum"]
TALK = ["hello", "friend", "lovely", "weather", "walking", "green", "park", "garden", "evening", "music"]


def small(received: Received) -> Script:
    """Does small talk, and no mathematics."""
    asked = json.loads(received.body)["messages"][-1]["content"]
    return chat_answer("no idea" if any(word in asked for word in MATHS) else "fine")


def prompt(maths: bool, rng: random.Random) -> str:
    """As long in either case, so that length says nothing."""
    words = [rng.choice(MATHS if maths and place % 2 else TALK) for place in range(rng.randrange(8, 16))]
    return " ".join(words)


def ask(gateway: Served, text: str) -> Any:
    return gateway.ask({"model": "auto", "messages": [{"role": "user", "content": text}]})


def twintrack(gateway: Served, *words: str) -> str:
    command = [sys.executable, "-m", "twintrack", *words, "--data", str(gateway.data)]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_said_about_answers_changes_who_answers(mine: Provider, tmp_path: Path) -> None:
    mine.scripts["small"] = small
    config = provider("mine", mine.url) + deployment("small", "mine", quality=0.95)
    config += deployment("large", "mine", quality=0.97) + route("auto", "small", "large", more="keep_quality = 0.9")
    rng = random.Random(1)
    with Served(tmp_path, config, workers=2) as gateway:
        gateway.clean = False  # it says that there is a router now
        for number in range(160):
            answer = ask(gateway, prompt(bool(number % 2), rng))
            assert answer.headers["x-twintrack-model"] == "small"
            good = answer.json()["choices"][0]["message"]["content"] == "fine"
            said = {"id": answer.id, "thumbs": "up" if good else "down"}
            assert gateway.ask(said, "/v1/feedback").status == 202

        def all_there() -> bool:
            return bool(
                gateway.query("SELECT 1 FROM judged WHERE standing = 'counts' GROUP BY 1 HAVING count(*) = 160")
            )

        assert eventually(all_there)
        found = json.loads(twintrack(gateway, "ledger", "verdicts", "--json"))
        assert [(row["deployment"], row["verdicts"]) for row in found["rows"]] == [("small", 160)]

        report = json.loads(twintrack(gateway, "learn", "router", "--from", "ledger", "--json"))
        assert report["taken"]
        assert set(report["better_by"]) == {"constant", "length", "catalogue"}

        def asked_about_maths() -> bool:
            return bool(ask(gateway, prompt(True, rng)).headers["x-twintrack-model"] == "large")

        assert eventually(asked_about_maths, 20)
        went = [ask(gateway, prompt(maths, rng)).headers["x-twintrack-model"] for maths in (True, False) * 10]
        assert went.count("large") in range(8, 13)
        assert went[::2].count("large") >= 8
