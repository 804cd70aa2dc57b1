"""What stands in a request decides who may see it: measured where it would arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.config.load import parse
from twintrack.errors import ConfigError
from twintrack.gateway import detecting
from twintrack.gateway.open import compiled
from twintrack.providers.scripted import Received, Script, chat_answer, chat_events, stream

CONFIG = """
[detect]
max_s = 5.0
[detect.unscannable]
audio = "public"
[[detect.rules]]
name = "project"
category = "projects"
terms = ["Blue Heron"]
"""
CARD = "Please refund card 4111 1111 1111 1111 today."
RECORD = "Patient Maria Garcia, MRN 93834701, diagnosed with diabetes"
MAIL = "Write to anna.kovacs@example-clinic.org about it."
CLEAN = "Which of these two sorting algorithms is stable, and why?"


@pytest.fixture(scope="module")
def gateway(mine: Provider, outside: Provider, tmp_path_factory: Any) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    config += provider("firm", outside.url, zone="contracted")
    config += deployment("own", "mine", quality=0.8) + deployment("theirs", "outside") + deployment("firm", "firm")
    config += deployment("vectors", "outside", facts=", embeddings = true")
    config += route("auto", "theirs", "own") + route("away", "theirs") + route("home", "own")
    config += route("watched", "theirs", "own", more='detect = "observe"')
    config += route("unread", "theirs", "own", more='detect = "off"')
    with Served(tmp_path_factory.mktemp("screening"), config) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def answers(mine: Provider, outside: Provider) -> None:
    def answer(received: Received) -> Script:
        return stream(chat_events(["hello"])) if json.loads(received.body).get("stream") else chat_answer("hello")

    mine.default = outside.default = answer


def said(text: str, model: str = "auto", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]} | more


def by(gateway: Served, asked: dict[str, Any] | bytes, path: str = "/v1/chat/completions", **headers: str) -> str:
    """Who answered; or what the gateway said."""
    answer = gateway.ask(asked, path, headers)
    if answer.status != 200:
        return str(answer.json()["error"]["message"])
    return str(answer.headers["x-twintrack-provider"])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("text", [CARD, RECORD, MAIL, "About Blue Heron.", "so " * 50_000 + CARD + " and" * 20_000])
def test_what_is_found_stays_at_home(gateway: Served, outside: Provider, text: str, streamed: bool) -> None:
    before = outside.bytes_in
    assert by(gateway, said(text, stream=streamed)) == "mine"
    assert outside.bytes_in == before


@pytest.mark.parametrize(("one", "other"), [("card 4111 1111", "1111 1111"), ("My SSN:", "078051120")])
def test_what_lies_across_two_parts_or_turns_stays_at_home(
    gateway: Served, outside: Provider, one: str, other: str
) -> None:
    before = outside.bytes_in
    content = [{"type": "text", "text": one}, {"type": "text", "text": other}]
    turns = [{"role": "assistant", "content": one}, {"role": "user", "content": other}]
    for messages in ([{"role": "user", "content": content}], turns):
        assert by(gateway, {"model": "auto", "messages": messages}) == "mine"
    assert outside.bytes_in == before
    assert by(gateway, {"model": "auto", "messages": [{"role": "user", "content": content[:1]}]}) == "outside"


@pytest.mark.parametrize("text", [CLEAN, CLEAN * 3000])
def test_what_holds_nothing_goes_where_it_always_went(gateway: Served, text: str) -> None:
    assert by(gateway, said(text)) == "outside"


def test_a_label_does_not_lower_what_was_found_and_still_lowers_what_is_assumed(gateway: Served) -> None:
    label = {"x-twintrack-class": "public"}
    assert by(gateway, said(CARD), **label) == "mine"
    answer = gateway.ask(said(CLEAN), headers=label)
    assert gateway.entries(answer.id)[0]["data_class"] == "public"


def test_a_class_goes_as_far_as_it_may(gateway: Served) -> None:
    assert by(gateway, said(CARD, "firm")) == "firm"
    assert "restricted data stays on your own machines" in by(gateway, said(RECORD, "firm"))
    assert "confidential data" in by(gateway, said(CARD, "theirs"))


def test_observe_records_and_changes_nothing_and_off_reads_nothing(gateway: Served) -> None:
    assert by(gateway, said(CARD, "watched")) == "outside"
    assert by(gateway, said(CARD, "unread")) == "outside"


def test_where_nothing_could_change_nothing_is_read(gateway: Served) -> None:
    twice = b'{"model":"home","messages":[{"role":"user","content":"a","content":"b"}]}'
    assert by(gateway, twice) == "mine"


TWICE = [
    b'{"model":"auto","messages":[{"role":"user","content":"%b"}],"messages":[{"role":"user","content":"hello"}]}',
    b'{"model":"auto","messages":[{"role":"user","content":"%b","content":"hello"}]}',
    b'{"model":"auto","messages":[{"role":"user","content":"%b","\\u0063ontent":"hello"}]}',
    b'{"model":"auto","messages":[{"role":"user","content":"hello"}],"user":"%b","\\u0075ser":"x"}',
    b'{"model":"auto","messages":[{"role":"user","content":"hello"}],"metadata":{"a":"%b","a":"x"}}',
    b'{"model":"auto","messages":[{"role":"user","content":"hello"}],"x":[[{"a":{"b":"%b","b":1}}]]}',
]


@pytest.mark.parametrize("body", TWICE)
def test_what_stands_twice_is_refused_by_name(gateway: Served, outside: Provider, body: bytes) -> None:
    before = outside.bytes_in
    assert "stands twice in one object" in by(gateway, body % CARD.encode())
    assert outside.bytes_in == before


@pytest.mark.parametrize(
    "more",
    [
        b',"x":NaN',
        b',"x":-Infinity',
        b',"x":' + b"[" * 3000 + b"]" * 3000,
        b',"x":' + b"9" * 5000,
        b',"x":"\xff"',
        b',"x":"\x01"',
        b',"x":01',
        b',"x":"a',
        b',"x":tru',
        b',x:"a"',
        b",",
        b'}{"a":1',
    ],
)
def test_what_is_no_json_reaches_nobody_outside(gateway: Served, outside: Provider, more: bytes) -> None:
    before = outside.bytes_in
    answer = gateway.ask(b'{"model":"auto","messages":[{"role":"user","content":"hello"}]' + more + b"}")
    assert answer.status == 400, answer.body
    assert outside.bytes_in == before


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"auto","messages":[{"role":"user","content":"ESCAPED"}]}',
        '{"\\u006dodel":"auto","messages":[{"role":"user","\\u0063ontent":"CARD"}]}',
        '{"model":"auto","messages":[{"role":"system","content":"CARD"},{"role":"user","content":"hello"}]}',
        '{"model":"auto","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"CARD"},'
        '{"role":"user","content":"b"}]}',
        '{"model":"auto","messages":[{"role":"user","content":"hello"}],"user":"anna.kovacs@example-clinic.org"}',
        '{"model":"auto","messages":[{"role":"user","content":"hello"}],"metadata":{"who":"anna.kovacs@clinic.org"}}',
        '{"model":"auto","messages":[{"role":"user","content":"hello"}],"metadata":{"anna.kovacs@clinic.org":"x"}}',
        '{"model":"auto","messages":[{"role":"user","content":"hello"}],"Messages":[{"content":"CARD"}]}',
        '{"model":"auto","messages":[{"role":"user","content":"hello"}],"signature":"CARD"}',
        '{"model":"auto","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":'
        '[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"card\\":\\"4111111111111111\\"}"}}]},'
        '{"role":"tool","tool_call_id":"c","content":"ok"}]}',
        '{"model":"auto","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":'
        '{"name":"f","description":"CARD","parameters":{}}}]}',
        '{"model":"auto","messages":[{"role":"user","content":[{"type":"text","text":"look"},'
        '{"type":"image_url","image_url":{"url":"https://x.test/?mail=anna.kovacs%40clinic.org"}}]}]}',
        '{"model":"auto","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf",'
        '"file_data":"data:application/pdf;base64,JVBERi0xLjQK"}}]}]}',
    ],
)
def test_wherever_it_stands(gateway: Served, outside: Provider, body: str) -> None:
    before = outside.bytes_in
    by(gateway, body.replace("ESCAPED", escaped(CARD)).replace("CARD", CARD).encode())
    assert outside.bytes_in == before


def test_embeddings_are_read_and_numbers_for_tokens_are_not_text(gateway: Served, outside: Provider) -> None:
    before = outside.bytes_in
    for text in (CARD, [CLEAN, CARD], list(range(1000, 1020)), [list(range(1000, 1020))]):
        assert "No model can serve" in by(gateway, {"model": "vectors", "input": text}, "/v1/embeddings")
    assert outside.bytes_in == before


def test_the_operator_says_what_cannot_be_read_counts_as(gateway: Served) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZF", "format": "wav"}}
    asked = {"model": "theirs", "messages": [{"role": "user", "content": [sound]}]}
    assert by(gateway, asked) == "outside"


def test_a_header_that_goes_on_is_read(gateway: Served, outside: Provider) -> None:
    before = outside.bytes_in
    assert by(gateway, said("hello"), **{"openai-organization": "anna.kovacs@example-clinic.org"}) == "mine"
    assert outside.bytes_in == before


def test_a_conversation_keeps_its_class_when_what_made_it_is_dropped(gateway: Served) -> None:
    first = {"role": "user", "content": "Let us talk about an invoice."}
    answer, card = {"role": "assistant", "content": "Gladly."}, {"role": "user", "content": CARD}
    clean = {"role": "user", "content": CLEAN}
    assert by(gateway, {"model": "auto", "messages": [first, answer, clean]}) == "outside"
    assert by(gateway, {"model": "auto", "messages": [first, answer, card]}) == "mine"
    assert by(gateway, {"model": "auto", "messages": [first, answer, clean]}) == "mine"
    # What begins alike is another conversation until it goes on.
    assert by(gateway, {"model": "auto", "messages": [first]}) == "outside"


def test_the_body_arrives_as_it_was_read(gateway: Served, outside: Provider) -> None:
    body = '{"model":"auto","messages":[{"role":"user","content":"caf\\u00e9 ☕"}],"x":{"Ü":[1.50,2e3]}}'
    assert by(gateway, body.encode()) == "outside"
    got = json.loads(outside.received[-1].body)
    assert got == json.loads(body) | {"model": "theirs"}


def test_a_reload_in_the_middle_and_new_rules_afterwards(gateway: Served) -> None:
    assert by(gateway, said("About Grey Falcon.")) == "outside"
    generation = gateway.get("/metrics").body.decode().split("\ntwintrack_snapshot_generation ")[1].split("\n")[0]
    gateway.file.write_text(gateway.config.replace('"Blue Heron"', '"Blue Heron", "Grey Falcon"'))

    def reloaded() -> bool:
        return f"\ntwintrack_snapshot_generation {int(generation) + 1}" in gateway.get("/metrics").body.decode()

    eventually(reloaded, 20.0)
    assert by(gateway, said("About Grey Falcon.")) == "mine"
    assert by(gateway, question("auto")) == "outside"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('pattern = "(?<=x)y"', "pattern looks ahead or back"),
        ('pattern = "(a"', "pattern is no regular expression"),
        ('pattern = "a"\ncheck = "luna"', "check is 'luna', which is unknown"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_line(rule: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"x\.toml:[34]: \$\.detect\.rules\[0\]\.{says}"):
        compiled(*parse(f'[[detect.rules]]\nname = "a"\n{rule}\n', "x.toml"))


def test_words_are_kept_in_the_data_folder_where_home_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert detecting.cache(tmp_path / "data") == tmp_path / "home" / "twintrack"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert detecting.cache(tmp_path / "data") == tmp_path / "data" / "cache"


@pytest.mark.parametrize(
    ("zones", "mode", "needed"),
    [
        (["own", "own"], "enforce", False),
        (["own", "third_party"], "enforce", True),
        (["contracted", "own"], "observe", True),
        (["own", "third_party"], "off", False),
    ],
)
def test_a_detector_is_made_only_where_one_is_needed(zones: list[str], mode: str, needed: bool) -> None:
    config = f'[detect]\nmode = "{mode}"\n'
    for number, zone in enumerate(zones):
        config += provider(f"p{number}", f"http://127.0.0.1:{9000 + number}/v1", zone=zone)
        config += deployment(f"d{number}", f"p{number}")
    assert detecting.is_needed(compiled(*parse(config, "x.toml"))) is needed


PNG = {"type": "image_url", "image_url": {"url": "https://host.example/x.png"}}


@pytest.mark.parametrize(
    ("content", "headers", "helps"),
    [
        (CARD, {}, "Add one, or leave out what was found in the request (financial)."),
        (
            [PNG],
            {},
            "Add one, or leave out what could not be read (image) or say its class in [detect.unscannable].",
        ),
        (CLEAN, {"x-twintrack-class": "restricted"}, "Add one, or label the request with the class it really has."),
        (
            CARD,
            {"x-twintrack-class": "restricted"},
            "Add one, or label the request with the class it really has.",
        ),
    ],
    ids=["found", "an image", "a label", "a label above what was found"],
)
def test_a_refusal_says_what_helps_and_nothing_else(
    gateway: Served, content: Any, headers: dict[str, str], helps: str
) -> None:
    said = by(gateway, {"model": "theirs", "messages": [{"role": "user", "content": content}]}, **headers)
    assert said.endswith(helps), said
