"""twintrack demo: the idea in a minute, on real engines, with simulated prices and no key."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

import click
import msgspec
import uvloop

from twintrack.catalog import prices
from twintrack.cli.data import folder as data_folder
from twintrack.config.load import parse
from twintrack.engines.bundled import bundled_prompts
from twintrack.engines.start import Engine, EngineProcess, bundled, free_port
from twintrack.errors import EnvironmentProblem, TwintrackError
from twintrack.gateway.library import Gateway
from twintrack.gateway.open import compiled
from twintrack.ledger.load import Loader
from twintrack.ledger.summary import Summary, summary
from twintrack.ledger.tally import Z_95
from twintrack.providers.scripted import Received, Script, ScriptedProvider, chat_answer

REQUESTS = 300
_EVERY_S = 0.03
"""Between two requests: slow enough to see an engine die and come back."""
_STAKES_EVERY = 20
"""Each so many requests say `stakes: high`, which takes the best allowed model."""
_KEEP_QUALITY = 0.9
_HEAL_S = 15.0
_LEDGER_FILES = frozenset(("journal", "ledger.db", "ledger.db-shm", "ledger.db-wal", "loader.lock", "prices.json"))
_STAND_INS = {
    "small": ("groq", "llama-3.1-8b-instant"),
    "balanced": ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "premium": ("openai", "gpt-5.4"),
}
"""Whose list price each tier is charged at: (provider, its name of the model)."""
_RECORD = "Patient Jane Roe, born 1981-04-02, record 4711: type 2 diabetes, metformin 850 mg twice a day. Summarise."


@dataclass
class Result:
    """What the demo found; `--json` prints it."""

    simulated: bool = True
    requests: int = 0
    answered: int = 0
    tiers: dict[str, int] = field(default_factory=dict)
    right: int = 0
    """Answers that are exactly the expected ones."""
    right_low: float = 0.0
    right_high: float = 0.0
    """Ends of the 95 % Wilson interval of the share of right answers."""
    cost_nusd: int = 0
    cost_unknown: int = 0
    """Attempts whose cost cannot be known, as of the one that died with its engine; not in `cost_nusd`."""
    baseline_nusd: int = 0
    savings_nusd: int = 0
    savings_low_nusd: int | None = None
    savings_high_nusd: int | None = None
    coverage: float = 0.0
    failovers: int = 0
    third_party_requests: int = 0
    record_status: int = 0
    record_provider: str = ""
    record_third_party_bytes: int = 0
    named_third_party_status: int = 0
    """Answer to the same record sent to the third party by name."""
    named_third_party_bytes: int = 0
    seconds: float = 0.0
    prices: dict[str, str] = field(default_factory=dict)
    example_id: str = ""
    data: str = ""


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the demo's ledger in this folder.")
def command(as_json: bool, keep: Path | None) -> int:
    """Replay 300 requests over two bundled models and a scripted third party; everything is SIMULATED.

    Models and engines are real, prices are list prices of models they stand in for, and nothing leaves this machine.
    Its ledger is one of its own, apart from yours.
    """
    folder = keep or data_folder(None) / "demo"
    _make_room(folder, ours=keep is None)
    result = uvloop.run(_demo(folder))
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        _tell(result)
    return 0


def _make_room(folder: Path, *, ours: bool) -> None:
    """Remove the ledger of the last demo; nothing else is ever removed."""
    try:
        names = {each.name for each in folder.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise EnvironmentProblem(f"{folder} cannot be used", why=error.strerror or str(error)) from None
    if not names:
        return
    if not ours:
        raise TwintrackError(f"{folder} is not empty", fix="Name a new folder with --keep.")
    if names - _LEDGER_FILES:
        raise TwintrackError(
            f"{folder} holds more than the ledger of a demo",
            why=f"{min(names - _LEDGER_FILES)} is none of its files",
            fix="Name a new folder with --keep.",
        )
    shutil.rmtree(folder)


async def _demo(folder: Path) -> Result:
    began = time.monotonic()
    result = Result(data=str(folder))
    answers = {prompt.messages[-1]["content"]: prompt.expected for prompt in bundled_prompts()}

    def answer(received: Received) -> Script:
        asked = msgspec.json.decode(received.body)["messages"][-1]["content"]
        text = answers.get(asked, "I would rather not.")
        return chat_answer(text, len(asked) // 4 + 8, len(text) // 4 + 1, "scripted-premium")

    third_party = ScriptedProvider(answer, keep_requests=False)
    await third_party.start()
    engines = [EngineProcess(Engine(name, bundled(name), free_port())) for name in ("demo-nano", "demo-small")]
    try:
        _progress("starting two engines …")
        for engine in engines:
            engine.start()
        for engine in engines:
            await asyncio.to_thread(engine.wait_ready, 20.0)
        text = _configuration(folder, engines, third_party, result)
        settings, source = parse(text, "the demo's configuration", environ=None)
        async with Gateway(compiled(settings, source)) as gateway:
            await _replay(gateway, engines, result)
            await _try_record(gateway, third_party, result)
            result.failovers = gateway.failovers
        result.third_party_requests = third_party.requests
    finally:
        for engine in engines:
            engine.stop()
        await third_party.stop()
    with Loader(folder) as loader:
        while not loader.load().caught_up:
            continue
        _read_ledger(summary(loader.path, ("tier",)), result)
    result.right_low, result.right_high = _wilson(result.right, result.answered)
    result.seconds = round(time.monotonic() - began, 1)
    return result


async def _replay(gateway: Gateway, engines: list[EngineProcess], result: Result) -> None:
    """Send everything, a few at a time; in the middle the engine that answers most is killed."""
    questions = [prompt for prompt in bundled_prompts() if not prompt.tools]
    tiers: Counter[str] = Counter()

    async def one(number: int) -> None:
        await asyncio.sleep(number * _EVERY_S)
        if number == REQUESTS // 2:
            _kill(engines[0])
        engines[0].restart_if_dead()
        prompt = questions[number % len(questions)]
        answer = await gateway.chat(
            {"model": "auto", "messages": list(prompt.messages), "temperature": 0, "max_tokens": 96},
            {"x-twintrack-stakes": "high"} if number % _STAKES_EVERY == 0 else None,
        )
        result.requests += 1
        if answer.status == 200:
            result.answered += 1
            tiers[answer.headers["x-twintrack-tier"]] += 1
            content = answer.json()["choices"][0]["message"]["content"] or ""
            result.right += content.strip() == prompt.expected
            result.example_id = answer.headers["x-twintrack-id"]
        if result.requests % 50 == 0:
            _progress(f"{result.requests} of {REQUESTS} requests")

    await asyncio.gather(*(one(number) for number in range(REQUESTS)))
    result.tiers = dict(tiers)


def _kill(engine: EngineProcess) -> None:
    if engine.pid is not None:
        os.kill(engine.pid, signal.SIGKILL)
        _progress("the small engine is killed now; its requests move on")


async def _try_record(gateway: Gateway, third_party: ScriptedProvider, result: Result) -> None:
    """A labelled patient record: by route, and then to the third party by name."""
    record = [{"role": "user", "content": _RECORD}]
    label = {"x-twintrack-class": "restricted"}
    before = third_party.bytes_in
    late = time.monotonic() + _HEAL_S
    while True:
        answer = await gateway.chat({"model": "auto", "messages": record, "max_tokens": 48}, label)
        if answer.status < 500 or time.monotonic() > late:
            break
        await asyncio.sleep(0.2)  # the killed engine is the only one that may see it, and may still be coming back
    result.record_status = answer.status
    result.record_provider = answer.headers.get("x-twintrack-provider", "nobody")
    result.record_third_party_bytes = third_party.bytes_in - before
    named = await gateway.chat({"model": "premium", "messages": record, "max_tokens": 48}, label)
    result.named_third_party_status = named.status
    result.named_third_party_bytes = third_party.bytes_in - before


def _configuration(folder: Path, engines: list[EngineProcess], third_party: ScriptedProvider, result: Result) -> str:
    listed = prices.load(None, on=datetime.datetime.now(datetime.UTC).date())
    nano, small = (engine.engine.url for engine in engines)
    rows = (
        ("small", "demo-nano", nano, "own", 0.771),
        ("balanced", "demo-small", small, "contracted", 0.97),
        ("premium", "scripted-premium", third_party.url, "third_party", 0.98),
    )
    blocks = [f'[server]\ndata = {json.dumps(str(folder))}\nproxy = ""\n[server.deadlines]\nconnect_s = 1.0\n']
    for tier, model, url, zone, quality in rows:
        provider, listed_as = _STAND_INS[tier]
        price = listed.find(provider, listed_as)
        assert price is not None, f"{listed_as} is not listed"
        dollars = price.input_nusd_per_mtok / 1e9, price.output_nusd_per_mtok / 1e9
        result.prices[tier] = f"{model} at the price of {listed_as}: ${dollars[0]:g} in, ${dollars[1]:g} out per Mtok"
        blocks.append(
            f'[[providers]]\nname = "{tier}"\napi = "llama.cpp"\nurl = "{url}"\nzone = "{zone}"\nsimulated = true\n'
            f'[[deployments]]\nmodel = "{model}"\nprovider = "{tier}"\nname = "{tier}"\n'
            f"price = {{ input_usd_per_mtok = {dollars[0]}, output_usd_per_mtok = {dollars[1]} }}\n"
            f'facts = {{ context_tokens = 512, modalities = ["text"], tools = true, quality = {quality} }}\n'
        )
    tiers = ", ".join(f'{{ name = "{tier}", deployments = ["{tier}"] }}' for tier, *_ in rows)
    blocks.append(f"[routes.auto]\ntiers = [{tiers}]\nkeep_quality = {_KEEP_QUALITY}\n")
    return "\n".join(blocks)


def _read_ledger(told: Summary, result: Result) -> None:
    total = told.simulated_total
    if total is None:
        raise TwintrackError("The demo's ledger is empty", why="its journal could not be loaded")
    result.cost_nusd = total.cost_nusd or 0
    result.cost_unknown = total.cost_unknown
    result.baseline_nusd = total.baseline_nusd or 0
    if total.savings is not None:
        result.savings_nusd = total.savings.nusd
        result.savings_low_nusd, result.savings_high_nusd = total.savings.low_nusd, total.savings.high_nusd
        result.coverage = total.savings.coverage


def _wilson(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = right / of, Z_95 * Z_95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return round(middle - half, 4), round(middle + half, 4)


def _share(part: float) -> str:
    """A percentage that only says 100 when it is all."""
    return "100%" if part >= 1 else f"{min(part, 0.999):.1%}"


def _progress(text: str) -> None:
    click.echo(f"  {text}", err=True)


def _tell(result: Result) -> None:
    say = click.echo

    def usd(nusd: int | None) -> str:
        return "unknown" if nusd is None else f"{'-' if nusd < 0 else ''}${abs(nusd) / 1e9:.6f}"

    say("SIMULATED: real tiny engines, a scripted third party, list prices of models they stand in for.\n")
    for price in result.prices.values():
        say(f"  {price}")
    say(f"\n{result.answered} of {result.requests} requests answered in {result.seconds:g} s, by tier:")
    for tier in ("small", "balanced", "premium"):
        say(f"  {tier:9} {result.tiers.get(tier, 0):4}")
    share = result.right / max(result.answered, 1)
    say(
        f"\nRight answers      {share:.1%}  (95 % interval {result.right_low:.1%} to {result.right_high:.1%}; "
        "all on premium: 100%, by construction of the script)"
    )
    if result.right_high < _KEEP_QUALITY:
        kept = "it fell short: until it has learned from traffic, the router goes by a prior"
    elif result.right_low >= _KEEP_QUALITY:
        kept = "it did"
    else:
        kept = "that lies within the interval"
    say(f"                   The route was told to keep {_KEEP_QUALITY:.0%} of that; {kept}.")
    unknown = f" and that of {result.cost_unknown} attempts, which is unknown" if result.cost_unknown else ""
    say(f"Cost               {usd(result.cost_nusd)}{unknown}")
    say(f"All on premium     {usd(result.baseline_nusd)}")
    say(
        f"Saved              {usd(result.savings_nusd)}  (95 % interval {usd(result.savings_low_nusd)} to "
        f"{usd(result.savings_high_nusd)}; over {_share(result.coverage)} of attempts)"
    )
    lost = result.requests - result.answered
    fate = "no request was lost" if lost == 0 else f"{lost} requests were LOST"
    say(f"Failovers          {result.failovers}  (the small engine was killed in the middle; {fate})")
    who = "the small engine, zone own" if result.record_provider == "small" else result.record_provider
    say(f"\nA patient record labelled restricted was answered by {who} (status {result.record_status}).")
    say(f"  third-party bytes: {result.record_third_party_bytes}")
    fate = "refused" if result.named_third_party_status >= 400 else "NOT refused"
    say(f"Sent to the third party by name it was {fate} (status {result.named_third_party_status}).")
    say(f"  third-party bytes: {result.named_third_party_bytes}")
    say(f"\nLook closer:  twintrack explain {result.example_id} --data {result.data}")
    say("\nYour own traffic, in three commands:")
    say("  twintrack up")
    say('  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1   # and ask for the model "auto"')
    say("  twintrack ledger --by route,tier")
