"""What each provider's usage means, case by case.

A case says where its form was read and when. `Numbers ours` means that the source describes the members and gives no
example; all other numbers are the source's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twintrack.wire.usage import Usage


class Case(NamedTuple):
    provider: str
    dialect: str
    said: dict[str, Any]
    usage: Usage
    source: str
    listed: str = ""
    """Provider and flavour by which genai-prices 0.2.3 reads the same; empty: it has none, or the note says why not."""


CASES = [
    # ---- OpenAI and Azure: cached and written tokens are part of the prompt, reasoning is part of the completion.
    Case(
        "OpenAI",
        "openai",
        {
            "prompt_tokens": 1486, "completion_tokens": 651, "total_tokens": 2137,
            "prompt_tokens_details": {"cached_tokens": 1408, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 512, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        },
        Usage(1486, 651, 1408, None, 512, None, 0, 0),
        "an answer of gpt-5 quoted at discuss.ai.google.dev/t/question-with-usage-in-openai-compatibility, 2025-08-19",
        "openai chat",
    ),
    Case(
        "OpenAI, with cache writes, sound and images",
        "openai",
        {
            "prompt_tokens": 5000, "completion_tokens": 300, "total_tokens": 5300,
            "prompt_tokens_details": {
                "cached_tokens": 1000, "cache_write_tokens": 3000,
                "audio_tokens": 120, "image_tokens": 85, "text_tokens": 4795,
            },
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 200, "text_tokens": 100},
        },
        Usage(5000, 300, 1000, 3000, 0, None, 120, 200, 85),
        "types/completion_usage.py of OpenAI's SDK 3.52.0, read 2026-11-20; numbers ours",
        "openai chat",
    ),
    Case(
        "Azure OpenAI",
        "openai",
        {
            "prompt_tokens": 1566, "completion_tokens": 1518, "total_tokens": 3084,
            "prompt_tokens_details": {"cached_tokens": 1408, "audio_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": 576, "audio_tokens": None},
        },
        Usage(1566, 1518, 1408, None, 576),
        "learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching, genai-prices 0.2.3, 2026-11-20; numbers ours",
        "azure chat",
    ),
    Case(
        "OpenAI, responses",
        "responses",
        {
            "input_tokens": 3600, "output_tokens": 250, "total_tokens": 3850,
            "input_tokens_details": {
                "cached_tokens": 1200, "cache_write_tokens": 2048,
                "cache_write_tokens_details": {"ttl_30m_tokens": 2048, "ttl_12h_tokens": 0},
            },
            "output_tokens_details": {"reasoning_tokens": 192},
        },
        Usage(3600, 250, 1200, 2048, 192),
        "types/responses/response_usage.py of OpenAI's SDK 3.52.0, read 2026-11-20; numbers ours",
        "openai responses",
    ),
    Case(
        "OpenAI, embeddings",
        "embeddings",
        {"prompt_tokens": 8, "total_tokens": 8},
        Usage(8, 0),
        "types/create_embedding_response.py of OpenAI's SDK 3.52.0, read 2026-11-20; numbers ours",
        "openai embeddings",
    ),
    # ---- Anthropic: cached tokens stand beside the input, thinking is part of the output.
    Case(
        "Anthropic, both lifetimes",
        "anthropic",
        {
            "input_tokens": 50, "output_tokens": 503,
            "cache_read_input_tokens": 100_000, "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens_details": {"thinking_tokens": 400},
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
            "service_tier": "standard", "inference_geo": "us",
        },
        Usage(100_298, 503, 100_000, 248, 400, 100),
        "types/usage.py of Anthropic's SDK 2.11.0, read 2026-11-20; numbers ours",
        "anthropic default",
    ),
    Case(
        "Anthropic, nothing cached",
        "anthropic",
        {
            "input_tokens": 2095, "output_tokens": 503, "cache_creation": None,
            "cache_read_input_tokens": None, "cache_creation_input_tokens": None,
        },
        Usage(2095, 503),
        "types/usage.py of Anthropic's SDK 2.11.0, read 2026-11-20; numbers ours",
        "anthropic default",
    ),
    Case(
        "Anthropic, compacted: the first run is billed and in no total",
        "anthropic",
        {
            "input_tokens": 23_000, "output_tokens": 1_000,
            "iterations": [
                {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
                {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
            ],
        },
        Usage(203_000, 4_500),
        "platform.claude.com/docs/en/build-with-claude/compaction-threshold, as quoted on 2026-10-30",
        # genai-prices leaves the compaction out.
    ),
    Case(
        "Anthropic, compacted with a cache",
        "anthropic",
        {
            "input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 40,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 40},
            "iterations": [
                {
                    "type": "compaction", "input_tokens": 100, "output_tokens": 20,
                    "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3,
                    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
                }
            ],
        },
        Usage(160, 25, 7, 43, None, 42),
        "types/beta/beta_usage.py of Anthropic's SDK 2.11.0, read 2026-11-20; numbers ours",
        # The same.
    ),
    Case(
        "Anthropic, advised by another model at that model's price",
        "anthropic",
        {
            "input_tokens": 412, "output_tokens": 531,
            "iterations": [
                {"type": "message", "input_tokens": 412, "output_tokens": 531},
                {"type": "advisor_message", "model": "m", "input_tokens": 823, "output_tokens": 1612},
            ],
        },
        Usage(412, 531),
        "types/beta/beta_advisor_message_iteration_usage.py of Anthropic's SDK 2.11.0, read 2026-11-20; numbers ours",
        "anthropic default",
    ),
    # ---- Gemini: cached tokens are part of the prompt; thoughts and tools stand beside candidates and prompt.
    Case(
        "Gemini, thinking",
        "gemini",
        {"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 405, "totalTokenCount": 623},
        Usage(20, 603, None, None, 405),
        "an answer of gemini-2.5-flash, reported to mozilla-ai/any-llm on 2026-08-16",
        "google default",
    ),
    Case(
        "Gemini, thinking until the tokens were used up: a count of 0 is left out",
        "gemini",
        {"promptTokenCount": 21, "thoughtsTokenCount": 60, "totalTokenCount": 81},
        Usage(21, 60, None, None, 60),
        "an answer reported to router-for-me/CLIProxyAPI on 2026-09-11",
        "google default",
    ),
    Case(
        "Gemini, nothing said: the total tells",
        "gemini",
        {"promptTokenCount": 21, "totalTokenCount": 21},
        Usage(21, 0),
        "as above: the API leaves out a count of 0; numbers ours",
        # genai-prices asks for a count.
    ),
    Case(
        "Gemini, with tools, a cache, sound and images",
        "gemini",
        {
            "promptTokenCount": 1000, "cachedContentTokenCount": 600, "candidatesTokenCount": 90,
            "thoughtsTokenCount": 50, "toolUsePromptTokenCount": 200, "totalTokenCount": 1340,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 100}, {"modality": "AUDIO", "tokenCount": 640},
                {"modality": "IMAGE", "tokenCount": 260},
            ],
            "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 200}],
            "candidatesTokensDetails": [
                {"modality": "TEXT", "tokenCount": 30}, {"modality": "IMAGE", "tokenCount": 60},
            ],
            "trafficType": "ON_DEMAND",
        },
        Usage(1200, 140, 600, None, 50, None, 640, 0, 260, 60),
        "UsageMetadata in the discovery text of generativelanguage.googleapis.com, read 2026-11-20; numbers ours",
        "google default",
    ),
    Case(
        "Gemini for OpenAI clients: thoughts are in the total alone",
        "openai",
        {"completion_tokens": 102, "prompt_tokens": 758, "total_tokens": 1725},
        Usage(758, 967, None, None, 865),
        "an answer of gemini-2.5-pro, the same page, 2025-08-19",
        # genai-prices takes the completion alone; Gemini bills thoughts as output.
    ),
    # ---- xAI: reasoning stands beside the completion, but some who resell Grok count it in.
    Case(
        "xAI",
        "openai",
        {
            "completion_tokens": 50, "prompt_tokens": 663, "total_tokens": 837, "num_sources_used": 0,
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0, "audio_tokens": 0,
                "reasoning_tokens": 124, "rejected_prediction_tokens": 0,
            },
            "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 654, "image_tokens": 0, "text_tokens": 663},
            "cost_in_usd_ticks": 0,
        },
        Usage(663, 174, 654, None, 124, None, 0, 0, 0),
        "Reasoning for Grok Models, docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models, read 2026-11-20",
        "x-ai chat",
    ),
    Case(
        "xAI, cached",
        "openai",
        {
            "prompt_tokens": 125, "completion_tokens": 48, "total_tokens": 173,
            "prompt_tokens_details": {"text_tokens": 125, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 98},
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        },
        Usage(125, 48, 98, None, 0, None, 0, 0, 0),
        "docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing, read 2026-11-20",
        "x-ai chat",
    ),
    Case(
        "xAI, resold",
        "openai",
        {
            "prompt_tokens": 686, "completion_tokens": 123, "total_tokens": 809,
            "prompt_tokens_details": {"cached_tokens": 679, "text_tokens": 686, "audio_tokens": 0, "image_tokens": 0},
            "completion_tokens_details": {"text_tokens": 11, "audio_tokens": 0, "reasoning_tokens": 112},
        },
        Usage(686, 123, 679, None, 112, None, 0, 0, 0),
        "an answer of grok-4 at doc.302.ai/api-263332597, 2026-01-26",
        # genai-prices adds the reasoning a second time.
    ),
    Case(
        "xAI, responses",
        "responses",
        {
            "input_tokens": 125, "output_tokens": 48, "total_tokens": 173,
            "input_tokens_details": {"cached_tokens": 98}, "output_tokens_details": {"reasoning_tokens": 0},
        },
        Usage(125, 48, 98, None, 0),
        "docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing, read 2026-11-20",
        "x-ai responses",
    ),
    # ---- Those who copy OpenAI's form.
    Case(
        "DeepSeek",
        "openai",
        {
            "prompt_tokens": 300, "completion_tokens": 90, "total_tokens": 390,
            "prompt_cache_hit_tokens": 256, "prompt_cache_miss_tokens": 44,
            "completion_tokens_details": {"reasoning_tokens": 60},
        },
        Usage(300, 90, 256, None, 60),
        "a change to prism-php/prism that follows api-docs.deepseek.com, 2026-05-22; numbers ours",
        # genai-prices reads the member of the next case.
    ),
    Case(
        "DeepSeek, both names",
        "openai",
        {
            "prompt_tokens": 10, "completion_tokens": 11, "total_tokens": 21,
            "prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 10,
        },
        Usage(10, 11, 0),
        "an answer of deepseek-chat of 2025-12-29, kept at toiotech.apifox.cn",
        "deepseek chat",
    ),
    Case(
        "Groq",
        "openai",
        {
            "queue_time": 0.071900347, "prompt_tokens": 43, "prompt_time": 0.006988109, "completion_tokens": 26,
            "completion_time": 0.029974879, "total_tokens": 69, "total_time": 0.036962988,
        },
        Usage(43, 26),
        "an answer of llama-3.1-8b-instant of 2026-01-16, kept in a public repository",
        "groq default",
    ),
    Case(
        "Groq, cached",
        "openai",
        {
            "prompt_tokens": 4641, "completion_tokens": 1817, "total_tokens": 6458,
            "prompt_tokens_details": {"cached_tokens": 4608}, "completion_tokens_details": {"reasoning_tokens": 1000},
        },
        Usage(4641, 1817, 4608, None, 1000),
        "release notes of @ai-sdk/groq 4.0.8, 2026-07-11, and genai-prices 0.2.3, 2026-11-20; numbers ours",
        "groq default",
    ),
    Case(
        "Mistral",
        "openai",
        {
            "prompt_tokens": 1200, "completion_tokens": 40, "total_tokens": 1240, "prompt_audio_seconds": {},
            "prompt_tokens_details": {"cached_tokens": 1024},
        },
        Usage(1200, 40, 1024),
        "genai-prices 0.2.3, 2026-11-20, and a summary of docs.mistral.ai on prompt caching; numbers ours",
        "mistral default",
    ),
    Case(
        "Cohere, compatibility API",
        "openai",
        {"prompt_tokens": 17, "completion_tokens": 9, "total_tokens": 26},
        Usage(17, 9),
        "not seen: docs.cohere.com/docs/compatibility-api promises OpenAI's form, 2026-11-20; numbers ours",
    ),
    Case(
        "OpenRouter",
        "openai",
        {
            "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 0}, "cost": 0.95,
            "cost_details": {"upstream_inference_cost": 19}, "prompt_tokens": 194,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
            "total_tokens": 196,
        },
        Usage(194, 2, 0, 100, 0, None, 0),
        "openrouter.ai/docs/use-cases/usage-accounting, read 2026-11-20",
        "openrouter chat",
    ),
    Case(
        "OpenRouter, cached",
        "openai",
        {
            "prompt_tokens": 10_339, "completion_tokens": 60, "total_tokens": 10_399,
            "prompt_tokens_details": {"cached_tokens": 10_318, "cache_write_tokens": 0},
        },
        Usage(10_339, 60, 10_318, 0),
        "openrouter.ai/docs/prompt-caching, read 2026-11-20",
        "openrouter chat",
    ),
    Case(
        "Together",
        "openai",
        {"prompt_tokens": 31, "completion_tokens": 50, "total_tokens": 81},
        Usage(31, 50),
        "not seen: they promise OpenAI's form, and no page says what is cached; numbers ours",
    ),
    Case(
        "Fireworks",
        "openai",
        {
            "prompt_tokens": 800, "completion_tokens": 70, "total_tokens": 870,
            "prompt_tokens_details": {"cached_tokens": 512},
        },
        Usage(800, 70, 512),
        "genai-prices 0.2.3, read 2026-11-20; numbers ours",
        "fireworks chat",
    ),
    Case(
        "Moonshot",
        "openai",
        {"prompt_tokens": 700, "completion_tokens": 33, "total_tokens": 733, "cached_tokens": 512},
        Usage(700, 33, 512),
        "genai-prices 0.2.3, by which Anthropic's server for OpenAI clients names it so too, 2026-11-20; numbers ours",
        "anthropic chat",
    ),
    Case(
        "Perplexity, deep research: far more reasoning than completion",
        "openai",
        {
            "prompt_tokens": 33, "completion_tokens": 11_395, "total_tokens": 11_428,
            "reasoning_tokens": 193_476, "num_search_queries": 28,
        },
        Usage(33, 204_871, None, None, 193_476),
        "genai-prices 0.2.3, which adds them too, read 2026-11-20; numbers ours",
        "perplexity default",
    ),
    # ---- Own engines.
    Case(
        "vLLM, without --enable-prompt-tokens-details",
        "openai",
        {"prompt_tokens": 9, "total_tokens": 21, "completion_tokens": 12, "prompt_tokens_details": None},
        Usage(9, 12),
        "vllm/entrypoints/openai/engine/protocol.py of vllm-project/vllm, as of 2026-11-20; numbers ours",
    ),
    Case(
        "vLLM, with it: what it keeps itself is no cache write that anybody bills",
        "openai",
        {
            "prompt_tokens": 900, "total_tokens": 912, "completion_tokens": 12,
            "prompt_tokens_details": {
                "cached_tokens": 640, "created_cache_tokens": 256, "multimodal_tokens": {"image": 576},
            },
        },
        Usage(900, 12, 640),
        "a study of vllm/entrypoints/serve/engine/protocol.py of vllm-project/vllm, read 2026-11-20; numbers ours",
    ),
    Case(
        "SGLang",
        "openai",
        {
            "prompt_tokens": 900, "total_tokens": 1000, "completion_tokens": 100, "reasoning_tokens": 64,
            "prompt_tokens_details": {"cached_tokens": 512, "image_tokens": 256}, "completion_tokens_details": None,
        },
        Usage(900, 100, 512, None, 64, None, None, None, 256),
        "srt/entrypoints/openai/usage_processor.py of sgl-project/sglang, read 2026-11-20; numbers ours",
    ),
    Case(
        "llama.cpp",
        "openai",
        {
            "completion_tokens": 48, "prompt_tokens": 44, "total_tokens": 92,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        Usage(44, 48, 0),
        "tools/server/README.md of ggml-org/llama.cpp, read 2026-11-20",
    ),
    Case(
        "Ollama",
        "openai",
        {"prompt_tokens": 26, "completion_tokens": 298, "total_tokens": 324},
        Usage(26, 298),
        "openai/openai.go of ollama/ollama, read 2026-11-20; numbers ours",
    ),
]  # fmt: skip
