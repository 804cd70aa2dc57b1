"""What the data plane answers by itself, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import request

CONFIG = """
[[keys]]
name = "all"
key = "env:ALL_KEY"
[[keys]]
name = "some"
key = "env:SOME_KEY"
models = ["auto", "team-*"]
"""
ALL = {"authorization": "Bearer sk-all"}
SOME = {"x-api-key": "sk-some"}


@pytest.fixture(scope="module")
def gateway(mine: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + deployment("m", "mine") + deployment("team-a", "mine")
    config += deployment("vendor/model@x", "mine") + route("auto", "m", "team-a") + route("closed", "m")
    keys = {"ALL_KEY": "sk-all", "SOME_KEY": "sk-some"}
    with Served(tmp_path_factory.mktemp("api"), config, keys) as gateway:
        yield gateway


# Keys


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer sk-al"},
        {"authorization": "Bearer SK-ALL"},
        {"authorization": "Bearer sk-all sk-all"},
        {"authorization": "Basic c2stYWxsOg=="},
        {"authorization": "sk-all"},
        {"x-api-key": "wrong"},
        {"x-api-key": "", "authorization": "Bearer wrong"},
        {"authorization": "Bearer ' OR 1=1 --"},
        {"authorization": "Bearer \u00e9"},
        {"authorization": "Bearer " + "x" * 8_000},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"])
def test_without_one_of_our_keys_nobody_gets_in(
    gateway: Served, mine: Provider, path: str, headers: dict[str, str]
) -> None:
    before = mine.requests
    answer = gateway.ask(question("m", max_tokens=5), path, headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert error["type"] == "authentication_error"
    if path == "/v1/messages":
        assert answer.json()["type"] == "error"
    else:
        assert error["code"] == "invalid_api_key"
    assert mine.requests == before
    assert b"sk-" not in answer.body


@pytest.mark.parametrize(
    "headers",
    [ALL, {"authorization": "bearer sk-all"}, {"authorization": "Bearer  sk-all "}, {"x-api-key": "sk-all"}, SOME],
)
def test_a_key_is_sent_either_way(gateway: Served, headers: dict[str, str]) -> None:
    assert gateway.ask(question("auto"), headers=headers).status == 200


def test_a_key_must_not_stand_twice(gateway: Served) -> None:
    body = json.dumps(question("m")).encode()
    two = request("POST", "/v1/chat/completions", body, ALL).replace(
        b"\r\n\r\n", b"\r\nauthorization: Bearer x\r\n\r\n"
    )
    with gateway.connect() as client:
        client.send(two)
        assert client.answer().status == 400


def test_who_has_no_key_does_not_get_to_send_a_body(gateway: Served) -> None:
    with gateway.connect() as client:
        client.send(request("POST", "/v1/chat/completions", b"", {"content-length": "1000000"}))
        assert client.answer().status == 401
    with gateway.connect() as client:
        client.send(request("POST", "/v1/chat/completions", b"", {"content-length": "1000", "expect": "100-continue"}))
        assert client.answer().status == 401


def test_the_ledger_knows_who_asked(gateway: Served) -> None:
    answer = gateway.ask(question("auto"), headers=SOME)
    assert gateway.entries(answer.id)[0]["key"] == "some"


@pytest.mark.parametrize(("model", "status"), [("auto", 200), ("team-a", 200), ("m", 403), ("closed", 403)])
def test_a_key_opens_what_it_names(gateway: Served, mine: Provider, model: str, status: int) -> None:
    before = mine.requests
    answer = gateway.ask(question(model), headers=SOME)
    assert answer.status == status
    if status == 403:
        assert answer.json()["error"]["type"] == "permission_error"
        assert mine.requests == before


def test_names_a_key_may_not_use_are_not_suggested_to_it(gateway: Served) -> None:
    assert "closed" not in gateway.ask(question("close"), headers=SOME).json()["error"]["message"]
    assert "Did you mean closed?" in gateway.ask(question("close"), headers=ALL).json()["error"]["message"]


# Models


def test_models_are_those_the_key_may_use(gateway: Served) -> None:
    listed = gateway.get("/v1/models", ALL).json()
    assert listed["object"] == "list"
    assert [each["id"] for each in listed["data"]] == ["auto", "closed", "m", "team-a", "vendor/model@x"]
    assert listed["data"][0] == {
        "id": "auto", "object": "model", "created": 0, "owned_by": "twintrack", "tiers": ["t0", "t1"],
    }  # fmt: skip
    assert listed["data"][2] == {
        "id": "m", "object": "model", "created": 0, "owned_by": "mine", "context_window": 100_000,
    }  # fmt: skip
    assert [each["id"] for each in gateway.get("/v1/models", SOME).json()["data"]] == ["auto", "team-a"]
    assert gateway.get("/v1/models").status == 401


def test_a_model_by_its_name(gateway: Served) -> None:
    assert gateway.get("/v1/models/auto", SOME).json()["id"] == "auto"
    assert gateway.get("/v1/models/vendor%2Fmodel%40x", ALL).json()["id"] == "vendor/model@x"
    assert gateway.get("/v1/models/m", SOME).status == 404
    answer = gateway.get("/v1/models/atuo", SOME)
    assert (answer.status, answer.json()["error"]["message"]) == (404, "There is no model 'atuo'. Did you mean auto?")
    assert gateway.get("/v1/models/auto").status == 401


# Health, metrics, description


def test_health_needs_no_key_and_metrics_do(gateway: Served) -> None:
    assert gateway.get("/healthz").body == b"ok\n"
    assert gateway.get("/readyz").body == b"ready\n"
    assert gateway.get("/metrics").status == 401
    answer = gateway.get("/metrics", ALL)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"sk-" not in answer.body


def test_our_answers_say_whose_they_are(gateway: Served) -> None:
    assert gateway.get("/healthz").headers["x-twintrack"] == "gateway"


def test_the_description_is_openapi(gateway: Served) -> None:
    document = gateway.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {"/v1/chat/completions", "/v1/messages", "/v1/embeddings"} <= document["paths"].keys()


# The console


def test_the_console_is_shown_to_this_machine(gateway: Served) -> None:
    page = gateway.get("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert gateway.get("/admin/api/snapshot").json()["generation"] == 1


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
def test_and_not_through_a_proxy_that_stands_on_it(gateway: Served, name: str) -> None:
    assert gateway.get("/admin/api/snapshot", {name: "10.0.0.1"}).status == 404
    assert b"Twintrack is serving" in gateway.get("/", {name: "10.0.0.1"}).body


def test_no_secret_is_in_any_answer_of_ours(gateway: Served) -> None:
    for path in ("/", "/admin/api/snapshot", "/metrics", "/openapi.json", "/v1/models"):
        body = gateway.get(path, ALL).body
        assert b"sk-all" not in body
        assert b"sk-some" not in body
