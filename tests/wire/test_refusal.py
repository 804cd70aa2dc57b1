"""Every provider's way of saying no, read into one value. Each body was seen, or stands in the page named beside it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.wire.refusal import Refusal, fits, refusal, reworded

SEEN = [
    pytest.param(  # platform.openai.com/docs/guides/error-codes
        400,
        '{"error":{"message":"Unsupported parameter: \'max_tokens\' is not supported with this model.",'
        '"type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}',
        Refusal(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model.",
            "invalid_request_error",
            "unsupported_parameter",
            "max_tokens",
        ),
        id="openai",
    ),
    pytest.param(  # platform.claude.com/docs/en/api/errors
        400,
        '{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"},'
        '"request_id":"req_1"}',
        Refusal(400, "max_tokens: Field required", "invalid_request_error"),
        id="anthropic",
    ),
    pytest.param(  # ai.google.dev/gemini-api/docs/troubleshooting
        400,
        '{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[]}}',
        Refusal(400, "API key not valid.", "", "INVALID_ARGUMENT"),
        id="gemini",
    ),
    pytest.param(  # github.com/Alishahryar1/free-claude-code/issues/542
        400,
        '[{"error":{"code":400,"message":"Unknown name \\"google\\": Cannot find field.",'
        '"status":"INVALID_ARGUMENT"}}]',
        Refusal(400, 'Unknown name "google": Cannot find field.', "", "INVALID_ARGUMENT"),
        id="gemini-openai",
    ),
    pytest.param(  # openrouter.ai/docs/api-reference/errors
        429,
        '{"error":{"message":"Provider returned error","code":429,"metadata":{"provider_name":"Cohere","raw":'
        '"{\\"message\\":\\"trial key limit\\"}"}}}',
        Refusal(429, "Provider returned error: trial key limit"),
        id="openrouter",
    ),
    pytest.param(  # github.com/Gitlawb/openclaude/issues/739
        422,
        '{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted",'
        '"input":false},{"type":"extra_forbidden","loc":["body","messages",0,"user","name"],'
        '"msg":"Extra inputs are not permitted","input":8192}]}',
        Refusal(
            422,
            "store: Extra inputs are not permitted; messages[0].user.name: Extra inputs are not permitted",
            "extra_forbidden",
            "",
            "store",
        ),
        id="mistral",
    ),
    pytest.param(  # github.com/editor-code-assistant/eca/issues/231
        422,
        '{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],'
        '"msg":"Extra inputs are not permitted","input":32000}]},"type":"invalid_request_error",'
        '"param":null,"code":null}',
        Refusal(
            422,
            "max_completion_tokens: Extra inputs are not permitted",
            "extra_forbidden",
            "",
            "max_completion_tokens",
        ),
        id="mistral, wrapped",
    ),
    pytest.param(  # docs.mistral.ai/api
        401, '{"detail":"Unauthorized"}', Refusal(401, "Unauthorized"), id="mistral, a text"
    ),
    pytest.param(  # github.com/1Panel-dev/MaxKB/issues/2912
        400,
        '{"object":"error","message":"max_tokens must be at least 1","type":"BadRequestError","param":null,"code":400}',
        Refusal(400, "max_tokens must be at least 1", "BadRequestError"),
        id="vllm, older",
    ),
    pytest.param(  # vllm/entrypoints/openai/engine/protocol.py
        400,
        '{"error":{"message":"too long","type":"BadRequestError","param":"input_tokens","code":400}}',
        Refusal(400, "too long", "BadRequestError", "", "input_tokens"),
        id="vllm",
    ),
    pytest.param(  # llama.cpp, as in xllamacpp 2026.10.11549
        400,
        '{"error":{"code":400,"message":"request (6009 tokens) exceeds the available context size (512 tokens), try '
        'increasing it","type":"exceed_context_size_error","n_prompt_tokens":6009,"n_ctx":512}}',
        Refusal(
            400,
            "request (6009 tokens) exceeds the available context size (512 tokens), try increasing it",
            "exceed_context_size_error",
        ),
        id="llama.cpp",
    ),
    pytest.param(  # docs.ollama.com/api/errors
        404, '{"error":"model \'x\' not found"}', Refusal(404, "model 'x' not found"), id="ollama"
    ),
    pytest.param(  # text-generation-inference/docs/openapi.json
        422,
        '{"error":"Input validation error","error_type":"validation"}',
        Refusal(422, "Input validation error", "validation"),
        id="tgi",
    ),
    pytest.param(  # docs.rs/crate/mindfork/0.17.0/source/src/shared/api/openai/xai_tests.rs
        400,
        '{"code":"invalid-argument","error":"Model grok-build-0.1 does not support parameter reasoningEffort."}',
        Refusal(400, "Model grok-build-0.1 does not support parameter reasoningEffort.", "", "invalid-argument"),
        id="xai",
    ),
    pytest.param(  # github.com/OpenRouterTeam/openrouter-examples/issues/71
        422,
        '{"message":"unknown field: parameter \'strict\' is not a valid field."}',
        Refusal(422, "unknown field: parameter 'strict' is not a valid field."),
        id="cohere",
    ),
    pytest.param(  # docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
        400,
        '{"__type":"ValidationException","Message":"Malformed input request"}',
        Refusal(400, "Malformed input request", "ValidationException"),
        id="aws",
    ),
    pytest.param(  # learn.microsoft.com/azure/ai-services/openai: content filter
        400,
        '{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter",'
        '"status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}',
        Refusal(400, "The response was filtered", "", "content_filter", "prompt"),
        id="azure",
    ),
    pytest.param(  # litellm/proxy/_types.py, ProxyException
        400,
        '{"error":{"message":"litellm.BadRequestError: no","type":null,"param":null,"code":"400"}}',
        Refusal(400, "litellm.BadRequestError: no"),
        id="litellm",
    ),
    pytest.param(  # developers.cloudflare.com/api
        403,
        '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}',
        Refusal(403, "Authentication error"),
        id="cloudflare",
    ),
    pytest.param(502, "upstream  connect\nerror ", Refusal(502, "upstream connect error"), id="plain text"),
    pytest.param(
        502,
        "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        Refusal(502, "The answer is a page: 502 Bad Gateway"),
        id="a page",
    ),
    pytest.param(503, "<p>sorry", Refusal(503, "The answer is a page: without a title"), id="a page without title"),
    pytest.param(500, "", Refusal(500, "The provider answered 500 and said no more"), id="nothing"),
    pytest.param(500, "{}", Refusal(500, "The provider answered 500 and said no more"), id="an empty object"),
    pytest.param(500, '{"error":{}}', Refusal(500, "The provider answered 500 and said no more"), id="an empty error"),
    pytest.param(500, '"no"', Refusal(500, "no"), id="a JSON text"),
]


@pytest.mark.parametrize(("status", "body", "expected"), SEEN)
def test_a_refusal_is_read(status: int, body: str, expected: Refusal) -> None:
    assert refusal(status, body.encode()) == expected


def test_a_message_stays_short_and_printable() -> None:
    said = refusal(500, msgspec.json.encode({"error": "\x1b[31m" + "x" * 100_000}))

    assert len(said.message) == 2000
    assert said.message.isprintable()


def test_a_body_nested_without_end_is_quoted() -> None:
    body = b'{"error":' * 900 + b'"x"' + b"}" * 900

    assert refusal(500, body).message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "errors", "msg", "loc", "metadata", "raw", "type", "code", "param"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_body_breaks_the_reading(said: object) -> None:
    read = refusal(400, msgspec.json.encode(said))

    assert read.message
    assert all(isinstance(each, str) for each in (read.message, read.type, read.code))
    assert read.param is None or isinstance(read.param, str)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(body: bytes) -> None:
    assert refusal(400, body).message


OPENAI = b'{"error":{"message":"No","type":"invalid_request_error","param":null,"code":null}}'
LLAMA = b'{"error":{"code":400,"message":"No","type":"invalid_request_error"}}'
ANTHROPIC = b'{"type":"error","error":{"type":"invalid_request_error","message":"No"},"request_id":"req_1"}'


@pytest.mark.parametrize(
    ("body", "dialects"),
    [
        (OPENAI, {"openai", "responses"}),
        (LLAMA, {"openai", "responses"}),
        (ANTHROPIC, {"openai", "responses", "anthropic"}),
        (b'{"error":"No"}', set()),
        (b'{"error":{}}', set()),
        (b'[{"error":{"message":"No"}}]', set()),
        (b'{"object":"error","message":"No"}', set()),
        (b'{"detail":"No"}', set()),
        (b"<html></html>", set()),
        (b'"no"', set()),
        (b"\xff", set()),
        (b"", set()),
    ],
)
def test_whose_clients_can_read_it(body: bytes, dialects: set[str]) -> None:
    assert {dialect for dialect in ("openai", "responses", "anthropic") if fits(dialect, body)} == dialects


TOO_LONG = [
    ("prompt is too long: 219898 tokens > 200000 maximum", (219898, 200000)),
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. Please "
        "reduce the length of the messages.",
        (8227, 8192),
    ),
    (
        "This model's maximum context length is 4097 tokens. However, you requested 4120 tokens (3120 in the messages, "
        "1000 in the completion).",
        (4120, 4097),
    ),
    (
        "This endpoint's maximum context length is 200000 tokens. However, you requested about 264437 tokens (262437 "
        "of text input, 2000 in the output).",
        (264437, 200000),
    ),
    (
        "request (40009 tokens) exceeds the available context size (512 tokens), try increasing it",
        (40009, 512),
    ),
    (
        "You passed 202753 input tokens and requested 0 output tokens. However, the model's context length is only "
        "202752 tokens, resulting in a maximum input length of 202752 tokens.",
        (202753, 202752),
    ),
    (
        "The input (345516 tokens) is longer than the model's context length (262144 tokens).",
        (345516, 262144),
    ),
    (
        "The input token count (3475108) exceeds the maximum number of tokens allowed (1048576).",
        (3475108, 1048576),
    ),
    (
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 275363)",
        (275363, 262144),
    ),
    ("max_tokens: 20000 > 8192, which is the maximum allowed number of output tokens", None),
]


@pytest.mark.parametrize(("message", "numbers"), TOO_LONG)
def test_that_a_prompt_is_too_long_is_understood_from_every_server(
    message: str, numbers: tuple[int, int] | None
) -> None:
    error = reworded(400, msgspec.json.encode({"error": {"message": message}}))
    assert (error.status, error.what, error.too_long) == (400, message, numbers)
    assert error.code == ("context_length_exceeded" if numbers else "provider_refused")


def test_the_code_alone_says_so_too() -> None:
    """As OpenAI's Responses do (anomalyco/opencode#6071)."""
    said = {"message": "Your input exceeds the context window of this model.", "code": "context_length_exceeded"}
    assert reworded(400, msgspec.json.encode({"error": said})).too_long == (0, 0)
