"""Who can be asked, and how: address, dialects, keys, data terms and deviations of known providers and servers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from twintrack.catalog import facts
from twintrack.errors import nearest
from twintrack.wire.deviations import AsList, Deviation, Ignores, LeavesOut, Refuses, Renames, Sets, Spells

Zone = Literal["own", "contracted", "third_party"]
"""Who sees the data: your machines, a third party under terms you checked, or any third party."""
DialectName = Literal["openai", "responses", "anthropic", "gemini"]
"""openai: chat completions and embeddings. responses: OpenAI's Responses API. anthropic: Messages. gemini:
generateContent."""
KeyHeader = Literal["authorization", "x-api-key", "api-key", "x-goog-api-key"]
"""Where a key travels; in `authorization` as a bearer token."""
Auth = Literal["key", "aws-sigv4", "google-oauth"]
Prefill = Literal["", "last", "continue_final_message", "prefix"]
"""By a last message of the assistant's; by these members beside it; by that member in it. Empty: it cannot."""
"""key: a text that stays. aws-sigv4: each request is signed. google-oauth: a token that has to be renewed."""


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    kind: Literal["managed", "local"]
    """local: a server program that runs wherever you put it."""
    url: str = ""
    """Base address, with {region} and {project} where the configuration's belong; of a local server, where it listens
    unless told otherwise. Empty: the configuration must say it, as in `url_hint`."""
    url_hint: str = ""
    region_urls: dict[str, str] = {}
    """Base addresses of regions that are no part of a name, as global."""
    hosts: tuple[str, ...] = ()
    """Patterns of further hosts that are the provider's own: its key and its list prices hold there too."""
    dialects: tuple[DialectName, ...] = ("openai",)
    """What it is asked in; the best one to translate into comes first."""
    also_speaks: tuple[DialectName, ...] = ()
    """What it speaks less well than a translation does: asked in only where a configuration says `dialects`."""
    paths: dict[DialectName, str] = {}
    """Base path of a dialect that is not below the path of `url`, on the same host."""
    key_env: str = ""
    """The variable its own SDK reads; empty: no key by default."""
    key_header: KeyHeader = "authorization"
    key_headers: dict[DialectName, KeyHeader] = {}
    """Of dialects for which it is another one."""
    auth: Auth = "key"
    count_tokens: bool = False
    """Answers POST /messages/count_tokens."""
    prefill: Prefill = ""
    """How it is asked to go on with an answer that was begun."""
    zone: Zone
    """Managed ones are third parties until you say otherwise in the configuration."""
    region: str = ""
    """Empty: not a property of the address but of your contract."""
    price_list: str = ""
    """Its name in genai-prices; empty: no list prices."""
    models_of: str = ""
    """Another row whose names for models hold here too."""
    prices_of: str = ""
    """Another row whose list prices hold here too."""
    deviations_of: str = ""
    """Another row whose deviations hold here too."""
    serves_weights: bool = False
    """It calls a model by the repository of its weights."""
    note: str = ""
    source: str
    as_of: str
    """YYYY-MM-DD."""
    deviations: tuple[Deviation, ...] = ()

    def key_header_of(self, dialect: DialectName) -> KeyHeader:
        return self.key_headers.get(dialect, self.key_header)


@functools.cache
def providers() -> Mapping[str, Provider]:
    """Known rows by name, in the file's order, with the deviations of the rows they point to.

    Raises:
        ValueError: a fault in the file, with the nearest word.
    """
    try:
        rows = {row.name: row for row in facts.rows("providers.toml", "providers", Provider)}
    except msgspec.ValidationError as error:
        raise ValueError(f"providers.toml: {_nearer(str(error))}") from None
    for row in rows.values():
        fault = _fault(row, rows)
        if fault:
            raise ValueError(f"providers.toml: {row.name}: {fault}")
    return MappingProxyType({name: _whole(row, rows) for name, row in rows.items()})


def find(name: str) -> Provider | None:
    return providers().get(name)


def _whole(row: Provider, rows: Mapping[str, Provider]) -> Provider:
    if not row.deviations_of:
        return row
    return msgspec.structs.replace(row, deviations=row.deviations + rows[row.deviations_of].deviations)


_WORDS = frozenset(
    {name for kind in get_args(Deviation) for name in kind.__struct_fields__}
    | {kind.__struct_config__.tag for kind in get_args(Deviation)}
    | set(Provider.__struct_fields__)
)
_NAMED = {
    "chat": """
        audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
        metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
        prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed
        service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
        web_search_options""",
    "responses": """
        background context_management conversation include input instructions max_output_tokens max_tool_calls
        metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key
        prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream
        stream_options temperature text tool_choice tools top_logprobs top_p truncation user""",
    "embeddings": "dimensions encoding_format input model user",
    "messages": """
        anthropic_version cache_control container inference_geo max_tokens mcp_servers messages metadata model
        output_config service_tier speed stop_sequences stream system temperature thinking thread tool_choice tools
        top_k top_p""",
    "count_tokens": "anthropic_version messages model system thinking tool_choice tools",
}
_MEMBERS = {endpoint: frozenset(names.split()) for endpoint, names in _NAMED.items()}
"""Members a deviation may name, by endpoint: those of the dialects, by their vendors' SDKs of November 2026."""
DIALECT_OF: Mapping[str, DialectName] = {
    "chat": "openai",
    "embeddings": "openai",
    "responses": "responses",
    "messages": "anthropic",
    "count_tokens": "anthropic",
    "generate": "gemini",
}


def _fault(row: Provider, rows: Mapping[str, Provider]) -> str:
    """What is wrong with a row that has the right shape; empty: nothing."""
    for other in (row.models_of, row.prices_of, row.deviations_of):
        if other and other not in rows:
            return f"points to {other!r}, which is no row.{_did_you_mean(other, rows)}"
    if not row.url and not row.url_hint:
        return "has neither url nor url_hint."
    for deviation in row.deviations:
        endpoint = deviation.endpoint
        if DIALECT_OF[endpoint] not in row.dialects + row.also_speaks:
            return f"deviates at {endpoint}, but does not speak {DIALECT_OF[endpoint]}."
        known = _MEMBERS.get(endpoint, frozenset())
        for path in _members(deviation):
            member = path.partition(".")[0].removesuffix("[]")
            if known and member not in known:
                return f"names {path!r}, which is no member of {endpoint}.{_did_you_mean(member, known)}"
    return ""


def _members(deviation: Deviation) -> tuple[str, ...]:
    if isinstance(deviation, Refuses | Ignores | LeavesOut):
        return deviation.members
    return (deviation.member,) if isinstance(deviation, Renames | Spells | Sets | AsList) else ()


def _nearer(message: str) -> str:
    """A decoder's message, with the word that was probably meant."""
    word = re.search(r"`([^`]+)`|'([^']+)'", message)
    return message + "." + (_did_you_mean(word[1] or word[2], _WORDS) if word else "")


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = nearest(word, known, most=1)
    return f" Did you mean {near[0]}?" if near else ""
