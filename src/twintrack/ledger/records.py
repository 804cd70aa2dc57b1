"""What a worker writes to its journal: a few positional records, each one msgpack array.

`Names` opens every segment and follows each reload, so that the other records carry small integers
instead of words. Times are UTC microseconds since 1970 (`_us`); durations come from the monotonic clock.
`None` is unknown and differs from 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 5
"""Version of these records; stands in every `Names` and in the head of a segment.

A later version only adds members behind those of an earlier one, each with a default, so old segments can be read.
A new kind of record is a new version too, since an older reader stops at it: it refuses the whole segment instead.
1: the first. 2: cache writes by lifetime, sound and images. 3: the caller's trace. 4: content. 5: what was
screened, verdicts, what an attempt is for, and what was seen of a draft.
"""

MOST_CONTENT_BYTES = 65_536
"""Of a request, and as many of its answer, where a route wants its content told."""

Outcome = Literal[
    "ok",
    "client_left",  # the client closed before the answer was complete
    "upstream_refused",  # the provider answered 4xx or 5xx
    "upstream_failed",  # connection, framing or content error before the answer was complete
    "upstream_timeout",
    "lost",  # the worker died while the attempt was running
    "set_aside",  # complete, and not what the client got: a draft that was not believed, or what a classifier said
]
State = Literal["dispatched", "settled", "released", "unknown"]
"""released: sent but certainly not charged (refused or failed without usage); unknown: cost cannot be known."""


Role = Literal[
    "answer",
    "draft",  # a cheap answer that is checked before the client may see it
    "classifier",  # a model that says of what kind the request is
]


class Names(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=0):
    schema: int
    generation: int
    policy_version: str
    worker: str
    deployments: tuple[tuple[str, str, str, str, str, bool], ...]
    """(name, model, provider, zone, region, simulated)"""
    per_hour_nusd: tuple[int, ...]
    """By deployment; 0 where it is not charged by the hour."""
    routes: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, tier names)"""
    keys: tuple[str, ...]
    content: tuple[int, ...] = ()
    """Routes whose requests may be followed by their `Content`."""
    policy: bytes = b""
    """What the policy version stands for, as `config/recorded.py` writes it."""
    at_us: int = 0
    """When this worker began to serve it; 0: not said."""
    tenants: tuple[str, ...] = ()
    """By key; empty where it has none."""


class Dispatch(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """Written before the first byte goes to the provider."""

    request_id: str
    attempt: int
    """From 0 within the request."""
    at_us: int
    generation: int
    deployment: int
    route: int
    """-1: the client named the deployment."""
    tier: int
    key: int
    """-1: no key configured."""
    endpoint: str
    """chat, messages or embeddings."""
    stream: bool
    data_class: int
    """Index into DATA_CLASSES."""
    reason: str
    """Why this deployment: a code of policy/explain.py."""
    chosen: int
    """What routing chose; differs from `deployment` in observe mode and after a failed attempt."""
    baseline: int
    prompt_tokens_est: int
    predicted_nusd: int | None
    p_good: float | None
    complexity: float | None
    propensity: float
    task: str
    language: str
    ruled_out: tuple[tuple[int, str, int, int], ...]
    """(deployment, objection code, have, need)"""
    request_bytes: int
    """Of the body sent to the provider."""
    trace: str = ""
    """The caller's `traceparent`, if it sent one."""
    role: Role = "answer"
    features: bytes = b""
    """`signals.features.packed`, of a request's first attempt on a route that learns; never above `internal`."""
    p_enough: float | None = None
    """The least `p_good` that would have done when the route chose; None: nothing was predicted, as below."""
    p_best: float | None = None
    """`p_good` of the best of the last tier then."""


class Settle(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=2):
    """Closes an attempt, once; a second one for the same attempt changes nothing."""

    request_id: str
    attempt: int
    at_us: int
    state: State
    outcome: Outcome
    status: int
    """HTTP status of the provider, 0 if none came."""
    detail: str
    """Which failure, in a few words; never text of the prompt or the answer."""
    ttft_us: int | None
    total_us: int
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    usage_source: Literal["reported", "estimated", "none"]
    cost_nusd: int | None
    """None: unknown, or charged by the hour and allocated when the hour is booked."""
    baseline_nusd: int | None
    energy_mj: int | None
    """Millijoules."""
    energy_source: Literal["measured", "estimated", "unknown"]
    response_bytes: int
    cache_write_1h_tokens: int | None = None
    """Of `cache_write_tokens`, those kept for an hour."""
    input_audio_tokens: int | None = None
    """Of `input_tokens`, as is the next but one; the others are of `output_tokens`."""
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    seen: bytes = b""
    """`gateway.verifier_features.packed`, of a checked draft on a route that learns; never above `internal`."""


class Refuse(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=3):
    """A request that was understood but sent to nobody."""

    request_id: str
    at_us: int
    generation: int
    route: int
    key: int
    endpoint: str
    status: int
    code: str
    data_class: int
    prompt_tokens_est: int
    ruled_out: tuple[tuple[int, str, int, int], ...]
    trace: str = ""


class Content(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=4):
    """What was asked and answered, for the collector; the database never has it.

    Written behind the end of a request's last attempt, of routes in `Names.content` and classes public and internal.
    It is left out where the journal has little room.
    """

    request_id: str
    endpoint: str
    """The client's, as the next but one and the answer."""
    stream: bool
    """The answer was one."""
    request: bytes
    """The client's body; empty if it is longer than MOST_CONTENT_BYTES: half of a JSON value cannot be read."""
    request_bytes: int
    """Of all of it: more than `request` holds where it was cut."""
    answer: bytes
    """What the client got; of a longer stream the start, of a longer body nothing. Empty where it was an error."""
    answer_bytes: int


class Screened(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=5):
    """What was read of a request before it was decided, without a word of it.

    Written before its first `Dispatch` or its `Refuse`; a request whose class nothing in it could change has none.
    """

    request_id: str
    at_us: int
    generation: int
    route: int
    """-1: the client named the deployment."""
    key: int
    detector: str
    """Version; empty: nothing was read."""
    mode: Literal["enforce", "observe", "off"]
    found: int
    """Class that the findings make, an index into DATA_CLASSES."""
    labelled: int
    """Class the caller said; -1: none."""
    data_class: int
    """Class that held."""
    sticky: bool
    """It held for what the conversation brought earlier."""
    override: str
    """Name of the key of an operator who had it lowered, a space, and the reason; empty: nobody."""
    counts: tuple[tuple[str, int], ...]
    """Findings by type."""
    bands: tuple[int, int, int]
    """Findings that count by score: below 0.7, below 0.9, the rest."""
    unscanned: tuple[str, ...]
    """Kinds of what could not be read."""
    body_hmac: bytes
    """HMAC-SHA256 of the client's body under the data folder's key, cut to 16 bytes."""
    pseudonyms: int = 0
    """Values that were replaced before the request left."""
    categories: tuple[str, ...] = ()
    """Of the findings: pii, phi and so on; rules may ask for them."""


class Judged(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=6):
    """A verdict on an earlier request's answer."""

    request_id: str
    """The one judged."""
    at_us: int
    key: int
    """Of who judges."""
    generation: int
    source: str
    """feedback, check, judge or human."""
    score: float
    """0 to 1."""
    label: str = ""
    """A word for why, of a fixed list; never text of the prompt or the answer."""


Record = Names | Dispatch | Settle | Refuse | Content | Screened | Judged


def lost(request_id: str, attempt: int, at_us: int, total_us: int) -> Settle:
    """What a worker that died would have written of an attempt it left open, had it lived.

    `at_us`: when it ended, as far as is known; `total_us`: how long it took till then.
    """
    return Settle(
        request_id=request_id,
        attempt=attempt,
        at_us=at_us,
        state="unknown",
        outcome="lost",
        status=0,
        detail="the worker died",
        ttft_us=None,
        total_us=total_us,
        input_tokens=None,
        output_tokens=None,
        cache_read_tokens=None,
        cache_write_tokens=None,
        reasoning_tokens=None,
        usage_source="none",
        cost_nusd=None,
        baseline_nusd=None,
        energy_mj=None,
        energy_source="unknown",
        response_bytes=0,
    )
