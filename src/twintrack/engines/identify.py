"""Say which model server gave a set of answers. Pure: `detect.py` gets the answers.

A server counts as known only if two of its answers agree on what it is: `/v1/models`, through which clients will speak
to it, and one more that is its own. What each answers, read in November 2026 in its pages and sources:

  llama.cpp  tools/server/README.md: owned_by "llamacpp"; /props with the context of one slot and the modalities
  LM Studio  lmstudio.ai/docs, REST API v0: /api/v0/models with type, state and context
  Ollama     docs/openapi.yaml and its pull request 16665: /api/version, /api/tags with capabilities, /api/ps with the
             context in use
  SGLang     entrypoints/http_server.py: owned_by "sglang", max_model_len; /model_info, formerly /get_model_info
  TGI        docs/openapi.json: /info with router "text-generation-router" and max_total_tokens
  vLLM       entrypoints/openai: owned_by "vllm", max_model_len; /version

SGLang's version stands in /server_info alone, next to the server's own API keys, so we do not ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

OUR_HEADER = "x-twintrack"
"""A Twintrack gateway answers with it: finding ourselves would route requests in a circle."""

MODELS_PATH = "/v1/models"
"""What to ask first."""
OUR_PATH = "/healthz"
"""What to ask every model server then."""
OWNER_PATHS = {"llamacpp": ("/props",), "vllm": ("/version",), "sglang": ("/model_info", "/get_model_info")}
"""What to ask besides, by the `owned_by` of the models listed."""
OTHER_PATHS = ("/api/version", "/api/tags", "/api/ps", "/api/v0/models", "/info")
"""What to ask besides if `owned_by` says nothing, as with Ollama, LM Studio and TGI."""

_LONGEST_NAME = 200

Api = Literal["llama.cpp", "lmstudio", "ollama", "sglang", "tgi", "vllm"]


@dataclass(frozen=True)
class FoundModel:
    name: str
    context_tokens: int | None = None
    """None: it does not say. Ollama cuts longer prompts silently, so for a loaded model it is what is in use."""
    modalities: tuple[str, ...] | None = None
    """Inputs it takes, of text, image, audio, video; None: it does not say."""
    embeddings: bool = False


@dataclass(frozen=True)
class Found:
    api: Api
    url: str
    """Base address for OpenAI clients, ending in /v1."""
    version: str | None
    models: tuple[FoundModel, ...]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


Answers = Mapping[str, Answer]
"""By path. A path that gave no usable answer is missing."""


def next_paths(answers: Answers) -> tuple[str, ...]:
    """What to ask a server that gave this answer to MODELS_PATH; nothing if it is no model server."""
    cards = _cards(answers)
    return () if cards is None else (OUR_PATH, *OWNER_PATHS.get(_owner(cards), OTHER_PATHS))


def identify(base: str, answers: Answers) -> Found | None:
    """Say which server gave these answers, or None if it is none we know, or a Twintrack gateway.

    Args:
        base: the address asked, as http://127.0.0.1:8000.
    """
    cards = _cards(answers)
    if cards is None or any(OUR_HEADER in answer.headers for answer in answers.values()):
        return None
    for api, describe in _KINDS:
        described = describe(cards, answers)
        if described is not None:
            version, models = described
            named = tuple(model for model in models if _is_name(model.name))
            return Found(api, base + "/v1", version, named)
    return None


class _Meta(msgspec.Struct):
    n_ctx: int | None = None


class _Card(msgspec.Struct):
    """A model in /v1/models. All six have id; the rest is there or not."""

    id: str
    owned_by: str = ""
    parent: str | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Listing(msgspec.Struct):
    data: list[_Card] | None
    """Ollama without models says null."""


class _Version(msgspec.Struct):
    version: str


class _Settings(msgspec.Struct):
    n_ctx: int = 0


class _LlamaProps(msgspec.Struct):
    default_generation_settings: _Settings
    build_info: str | None = None
    modalities: dict[str, bool] = {}


class _SglangInfo(msgspec.Struct):
    model_path: str
    is_generation: bool = True
    has_image_understanding: bool | None = None
    has_audio_understanding: bool | None = None


class _TgiInfo(msgspec.Struct):
    model_id: str
    max_total_tokens: int
    router: Literal["text-generation-router"]
    version: str | None = None


class _LmStudioModel(msgspec.Struct):
    id: str
    type: str
    state: str
    max_context_length: int | None = None
    loaded_context_length: int | None = None


class _LmStudioListing(msgspec.Struct):
    data: list[_LmStudioModel]


class _OllamaDetails(msgspec.Struct, frozen=True):
    family: str = ""
    context_length: int | None = None


class _OllamaModel(msgspec.Struct):
    name: str
    details: _OllamaDetails = _OllamaDetails()
    capabilities: list[str] | None = None
    remote_host: str = ""
    remote_model: str = ""


class _OllamaTags(msgspec.Struct):
    models: list[_OllamaModel] | None


class _OllamaRunning(msgspec.Struct):
    name: str
    context_length: int | None = None


class _OllamaPs(msgspec.Struct):
    models: list[_OllamaRunning] | None


_T = TypeVar("_T")
_Described = tuple[str | None, tuple[FoundModel, ...]]


def _read(answers: Answers, path: str, kind: type[_T]) -> _T | None:
    """The answer to `path` if it is a 200 of that shape."""
    answer = answers.get(path)
    if answer is None or answer.status != 200:
        return None
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _cards(answers: Answers) -> list[_Card] | None:
    listing = _read(answers, MODELS_PATH, _Listing)
    return None if listing is None else listing.data or []


def _owner(cards: list[_Card]) -> str:
    """Who serves all the models; empty if they differ."""
    owners = {card.owned_by for card in cards}
    return owners.pop() if len(owners) == 1 else ""


def _is_name(name: str) -> bool:
    """Names reach terminals and pages: no control characters."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def _llama_cpp(cards: list[_Card], answers: Answers) -> _Described | None:
    props = _read(answers, "/props", _LlamaProps)
    if _owner(cards) != "llamacpp" or props is None:
        return None
    inputs = {"vision": "image", "audio": "audio", "video": "video"}
    modalities = ("text", *(name for key, name in inputs.items() if props.modalities.get(key)))
    # One model: its slot's context. Several, in router mode: each knows its own once it is loaded.
    alone = props.default_generation_settings.n_ctx if len(cards) == 1 else 0
    models = (
        FoundModel(card.id, alone or (card.meta and card.meta.n_ctx) or None, modalities if len(cards) == 1 else None)
        for card in cards
    )
    return props.build_info, tuple(models)


def _vllm(cards: list[_Card], answers: Answers) -> _Described | None:
    version = _read(answers, "/version", _Version)
    if _owner(cards) != "vllm" or version is None:
        return None
    return version.version, tuple(FoundModel(card.id, _max_model_len(card, cards)) for card in cards)


def _sglang(cards: list[_Card], answers: Answers) -> _Described | None:
    info = _read(answers, "/model_info", _SglangInfo) or _read(answers, "/get_model_info", _SglangInfo)
    if _owner(cards) != "sglang" or info is None:
        return None
    modalities = None
    if info.has_image_understanding is not None:
        seen = ("image",) if info.has_image_understanding else ()
        heard = ("audio",) if info.has_audio_understanding else ()
        modalities = ("text", *seen, *heard)
    models = (
        FoundModel(card.id, _max_model_len(card, cards), modalities, embeddings=not info.is_generation)
        for card in cards
    )
    return None, tuple(models)


def _max_model_len(card: _Card, cards: list[_Card]) -> int | None:
    """A LoRA adapter's card says null and names its base model."""
    base = {other.id: other.max_model_len for other in cards}
    return card.max_model_len or base.get(card.parent or "") or None


def _ollama(cards: list[_Card], answers: Answers) -> _Described | None:
    """Cloud models are left out: Ollama lists them like the others, but their prompts leave the machine."""
    version = _read(answers, "/api/version", _Version)
    tags = _read(answers, "/api/tags", _OllamaTags)
    if version is None or tags is None:
        return None
    running = _read(answers, "/api/ps", _OllamaPs)
    in_use = {model.name: model.context_length for model in (running.models if running else None) or ()}
    models = (
        FoundModel(
            model.name,
            in_use.get(model.name) or model.details.context_length or None,
            _ollama_modalities(model.capabilities),
            # versions before `capabilities` tell embedding models by their family alone
            embeddings="embedding" in (model.capabilities or ()) or "bert" in model.details.family,
        )
        for model in tags.models or ()
        if not (model.remote_host or model.remote_model or model.name.endswith((":cloud", "-cloud")))
    )
    return version.version, tuple(models)


def _ollama_modalities(capabilities: list[str] | None) -> tuple[str, ...] | None:
    if capabilities is None:
        return None
    inputs = {"vision": "image", "audio": "audio"}
    return ("text", *(name for key, name in inputs.items() if key in capabilities))


def _lm_studio(cards: list[_Card], answers: Answers) -> _Described | None:
    listing = _read(answers, "/api/v0/models", _LmStudioListing)
    if listing is None or not listing.data:
        return None  # an empty list is what many a server says to anything
    models = (
        FoundModel(
            model.id,
            model.loaded_context_length or model.max_context_length or None,
            ("text", "image") if model.type == "vlm" else ("text",),
            embeddings=model.type == "embeddings",
        )
        for model in listing.data
    )
    return None, tuple(models)


def _tgi(cards: list[_Card], answers: Answers) -> _Described | None:
    info = _read(answers, "/info", _TgiInfo)
    if info is None:
        return None
    return info.version, (FoundModel(info.model_id, info.max_total_tokens or None),)


_KINDS: tuple[tuple[Api, Callable[[list[_Card], Answers], _Described | None]], ...] = (
    ("llama.cpp", _llama_cpp),
    ("vllm", _vllm),
    ("sglang", _sglang),
    ("ollama", _ollama),
    ("lmstudio", _lm_studio),
    ("tgi", _tgi),
)
