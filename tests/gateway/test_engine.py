"""A real model on the bundled engine answers through the gateway."""

from __future__ import annotations

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


def test_a_client_that_leaves_stops_it(gateway: Served) -> None:
    with gateway.connect() as client:
        client.post("/v1/chat/completions", {"model": "auto", "messages": QUESTION, "stream": True, "max_tokens": 400})
        client.until(b"data: ")
    # The engine is free for the next at once.
    assert gateway.ask({"model": "auto", "messages": QUESTION, "max_tokens": 4}).status == 200
