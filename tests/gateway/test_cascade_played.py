"""Recorded answers of real models, played through the gateway: a cascade keeps and saves what its file promised.

The strategy is chosen on half of the questions, as `twintrack route cascade` does it, and written into a configuration.
The other half is asked through the gateway; a scripted provider answers as the models did. Accuracy is counted from
what clients got, dollars are read from the ledger.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import twintrack
from support.gateway import provider
from twintrack.gateway.agreement import final_answer
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database
from twintrack.ledger.load import Loader
from twintrack.ledger.summary import summary
from twintrack.providers.scripted import Received, Script, ScriptedProvider, Tokens
from twintrack.providers.scripted.shapes import chat_body
from twintrack.signals.weights import shipped_prior
from twintrack.training.cascade import CHARS_PER_TOKEN, choose, halved
from twintrack.training.files import Outcomes, read_outcomes
from twintrack.training.strategies import Strategy, outcome
from twintrack.wire.canonical.parts import Text
from twintrack.wire.held import Draft

STRONG = "gpt-4o-2024-08-06"
CHEAP = (
    "Meta-Llama-3.1-8B-Instruct",
    "gemma-2-9b-it",
    "Qwen2-7B-Instruct",
    "Yi-1.5-9B-Chat",
    "Meta-Llama-3-8B-Instruct",
)
PRICES = dict.fromkeys(CHEAP, (0.06, 0.08)) | {STRONG: (2.5, 10.0)}
INSTRUCTIONS_CHARS = 319
AT_ONCE = 8


class Played(NamedTuple):
    kept: float
    """Of the strong model's accuracy."""
    saved: float
    """Of its dollars, by the ledger."""
    usd: float
    attempts: int
    promised_kept: float
    promised_saved: float
    promised_usd: float
    strategy: Strategy


@pytest.mark.needs("data", reason="recorded answers of language models")
@pytest.mark.parametrize(
    ("rows", "seed"),
    [(120, 0), pytest.param(None, 0, marks=pytest.mark.long), pytest.param(None, 2, marks=pytest.mark.long)],
)
def test_what_was_promised_is_kept_and_saved(rows: int | None, seed: int, tmp_path: Path) -> None:
    outcomes = read_outcomes(Path(os.environ["TWINTRACK_DATA"]) / "routing" / "zeroeval_gsm8k_answers.parquet")
    found = played(outcomes, rows, seed, tmp_path)
    print(found)
    assert found.strategy.kind == "cascade"
    assert found.kept == pytest.approx(found.promised_kept, abs=1e-9)
    # A draft that could no longer agree with anybody is not asked for; the file pays for it.
    assert 0.97 * found.promised_usd < found.usd <= 1.0001 * found.promised_usd
    if rows is None:
        assert found.kept >= 0.99
        assert found.saved >= 0.75


def played(outcomes: Outcomes, rows: int | None, seed: int, folder: Path) -> Played:
    rng = np.random.default_rng(seed)
    halves = halved(
        outcomes, STRONG, PRICES, shipped_prior(), rng, labels=None, seed=seed, extra_chars=INSTRUCTIONS_CHARS
    )
    chosen, _, _ = choose(halves.seen, STRONG, 0.99)
    test = halves.test[:rows]
    said = {name: [outcomes.answers[name][row] for row in test] for name in chosen.models}
    chars = {name: outcomes.answer_chars[name][test] for name in chosen.models}
    prompts = [outcomes.prompts[row] for row in test]

    answers = asyncio.run(_asked(folder, chosen, prompts, said, chars))
    with Loader(folder / "data") as loader:
        while not loader.load().caught_up:
            pass
    assert balance(database(folder / "data")) == []
    total = summary(database(folder / "data"), ()).simulated_total
    assert total is not None
    assert total.requests == total.ok == len(test)
    assert total.cost_nusd is not None
    assert total.savings is not None
    assert total.baseline_nusd is not None
    assert total.savings.nusd == total.baseline_nusd - total.cost_nusd

    gold = [outcomes.gold[row] for row in test] if outcomes.gold is not None else []
    right = np.array([float(answer == true) for answer, true in zip(answers, gold, strict=True)])
    quality, usd = outcome(chosen, halves.unseen)
    strong, price = halves.unseen.right[STRONG][: len(test)], halves.unseen.usd[STRONG][: len(test)]
    spent = total.cost_nusd / 1e9
    return Played(
        float(right.mean() / strong.mean()),
        1 - spent / float(price.sum()),
        spent,
        total.attempts,
        float(quality[: len(test)].mean() / strong.mean()),
        1 - float(usd[: len(test)].sum() / price.sum()),
        float(usd[: len(test)].sum()),
        chosen,
    )


async def _asked(
    folder: Path, chosen: Strategy, prompts: list[str], said: Mapping[str, list[str | None]], chars: Mapping[str, Any]
) -> list[str | None]:
    """What clients got, in the order of the prompts."""
    places = {prompt: place for place, prompt in enumerate(prompts)}

    def answer(received: Received) -> Script:
        body = json.loads(received.body)
        prompt, model = body["messages"][0]["content"], body["model"]
        place = places[prompt]
        text = said[model][place]
        words = "It is hard to say.\nNobody knows." if text is None else f"Step by step it comes to this.\n#### {text}"
        # Prices are by characters / 4: a quarter of the price for each character is the same to the last digit.
        tokens = Tokens(len(prompt) + INSTRUCTIONS_CHARS, int(chars[model][place]))
        return Script(pieces=(chat_body(words, tokens, model),))

    models = ScriptedProvider(answer)
    await models.start()
    try:
        file = folder / "twintrack.toml"
        file.write_text(_configuration(models.url, chosen))
        async with twintrack.Gateway(file) as gateway:
            return await _all(gateway, prompts)
    finally:
        await models.stop()


async def _all(gateway: twintrack.Gateway, prompts: list[str]) -> list[str | None]:
    found: list[str | None] = [None] * len(prompts)
    left = list(enumerate(prompts))

    async def client() -> None:
        while left:
            place, prompt = left.pop()
            answer = await gateway.chat({"model": "auto", "messages": [{"role": "user", "content": prompt}]})
            assert answer.status == 200, answer.body
            text = answer.json()["choices"][0]["message"]["content"]
            found[place] = final_answer(Draft((Text(text),), "stop"))

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return found


def _configuration(url: str, chosen: Strategy) -> str:
    *cheap, last = chosen.models
    config = '[server]\ndata = "data"\n' + provider("recorded", url, more="simulated = true")
    for name in chosen.models:
        price_in, price_out = (each / CHARS_PER_TOKEN for each in PRICES[name])
        config += (
            f'[[deployments]]\nname = "{name}"\nmodel = "{name}"\nprovider = "recorded"\n'
            f"facts = {{ quality = {0.95 if name == last else 0.8} }}\n"
            f"price = {{ input_usd_per_mtok = {price_in}, output_usd_per_mtok = {price_out} }}\n"
        )
    believe = [[chosen.models[one], chosen.models[other]] for one, other in chosen.accept]
    return config + (
        f"[routes.auto]\nkeep_quality = 1.0\ntiers = [{{ name = 'cheap', deployments = {json.dumps(cheap)} }}, "
        f"{{ name = 'strong', deployments = ['{last}'] }}]\n"
        f"[routes.auto.cascade]\ncheck = ['agreement']\ndrafts = {json.dumps(cheap)}\nbelieve = {json.dumps(believe)}\n"
    )
