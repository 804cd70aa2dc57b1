"""A real model on the bundled engine answers through the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator

import openai
import pytest

from support.gateway import Served
from support.raw import words

CONFIG = """
[[providers]]
name = "local"
engine = "demo-nano"
[[deployments]]
model = "demo-nano"
provider = "local"
[routes.auto]
tiers = [{ name = "small", deployments = ["demo-nano@local"] }]
default_class = "restricted"
[[deployments]]
name = "draft"
model = "demo-nano"
provider = "local"
facts = { quality = 0.3 }
price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.1 }
[[deployments]]
name = "dear"
model = "demo-nano"
provider = "local"
facts = { quality = 0.95 }
price = { input_usd_per_mtok = 5.0, output_usd_per_mtok = 5.0 }
[routes.lenient]
tiers = [{ name = "small", deployments = ["draft"] }, { name = "large", deployments = ["dear"] }]
cascade = { check = ["logprobs"], min_mean_logprob = -100.0, min_p_good = 0.0 }
[routes.sorted]
tiers = [{ name = "small", deployments = ["draft"] }, { name = "large", deployments = ["dear"] }]
classifier = { deployment = "demo-nano@local", max_ms = 30000 }
[routes.strict]
tiers = [{ name = "small", deployments = ["draft"] }, { name = "large", deployments = ["dear"] }]
cascade = { check = ["logprobs"], min_mean_logprob = 0.0, min_p_good = 0.0 }
"""
QUESTION = [{"role": "user", "content": "2 + 3 ="}]

pytestmark = [pytest.mark.engine, pytest.mark.needs("xllamacpp", reason="runs the bundled model")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("engine"), CONFIG) as gateway:
        yield gateway


def test_chat_and_stream_say_the_same(gateway: Served) -> None:
    asked = {"model": "auto", "messages": QUESTION, "temperature": 0, "max_tokens": 8}
    whole, streamed = gateway.ask(asked), gateway.ask(asked | {"stream": True})
    assert whole.status == streamed.status == 200
    text = whole.json()["choices"][0]["message"]["content"]
    assert words(streamed.body) == text
    assert streamed.complete
    rows = [gateway.entries(answer.id)[0] for answer in (whole, streamed)]
    usage = whole.json()["usage"]
    for row in rows:
        assert (row["outcome"], row["usage_source"]) == ("ok", "reported")
        assert (row["input_tokens"], row["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert (row["zone"], row["data_class"]) == ("own", "restricted")
    assert b'"usage":{' not in streamed.body


def test_the_openai_sdk_talks_to_it(gateway: Served) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model="auto",
                messages=QUESTION,  # type: ignore[arg-type]
                stream=True,
                temperature=0,
                max_tokens=8,
                stream_options={"include_usage": True},
            )
        )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_its_own_log_probabilities_say_whether_its_draft_is_believed(gateway: Served, streamed: bool) -> None:
    asked = {"messages": QUESTION, "temperature": 0, "max_tokens": 12, "stop": ["\n"], "stream": streamed}
    believed, doubted = (gateway.ask(asked | {"model": route}) for route in ("lenient", "strict"))

    # The engine closes its connection behind a stream, which may be noticed only by asking again.
    rows = [[row for row in gateway.entries(answer.id) if row["state"] != "released"] for answer in (believed, doubted)]
    assert [(row["deployment"], row["role"], row["outcome"]) for row in rows[0]] == [("draft", "draft", "ok")]
    assert [(row["deployment"], row["role"], row["outcome"]) for row in rows[1]] == [
        ("draft", "draft", "set_aside"),
        ("dear", "answer", "ok"),
    ]
    told = re.fullmatch(
        r"its log-probability is (-\d+\.\d\d) a token, at least -?0.00 is asked for", rows[1][0]["detail"]
    )
    assert told is not None
    assert -10 < float(told[1]) < 0
    for answer in (believed, doubted):
        assert answer.status == 200
        assert b"logprob" not in answer.body
    said = [
        words(each.body) if streamed else each.json()["choices"][0]["message"]["content"]
        for each in (believed, doubted)
    ]
    assert said[0] == said[1] != ""


def test_it_says_of_what_kind_a_request_is_in_a_form_it_is_held_to(gateway: Served) -> None:
    answer = gateway.ask({"model": "sorted", "messages": QUESTION, "temperature": 0, "max_tokens": 4})
    assert answer.status == 200
    rows = gateway.entries(answer.id)
    sorter = rows[0]
    assert (sorter["deployment"], sorter["role"], sorter["outcome"]) == ("demo-nano@local", "classifier", "set_aside")
    assert sorter["detail"] is None  # what it said could be used
    assert sorter["output_tokens"] > 0


def test_a_client_that_leaves_stops_it(gateway: Served) -> None:
    with gateway.connect() as client:
        client.post("/v1/chat/completions", {"model": "auto", "messages": QUESTION, "stream": True, "max_tokens": 400})
        client.until(b"data: ")
    # The engine is free for the next at once.
    assert gateway.ask({"model": "auto", "messages": QUESTION, "max_tokens": 4}).status == 200
