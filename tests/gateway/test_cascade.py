"""A cheap answer is checked before anybody sees it; one that is not believed is paid, and a better model answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import events, words
from support.waiting import eventually
from twintrack.cli import main
from twintrack.providers.scripted import (
    Received,
    Script,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    stream,
)

CHEAP = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FAILING = ("400", "401", "429", "500", "broken")
FORM = {"type": "json_schema", "json_schema": {"name": "count", "schema": SCHEMA}}


def cascade(*check: str, more: str = "") -> str:
    return f"cascade = {{ check = {json.dumps(check)}{more} }}"


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    for name in ("small", "other", "third"):
        config += deployment(name, "mine", quality=0.4, more=CHEAP)
    config += deployment("haiku", "claude", quality=0.4, more=CHEAP) + deployment("large", "mine", quality=0.95)
    config += route("schema", "small", "large", more=cascade("schema"))
    config += route("likely", "small", "large", more=cascade("logprobs", more=", min_mean_logprob = -0.5"))
    config += route(
        "match", "small", "large", more=cascade("match", more=', must_match = ["(?i)hello"], min_chars = 3')
    )
    config += route("claude", "haiku", "large", more=cascade("schema"))
    drafts = ', drafts = ["small", "other"]'
    config += route("agree", "small", "other", "large", more=cascade("agreement", more=drafts))
    trio = ', drafts = ["small", "other", "third"], believe = [["small", "third"], ["other", "third"]]'
    config += route("trio", "small", "other", "third", "large", more=cascade("agreement", more=trio))
    twice = ', drafts = ["small", "small"]'
    config += route("twice", "small", "large", more=cascade("agreement", more=twice))
    hot = f"{twice}, repeat_temperature = 0.7"
    config += route("hot", "small", "large", more=cascade("agreement", more=hot))
    config += route("hot-claude", "haiku", "large", more=cascade("agreement", more=hot.replace("small", "haiku")))
    for name in FAILING:  # each has a draft of its own, since one that fails often is passed over
        config += deployment(f"{name}.draft", "mine", quality=0.4, more=CHEAP)
        config += route(name, f"{name}.draft", "large", more=cascade("schema"))
    with Served(tmp_path_factory.mktemp("cascade"), config) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def scripts(mine: Provider, claude: Provider) -> None:
    mine.scripts.clear()
    claude.scripts.clear()


def says(*texts: str) -> Callable[[Received], Script]:
    """Each time the next, the last for ever; streamed if that is asked for."""
    left = list(texts)

    def script(received: Received) -> Script:
        text = left.pop(0) if len(left) > 1 else left[0]
        if json.loads(received.body).get("stream"):
            return stream(chat_events([text[:1], text[1:]]))
        return chat_answer(text)

    return script


def told(gateway: Served, request_id: str) -> list[tuple[Any, ...]]:
    return [(row["deployment"], row["role"], row["outcome"]) for row in gateway.entries(request_id)]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_draft_that_passes_is_the_answer(gateway: Served, mine: Provider, streamed: bool) -> None:
    mine.scripts["small"] = says('{"n": 3}')
    answer = gateway.chat("schema", stream=streamed, response_format=FORM)

    assert answer.status == 200
    assert answer.headers["x-twintrack-tier"] == "t0"
    assert "a cheaper draft, checked" in answer.headers["x-twintrack-why"]
    assert "x-twintrack-attempts" not in answer.headers
    if streamed:
        assert answer.complete
        assert words(answer.body) == '{"n": 3}'
        assert events(answer.body)[-1] == "[DONE]"
        assert b'"usage":{' not in answer.body
    else:
        assert answer.json()["choices"][0]["message"]["content"] == '{"n": 3}'
    assert told(gateway, answer.id) == [("small", "draft", "ok")]
    (row,) = gateway.entries(answer.id)
    assert row["baseline_nusd"] == 12 * 2_000 + 7 * 8_000


@pytest.mark.parametrize("streamed", [False, True])
def test_one_that_fails_is_never_seen_and_both_are_paid(gateway: Served, mine: Provider, streamed: bool) -> None:
    mine.scripts |= {"small": says('{"n": "many"}'), "large": says('{"n": 4}')}
    answer = gateway.chat("schema", stream=streamed, response_format=FORM)

    assert answer.status == 200
    assert b"many" not in answer.body
    assert words(answer.body) == '{"n": 4}' if streamed else b'"{\\"n\\": 4}"' in answer.body
    assert (answer.headers["x-twintrack-tier"], answer.headers["x-twintrack-attempts"]) == ("t1", "2")
    assert "no cheaper draft passed its check" in answer.headers["x-twintrack-why"]
    assert told(gateway, answer.id) == [("small", "draft", "set_aside"), ("large", "answer", "ok")]
    draft, large = gateway.entries(answer.id)
    assert draft["detail"] == "its JSON does not fit the schema that was asked for"
    cheap, dear = 12 * 100 + 7 * 400, 12 * 2_000 + 7 * 8_000
    assert (draft["cost_nusd"], large["cost_nusd"]) == (cheap, dear)
    assert (draft["baseline_nusd"], large["baseline_nusd"]) == (None, dear)
    assert large["p_good"] > draft["p_good"]
    assert large["predicted_nusd"] > draft["predicted_nusd"]
    if not streamed:
        assert float(answer.headers["x-twintrack-cost-usd"]) == pytest.approx((cheap + dear) / 1e9)


def test_the_ledger_tells_it_and_counts_the_baseline_once(
    gateway: Served, mine: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    mine.scripts |= {"small": says("no JSON"), "large": says('{"n": 4}')}
    answer = gateway.chat("schema", response_format=FORM)
    gateway.entries(answer.id)
    with pytest.raises(SystemExit):
        main(["explain", answer.id, "--data", str(gateway.data)])
    story = capsys.readouterr().out
    assert "Chosen: small, tier t0. It is not sure to be good enough, so it drafts" in story
    assert "drafted an answer, which was set aside (it is not the JSON that was asked for)" in story
    assert "Attempt 2: large (large at mine) answered" in story
    assert "Together they cost $0.000084. " in story.replace("\n", " ") or "Together they cost $0.000084." in story
    assert "would have answered for $0.00008: $0.000004 lost." in story


@pytest.mark.parametrize("streamed", [False, True])
def test_how_sure_the_model_was_is_asked_for_and_not_passed_on(gateway: Served, mine: Provider, streamed: bool) -> None:
    def probable(logprob: float) -> Callable[[Received], Script]:
        def script(received: Received) -> Script:
            asked = json.loads(received.body)
            assert asked["logprobs"] is True
            told = {"content": [{"token": "hi", "logprob": logprob, "bytes": None, "top_logprobs": []}]}
            if asked.get("stream"):
                pieces = chat_events(["hi", "!"])
                return stream(
                    [each.replace(b'"logprobs":null', b'"logprobs":' + json.dumps(told).encode()) for each in pieces]
                )
            body = json.loads(chat_answer("hi!").pieces[0])
            body["choices"][0]["logprobs"] = told
            return Script(pieces=(json.dumps(body).encode(),))

        return script

    mine.scripts |= {"small": probable(-0.1), "large": says("large")}
    answer = gateway.chat("likely", stream=streamed)
    assert answer.headers["x-twintrack-tier"] == "t0"
    assert b"logprob" not in answer.body
    assert (words(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]) == "hi!"

    asked = gateway.chat("likely", stream=streamed, logprobs=True)
    assert b'"logprob":' in asked.body.replace(b": ", b":")

    mine.scripts["small"] = probable(-0.9)
    answer = gateway.chat("likely", stream=streamed)
    assert answer.headers["x-twintrack-tier"] == "t1"
    assert gateway.entries(answer.id)[0]["detail"] == (
        "its log-probability is -0.90 a token, at least -0.50 is asked for"
    )


def test_a_provider_that_tells_none_is_not_believed(gateway: Served, mine: Provider) -> None:
    answer = gateway.chat("likely")
    assert gateway.entries(answer.id)[0]["detail"] == "its provider told no log-probabilities"


def test_rules_of_the_route(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {"small": says("Hello there"), "large": says("large")}
    assert gateway.chat("match").headers["x-twintrack-tier"] == "t0"
    mine.scripts["small"] = says("Good day")
    answer = gateway.chat("match")
    assert answer.headers["x-twintrack-tier"] == "t1"
    assert gateway.entries(answer.id)[0]["detail"] == "it does not match what it must"


def test_two_who_agree_are_believed(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {"small": says("So many: the answer is 1,200."), "other": says('{"answer": "1200.0"}')}
    answer = gateway.chat("agree")
    assert told(gateway, answer.id) == [("small", "draft", "set_aside"), ("other", "draft", "ok")]
    assert gateway.entries(answer.id)[0]["detail"] == "it waits for another to agree"
    assert float(answer.headers["x-twintrack-cost-usd"]) == pytest.approx(2 * (12 * 100 + 7 * 400) / 1e9)


def test_two_who_differ_are_not(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {"small": says("#### 12"), "other": says("#### 13"), "large": says("#### 14")}
    answer = gateway.chat("agree", stream=True)
    assert words(answer.body) == "#### 14"
    assert [row["detail"] for row in gateway.entries(answer.id)] == [
        "it waits for another to agree",
        "no other agrees with it",
        None,
    ]


def test_only_pairs_that_are_believed_count(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {"small": says("5"), "other": says("5"), "third": says("6"), "large": says("7")}
    answer = gateway.chat("trio")
    assert [name for name, *_ in told(gateway, answer.id)] == ["small", "other", "third", "large"]
    mine.scripts["third"] = says("5")
    answer = gateway.chat("trio")
    assert told(gateway, answer.id)[-1] == ("third", "draft", "ok")
    # Whoever has no answer to agree about cannot be half of a pair: the third is asked for the other's sake alone.
    words_only = "It depends on many things.\n" * 9
    mine.scripts |= {"small": says(words_only), "other": says(words_only)}
    answer = gateway.chat("trio")
    assert [name for name, *_ in told(gateway, answer.id)] == ["small", "other", "large"]


def test_one_that_is_asked_twice_and_says_the_same_is_believed(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {
        "small": says("#### 12", "So it is 12: the answer is 12", "#### 12", "#### 13"),
        "large": says("9"),
    }
    answer = gateway.chat("twice", stream=True)
    assert words(answer.body) == "So it is 12: the answer is 12"
    assert told(gateway, answer.id) == [("small", "draft", "set_aside"), ("small", "draft", "ok")]
    first, second = (json.loads(each.body) for each in mine.asked("small")[-2:])
    assert first == second  # as the client said, both times
    answer = gateway.chat("twice", temperature=0.3)
    assert told(gateway, answer.id)[-1] == ("large", "answer", "ok")
    assert [json.loads(each.body)["temperature"] for each in mine.asked("small")[-2:]] == [0.3, 0.3]


@pytest.mark.parametrize("said", [{"temperature": 0}, {"seed": 7}, {"top_p": 0.0}])
def test_who_leaves_nothing_to_chance_would_get_the_same_twice(
    gateway: Served, mine: Provider, said: dict[str, Any]
) -> None:
    mine.scripts |= {"small": says("#### 12"), "large": says("#### 14")}
    before = len(mine.asked("small"))
    answer = gateway.chat("twice", **said)
    assert len(mine.asked("small")) == before
    (row,) = gateway.entries(answer.id)
    assert json.loads(row["ruled_out"]) == [["small", "draft_same", 0, 0]]
    # Unless the route asks for it: then another one is drawn first, and the client gets what it asked for.
    answer = gateway.chat("hot", **said)
    assert told(gateway, answer.id)[-1] == ("small", "draft", "ok")
    drawn, plain = (json.loads(each.body) for each in mine.asked("small")[-2:])
    assert drawn.pop("temperature") == 0.7
    assert "seed" not in drawn
    assert plain == drawn | said


def test_another_sample_is_drawn_in_the_dialect_of_its_provider(gateway: Served, claude: Provider) -> None:
    claude.default = message_answer("#### 5")
    answer = gateway.chat("hot-claude", temperature=0)
    assert told(gateway, answer.id)[-1] == ("haiku", "draft", "ok"), answer.body
    assert [json.loads(each.body)["temperature"] for each in claude.asked("haiku")[-2:]] == [0.7, 0]


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_provider_that_cannot_draft_keeps_nobody_from_an_answer(gateway: Served, mine: Provider, status: int) -> None:
    mine.scripts |= {f"{status}.draft": error_answer(status), "large": says('{"n": 4}')}
    answer = gateway.chat(str(status), response_format=FORM)
    assert answer.status == 200
    assert told(gateway, answer.id) == [(f"{status}.draft", "draft", "upstream_refused"), ("large", "answer", "ok")]


def test_a_stream_that_breaks_off_while_it_is_held_back_was_never_begun(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {
        "broken.draft": stream(chat_events(["one", " two"], None, done=False), end="reset"),
        "large": says("whole"),
    }
    answer = gateway.chat("broken", stream=True)
    assert answer.complete
    assert words(answer.body) == "whole"
    assert [row["outcome"] for row in gateway.entries(answer.id)] == ["upstream_failed", "ok"]


def test_a_draft_that_broke_off_and_told_its_tokens_has_no_baseline(gateway: Served, mine: Provider) -> None:
    """The answer has it, and counted for both it would be a saving that nobody made."""
    mine.scripts |= {
        "broken.draft": stream(chat_events(["one", " two"], done=False), end="reset"),
        "large": says("whole"),
    }
    answer = gateway.chat("broken", stream=True)
    draft, large = gateway.entries(answer.id)
    assert (draft["role"], draft["outcome"], draft["cost_nusd"]) == ("draft", "upstream_failed", 12 * 100 + 7 * 400)
    assert draft["baseline_nusd"] is None
    assert large["baseline_nusd"] is not None


def test_nobody_answers_unchecked_where_the_better_one_is_down(gateway: Served, mine: Provider) -> None:
    mine.scripts |= {"small": says("no JSON"), "large": error_answer(400)}
    answer = gateway.chat("schema", response_format=FORM)
    assert answer.status == 400
    assert [row["deployment"] for row in gateway.entries(answer.id)] == ["small", "large"]


def test_drafts_of_other_dialects_are_checked_as_well(gateway: Served, mine: Provider, claude: Provider) -> None:
    claude.default = message_answer('{"n": 5}')
    answer = gateway.chat("claude", response_format=FORM)
    assert answer.headers["x-twintrack-tier"] == "t0", answer.body
    assert answer.json()["choices"][0]["message"]["content"] == '{"n": 5}'
    asked = {"model": "schema", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    answer = gateway.ask(asked, "/v1/messages")
    assert answer.json()["content"][0]["text"] == "hello"
    assert told(gateway, answer.id) == [("small", "draft", "ok")]


def test_tool_calls_must_fit_their_parameters(gateway: Served, mine: Provider) -> None:
    tool = {"type": "function", "function": {"name": "count", "parameters": SCHEMA}}

    def calls(arguments: str) -> Script:
        body = json.loads(chat_answer("").pieces[0])
        call = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": arguments}}
        body["choices"][0] = {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": [call]},
            "finish_reason": "tool_calls",
        }
        return Script(pieces=(json.dumps(body).encode(),))

    mine.scripts |= {"small": calls('{"n": 1}'), "large": calls('{"n": 2}')}
    assert gateway.chat("schema", tools=[tool]).headers["x-twintrack-tier"] == "t0"
    mine.scripts["small"] = calls('{"m": 1}')
    answer = gateway.chat("schema", tools=[tool])
    assert answer.headers["x-twintrack-tier"] == "t1"
    assert gateway.entries(answer.id)[0]["detail"] == "the arguments of its tool call do not fit the tool's parameters"


def test_a_client_that_leaves_stops_a_draft_and_it_is_booked(gateway: Served, mine: Provider) -> None:
    mine.scripts["small"] = stream([*chat_events(["one"], None, done=False), 30.0])
    left = mine.disconnects
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("schema", stream=True))
        eventually(lambda: mine.asked("small"))
    eventually(lambda: mine.disconnects > left)
    row = eventually(lambda: gateway.query("SELECT * FROM entries WHERE outcome = 'client_left'"))[-1]
    assert (row["deployment"], row["role"]) == ("small", "draft")


def test_where_no_draft_is_asked_for_the_answer_says_why(gateway: Served, mine: Provider, tmp_path: Path) -> None:
    high = gateway.ask(question("schema"), headers={"x-twintrack-stakes": "high"})
    several = gateway.chat("schema", n=2)
    for answer in (high, several):
        assert [name for name, *_ in told(gateway, answer.id)] == ["large"]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_was_replaced_in_a_request_is_restored_in_a_draft(
    mine: Provider, outside: Provider, tmp_path: Path, streamed: bool
) -> None:
    def echoes(received: Received) -> Script:
        said = json.loads(received.body)["messages"][-1]["content"]
        return stream(chat_events([said[:9], said[9:]])) if streamed else chat_answer(said)

    config = provider("outside", outside.url, zone="third_party", more='region = "eu-west"')
    config += deployment("small", "outside", quality=0.4, more=CHEAP) + deployment("large", "outside", quality=0.95)
    config += route("auto", "small", "large", more=f"{cascade('match', more=', min_chars = 5')}\npseudonyms = true")
    outside.scripts = {"small": echoes, "large": says("large")}
    asked = {"model": "auto", "stream": streamed}
    asked |= {"messages": [{"role": "user", "content": "Write to jane.doe@example.com today"}]}
    with Served(tmp_path, config) as gateway:
        answer = gateway.ask(asked)
        assert answer.status == 200, answer.body
        text = words(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
        assert text == "Write to jane.doe@example.com today"
        assert b"jane.doe" not in outside.received[-1].body
        assert told(gateway, answer.id) == [("small", "draft", "ok")]


@pytest.mark.parametrize("believed", [True, False])
def test_a_client_that_waits_for_a_draft_hears_that_somebody_is_there(
    mine: Provider, tmp_path: Path, believed: bool
) -> None:
    config = "[server.deadlines]\nkeepalive_after_s = 0.2\nkeepalive_every_s = 0.3\n" + provider("mine", mine.url)
    config += deployment("small", "mine", quality=0.4, more=CHEAP) + deployment("large", "mine", quality=0.95)
    config += route("auto", "small", "large", more=cascade("match", more=', must_match = ["draft"]'))
    first, *rest = chat_events(["a ", "draft" if believed else "guess"])
    mine.scripts = {"small": stream([first, 0.6, *rest[:1], 0.6, *rest[1:]]), "large": says("an answer")}
    with Served(tmp_path, config) as gateway:
        answer = gateway.chat("auto", stream=True)
    assert answer.body.startswith(b": still waiting\n\n")
    assert answer.body.count(b": still waiting") >= 2
    assert answer.complete
    assert words(answer.body) == ("a draft" if believed else "an answer")
    assert b"guess" not in answer.body
    assert events(answer.body)[-1] == "[DONE]"
