"""The page of metrics and spans, written from the code that makes them:

    python -m twintrack.telemetry.reference

prints it as Markdown. The same code gives the same text.
"""

from __future__ import annotations

import sys
from typing import Final

from twintrack.telemetry.families import FAMILIES, Family, attribute

_OPENING = """# Metrics and spans

Every name there is, and what it means. How to get at them is in [observability.md](observability.md). Values of labels
and attributes come from the configuration or from a fixed list; there is no text of a request or an answer among them,
but where a route says `trace_content`.

## Metrics

`/metrics` shows them to Prometheus, and with `[telemetry]` a collector gets the same numbers under the second name.
Those that the workers count are there at once. Those of the *ledger* are counted as its rows are stored, about a
second later; while the ledger cannot be written they stand still, and `twintrack_ledger_behind_seconds` rises. All
start at 0 with the supervisor and outlive a worker and the control plane; one that is killed takes at most its last
second with it. The ledger itself is exact.

"""
_BUCKETS = """
Bounds of the buckets:

"""
_SPANS = """
## Spans

A request is a span of kind SERVER, named by operation and what was asked for: `chat auto`. Each attempt is a span of
kind CLIENT below it, named as the conventions say by operation and the provider's name for the model:
`chat gpt-5.4`. A request that was sent to nobody has no span below it.

| attribute | of | meaning |
|---|---|---|
"""
_NAMES = """
Names that begin with `gen_ai.` are those of OpenTelemetry's conventions for generative AI
([semantic-conventions-genai](https://github.com/open-telemetry/semantic-conventions-genai), as of 2026-11-30, in
development there), `server.`, `http.` and `error.` those of its general ones. They have no word for cost, tier or
decision, so those are ours and begin with `twintrack.`. `gen_ai.client.operation.time_per_output_chunk`,
`gen_ai.response.id`, `.model` and `.finish_reasons`, and what a request asks for beside the model, are not told: the
records that spans are made from do not hold them.
"""

ATTRIBUTES: Final[tuple[tuple[str, str, str], ...]] = (
    ("gen_ai.operation.name", "both", "`chat` (chat completions, Responses, Messages), `embeddings`, `count_tokens`"),
    ("gen_ai.provider.name", "attempt", "as the conventions call the provider, else our name for what it runs"),
    ("gen_ai.request.model", "attempt", "as the provider knows the model"),
    ("gen_ai.request.stream", "both", ""),
    ("gen_ai.response.time_to_first_chunk", "attempt", "seconds from the dispatch to the first content of a stream"),
    ("gen_ai.usage.input_tokens", "attempt", "cached ones included"),
    ("gen_ai.usage.output_tokens", "attempt", ""),
    ("gen_ai.usage.cache_read.input_tokens", "attempt", ""),
    ("gen_ai.usage.cache_creation.input_tokens", "attempt", ""),
    ("gen_ai.usage.reasoning.output_tokens", "attempt", ""),
    ("gen_ai.usage.audio.input_tokens", "attempt", ""),
    ("gen_ai.usage.audio.output_tokens", "attempt", ""),
    ("gen_ai.usage.image.input_tokens", "attempt", ""),
    ("server.address", "attempt", "host of the provider, behind whatever proxy"),
    ("server.port", "attempt", ""),
    ("http.response.status_code", "both", "the provider's; of a refused request ours"),
    ("error.type", "both", "`timeout`, `connection`, `broken_answer`, `client_left`, `lost`, a status like `429`, a "
     "class of status like `5xx`; of a refused request its code. Absent where all went well"),
    ("twintrack.request_id", "both", "as in `x-twintrack-id`; `twintrack explain` takes it"),
    ("twintrack.route", "request", "absent where the client named a deployment"),
    ("twintrack.tier", "both", "of the deployment that was asked"),
    ("twintrack.class", "request", "data class: `public`, `internal`, `confidential`, `restricted`"),
    ("twintrack.key", "request", "name of the caller's key"),
    ("twintrack.reason", "request", "code of why the deployment was chosen: `good_enough`, `top_tier`, …"),
    ("twintrack.decision", "request", "the deployment that routing chose; another one may have answered"),
    ("twintrack.ruled_out", "request", "how many deployments were ruled out; `twintrack explain` says why"),
    ("twintrack.policy_version", "request", ""),
    ("twintrack.propensity", "request", "probability with which it was chosen, 0 to 1"),
    ("twintrack.p_good", "request", "predicted probability that the answer is good enough"),
    ("twintrack.complexity", "request", "0 to 1"),
    ("twintrack.task", "request", "class of task"),
    ("twintrack.language", "request", ""),
    ("twintrack.attempts", "request", "how many there were"),
    ("twintrack.outcome", "both", "`ok`, `client_left`, `upstream_refused`, `upstream_failed`, `upstream_timeout`, "
     "`set_aside`, `lost`, `refused`, `unavailable`"),
    ("twintrack.cost.predicted_usd", "request", ""),
    ("twintrack.cost.baseline_usd", "request", "what the baseline would have cost"),
    ("twintrack.cost.usd", "attempt", "absent where it is unknown or the engine is paid by the hour"),
    ("twintrack.energy.joules", "attempt", ""),
    ("twintrack.attempt", "attempt", "from 0"),
    ("twintrack.deployment", "attempt", ""),
    ("twintrack.role", "attempt", "`draft` or `classifier`; absent where it answers"),
    ("twintrack.zone", "attempt", "`own`, `contracted`, `third_party`"),
    ("twintrack.region", "attempt", ""),
    ("twintrack.state", "attempt", "of its ledger row: `settled`, `released`, `unknown`"),
    ("twintrack.usage_source", "attempt", "`reported`, `estimated`, `none`"),
    ("gen_ai.system_instructions", "request", "JSON; this and the next two only with `trace_content`"),
    ("gen_ai.input.messages", "request", "JSON: what the client sent; of embeddings the texts as one message"),
    ("gen_ai.output.messages", "request", "JSON: the first answer, as the client got it. `finish_reason` is of the "
     "conventions, or `pause`, `error` where a stream broke off, `unknown` where its end was not heard"),
    ("twintrack.content.left_out", "request", "parts of the content that are not told: pictures, sound, files, sealed "
     "thinking, further answers, what could not be read. 2 and no messages: nothing reached us"),
    ("twintrack.content.cut", "request", "`request`, `answer` or both: longer than 65,536 bytes"),
    ("twintrack.simulated", "attempt", "the provider is made up"),
)  # fmt: skip


def reference() -> str:
    """Markdown: a table of the metrics, one of the attributes of spans."""
    lines = ["| Prometheus | OpenTelemetry | kind | unit | labels | from | meaning |", "|---|---|---|---|---|---|---|"]
    lines += [_row(family) for family in FAMILIES]
    buckets = [
        f"- `{family.name}`: {', '.join(f'{bound!r}' for bound in family.bounds)}"
        for family in FAMILIES
        if family.bounds
    ]
    labels = sorted({label for family in FAMILIES for label in family.labels})
    named = "\n\nAs attributes the labels are called " + ", ".join(f"`{attribute(label)}`" for label in labels) + ".\n"
    spans = "\n".join(f"| `{name}` | {of} | {meaning} |" for name, of, meaning in ATTRIBUTES)
    return _OPENING + "\n".join(lines) + "\n" + _BUCKETS + "\n".join(buckets) + named + _SPANS + spans + "\n" + _NAMES


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    otel = f"`{family.otel}`" if family.otel else ""
    source = {"workers": "workers", "ledger": "ledger", "both": "all"}[family.source]
    unit = "" if family.unit == "1" else f"`{family.unit}`"
    return f"| `{family.name}` | {otel} | {family.kind} | {unit} | {labels} | {source} | {family.meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
