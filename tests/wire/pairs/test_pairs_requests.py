"""Requests between dialects: golden bodies, and the way from each client to each provider."""

from __future__ import annotations

import pytest
from pairs.features import FEATURES, Feature
from pairs.golden import (
    BY_FEATURE,
    CLIENTS,
    DIALECTS,
    GOLDEN,
    PAIRS,
    check,
    client_side,
    crossing,
    means,
    normal,
    pretty,
    request_path,
    said_by_client,
    written,
)

from twintrack.wire.dialect import KEPT_ELSEWHERE

BY_HAND = sorted(path.name.split(".")[:2] for path in (GOLDEN / "requests").glob("*.client.json"))

READ_AS = {
    ("refusal_said", "messages"): "a refusal is text",
    ("citations_said", "messages"): "citations of earlier answers are left out",
    ("citations_said", "chat"): "citations of earlier answers are left out",
    ("citations_said", "responses"): "citations of earlier answers are left out",
    ("image_detail", "messages"): "there is no detail",
    ("file_text", "chat"): "a text file is text",
    ("file_context", "chat"): "what is said about a file is text",
    ("file_context", "responses"): "what is said about a file is text",
    ("tools_custom", "messages"): "a custom tool is a function of one text",
    ("tools_grammar", "messages"): "its grammar stands in its description",
    ("calls_custom", "messages"): "a custom tool is a function of one text",
    ("result_image", "chat"): "a user shows what is no text",
    ("result_file", "chat"): "a user shows what is no text",
    ("result_error", "chat"): "the text says that it is an error",
    ("result_error", "responses"): "the text says that it is an error",
    ("choice_allowed", "messages"): "the tools that may not be called are not shown",
    ("budget", "chat"): "a budget is an effort",
    ("budget", "responses"): "a budget is an effort",
    ("adaptive", "chat"): "there is nothing to say",
    ("adaptive", "responses"): "there is nothing to say",
    ("thinking_shown", "chat"): "a summary cannot be asked for",
    ("thinking_sealed", "chat"): "sealed reasoning cannot be asked for",
    ("thinking_sealed", "messages"): "it is always sealed",
    ("thought", "messages"): "thinking that cannot be checked is left out",
    ("thought", "responses"): "thinking that cannot be checked is left out",
    ("thought_claude", "chat"): "a signature has no place",
    ("thought_claude", "responses"): "thinking that cannot be checked is left out",
    ("thought_redacted", "chat"): "what is sealed has no place",
    ("thought_redacted", "responses"): "thinking that cannot be checked is left out",
    ("thought_openai", "chat"): "what is sealed has no place",
    ("thought_openai", "messages"): "thinking that cannot be checked is left out",
    ("thought_gemini", "chat"): "only the model that made a signature wants it",
    ("thought_gemini", "messages"): "thinking that cannot be checked is left out",
    ("thought_gemini", "responses"): "thinking that cannot be checked is left out",
    ("verbosity", "messages"): "there is no verbosity",
    ("metadata", "chat"): "OpenAI takes metadata only of answers that it keeps",
    ("metadata", "messages"): "there is none but a user",
    ("metadata", "responses"): "it finds answers that are kept",
    ("cache_marks", "chat"): "OpenAI caches by itself",
    ("cache_marks", "responses"): "OpenAI caches by itself",
    ("cache_key", "messages"): "there is no key",
}
"""Goldens that mean less when they are read again, or the same in other words. All are documented as such."""


def named(feature: Feature) -> str:
    return feature.name


def test_each_feature_has_a_name_of_its_own() -> None:
    assert len(BY_FEATURE) == len(FEATURES)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("feature", FEATURES, ids=named)
def test_a_dialect_says_a_feature_as_its_file_shows(feature: Feature, dialect: str) -> None:
    ours = written(feature, dialect)
    check(request_path(f"{feature.name}.{dialect}"), None if ours is None else pretty(ours.body))


@pytest.mark.parametrize("dialect", CLIENTS)
def test_what_a_dialect_says_can_be_read_again(dialect: str) -> None:
    found = {feature.name: written(feature, dialect) for feature in FEATURES}
    other = {name for name, ours in found.items() if ours is not None and not ours.whole}
    assert other == {name for name, of in READ_AS if of == dialect}


@pytest.mark.parametrize(("name", "dialect"), BY_HAND)
def test_what_a_client_says_otherwise_means_the_feature(name: str, dialect: str) -> None:
    feature = BY_FEATURE[name]
    body = said_by_client(feature, dialect)
    assert body is not None
    assert means(client_side(dialect), body) == normal(feature.request)
    ours = written(feature, dialect)
    assert ours is None or not ours.whole, "the derived file says it as well"


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("feature", FEATURES, ids=named)
def test_a_client_asks_a_provider_of_another_dialect(feature: Feature, client: str, provider: str) -> None:
    """The provider gets what its own dialect says of the feature, or what is recorded for this client."""
    recorded = request_path(f"{feature.name}.{client}-{provider}")
    body = said_by_client(feature, client)
    golden = written(feature, provider)
    if body is None or golden is None:
        check(recorded, None)
        return
    sent = crossing(body, client, provider, golden.target)
    assert sent.lost == ()
    check(recorded, None if sent.body == golden.body else pretty(sent.body))


def test_what_cannot_be_carried_is_named_by_the_clients_own_paths() -> None:
    losses: dict[str, dict[str, dict[str, list[str]]]] = {}
    for feature in FEATURES:
        for client, provider in PAIRS:
            body = said_by_client(feature, client)
            for target in DIALECTS[provider].targets if body is not None else ():
                sent = crossing(body or {}, client, provider, target)
                assert (sent.body is None) == bool(sent.lost)
                if sent.lost:
                    by_model = losses.setdefault(feature.name, {}).setdefault(client, {})
                    by_model[f"{provider} {target.model}"] = list(sent.lost)
    check(request_path("losses"), pretty(losses))


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_what_is_left_of_a_request_can_be_read(client: str, provider: str) -> None:
    """Where the client allows something to be left out, the rest is a request of the provider's dialect."""
    side = DIALECTS[provider].client
    if side is None:
        return
    for feature in FEATURES:
        body = said_by_client(feature, client)
        for target in DIALECTS[provider].targets if body is not None else ():
            rest = crossing(body or {}, client, provider, target, drop=True)
            if rest.body is None:
                assert set(rest.lost) <= set(KEPT_ELSEWHERE)
            else:
                means(side, rest.body)


def test_no_file_is_left_over() -> None:
    known = {f"{feature.name}.{dialect}" for feature in FEATURES for dialect in DIALECTS}
    known |= {f"{feature.name}.{client}-{provider}" for feature in FEATURES for client, provider in PAIRS}
    known |= {f"{feature.name}.{client}.client" for feature in FEATURES for client in CLIENTS}
    assert {path.stem for path in (GOLDEN / "requests").iterdir()} <= known | {"losses"}
