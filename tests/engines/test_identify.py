"""Each shape in data/ names the page or source it was built from, and when that was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from twintrack.engines.identify import (
    MODELS_PATH,
    OTHER_PATHS,
    OUR_PATH,
    OWNER_PATHS,
    Answer,
    Found,
    FoundModel,
    identify,
    next_paths,
)

BASE = "http://127.0.0.1:9"
EXPECTED = {
    "llama_cpp": Found(
        "llama.cpp",
        f"{BASE}/v1",
        "b7000-0a1b2c3d",
        (FoundModel("../models/gemma-3-4b-it-Q4_K_M.gguf", 8192, ("text", "image")),),
    ),
    "lmstudio": Found(
        "lmstudio",
        f"{BASE}/v1",
        None,
        (
            FoundModel("qwen2-vl-7b-instruct", 32768, ("text", "image")),
            FoundModel("meta-llama-3.1-8b-instruct", 8192, ("text",)),
            FoundModel("text-embedding-nomic-embed-text-v1.5", 2048, ("text",), embeddings=True),
        ),
    ),
    "ollama": Found(
        "ollama",
        f"{BASE}/v1",
        "0.12.6",
        (
            FoundModel("gemma3:4b", 4096, ("text", "image")),
            FoundModel("embeddinggemma:latest", 2048, ("text",), embeddings=True),
            FoundModel("all-minilm:latest", None, None, embeddings=True),
        ),
    ),
    "sglang": Found("sglang", f"{BASE}/v1", None, (FoundModel("Qwen/Qwen3-VL-8B", 32768, ("text", "image")),)),
    "tgi": Found("tgi", f"{BASE}/v1", "3.3.6", (FoundModel("mistralai/Mistral-7B-Instruct-v0.3", 4096),)),
    "vllm": Found(
        "vllm",
        f"{BASE}/v1",
        "0.28.0",
        (FoundModel("meta-llama/Llama-3.1-8B-Instruct", 131072), FoundModel("support-lora", 131072)),
    ),
}
EVERY_PATH = {MODELS_PATH, OUR_PATH, *OTHER_PATHS, *(path for paths in OWNER_PATHS.values() for path in paths)}
LISTING = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "me"}]}


def recorded(name: str) -> dict[str, Any]:
    shapes: dict[str, Any] = json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text())["answers"]
    return shapes


def ok(body: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(200, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_server_is_known_by_its_answers(name: str) -> None:
    assert identify(BASE, {path: ok(body) for path, body in recorded(name).items()}) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_tells_a_server_apart_is_asked_for(name: str) -> None:
    shapes = recorded(name)
    asked = {MODELS_PATH: ok(shapes[MODELS_PATH])}
    asked |= {path: ok(shapes[path]) for path in next_paths(asked) if path in shapes}
    assert identify(BASE, asked) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_one_sign_is_not_enough(name: str) -> None:
    assert identify(BASE, {"/v1/models": ok(recorded(name)["/v1/models"])}) is None
    details = {path: ok(body) for path, body in recorded(name).items() if path != "/v1/models"}
    assert identify(BASE, details) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, {}, b"<!doctype html><title>hello</title>"), id="a page for every path"),
        pytest.param(ok({"ok": True}), id="ok to everything"),
        pytest.param(ok({"data": []}), id="an empty list for everything"),
        pytest.param(ok(LISTING), id="a model listing for everything"),
        pytest.param(ok({**LISTING, "version": "1.0"}), id="a listing and a version for everything"),
        pytest.param(ok([]), id="a JSON array"),
        pytest.param(ok(None), id="null"),
        pytest.param(Answer(200, {}, b""), id="nothing"),
        pytest.param(Answer(200, {}, b"\xff\xfe\x00garbage"), id="bytes that are no text"),
        pytest.param(Answer(200, {}, b"[" * 60_000), id="deep nesting"),
        pytest.param(Answer(401, {}, json.dumps(LISTING).encode()), id="a server that wants a key"),
        pytest.param(ok({"data": [{"id": 7}, "x", None]}), id="a listing with odd entries"),
    ],
)
def test_look_alikes_are_not_taken_for_a_model_server(answer: Answer) -> None:
    assert identify(BASE, dict.fromkeys(EVERY_PATH, answer)) is None


def test_our_own_gateway_is_passed_over_whatever_else_it_says() -> None:
    answers = {path: ok(body) for path, body in recorded("vllm").items()}
    answers[OUR_PATH] = ok({"status": "ok"}, {"x-twintrack": "0.1.0"})
    assert identify(BASE, answers) is None


def test_a_server_that_lists_no_models_is_asked_nothing_more() -> None:
    assert next_paths({}) == ()
    assert next_paths({MODELS_PATH: ok({"ok": True})}) == ()


def test_a_cloud_model_in_ollama_is_never_offered_as_local() -> None:
    tags = {"models": [{"name": "a", "remote_host": "https://ollama.com:443"}, {"name": "b:cloud"}, {"name": "c"}]}
    answers = {"/v1/models": ok(LISTING), "/api/version": ok({"version": "1"}), "/api/tags": ok(tags)}
    found = identify(BASE, answers)
    assert found is not None
    assert [model.name for model in found.models] == ["c"]


def test_ollama_without_models_is_found_with_none() -> None:
    answers = {"/v1/models": {"data": None}, "/api/version": {"version": "0.12.6"}, "/api/tags": {"models": None}}
    found = identify(BASE, {path: ok(body) for path, body in answers.items()})
    assert found == Found("ollama", f"{BASE}/v1", "0.12.6", ())


def test_llama_cpp_in_router_mode_gives_each_model_its_own_context() -> None:
    cards = [{"id": "a", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}, {"id": "b", "owned_by": "llamacpp"}]
    props = {"default_generation_settings": {"n_ctx": 0}, "role": "router"}
    found = identify(BASE, {"/v1/models": ok({"data": cards}), "/props": ok(props)})
    assert found is not None
    assert found.models == (FoundModel("a", 4096), FoundModel("b"))


def test_an_embedding_model_on_an_older_sglang_is_known_as_one() -> None:
    cards = [{"id": "e5", "owned_by": "sglang", "max_model_len": 512}]
    answers = {"/v1/models": {"data": cards}, "/get_model_info": {"model_path": "e5", "is_generation": False}}
    found = identify(BASE, {path: ok(body) for path, body in answers.items()})
    assert found is not None
    assert found.models == (FoundModel("e5", 512, embeddings=True),)


def test_a_model_name_with_control_characters_is_dropped() -> None:
    cards = [{"id": "evil\x1b[2J", "owned_by": "vllm"}, {"id": "good", "owned_by": "vllm"}]
    found = identify(BASE, {"/v1/models": ok({"data": cards}), "/version": ok({"version": "1"})})
    assert found is not None
    assert [model.name for model in found.models] == ["good"]
