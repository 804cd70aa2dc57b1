"""From a request to a decision: its labels, its route, and who shall answer. Nothing here is sent or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.config.snapshot import Route
from twintrack.errors import BadRequest, TwintrackError, UnknownModel, nearest
from twintrack.gateway import override
from twintrack.gateway.serving import Serving
from twintrack.policy.affinity import conversation
from twintrack.policy.choose import Decision, decide, decide_named
from twintrack.signals.read import data_class, read
from twintrack.signals.signals import Signals
from twintrack.signals.tokens import prompt_tokens
from twintrack.wire.classifier import Kind
from twintrack.wire.dialect import Asked, Endpoint, labels_in
from twintrack.wire.http1 import Headers
from twintrack.wire.prompt import LABELS, NO_LABELS, Labels, read_labels

if TYPE_CHECKING:
    from twintrack.gateway.undecided import Undecided

RUNG: dict[str, int] = {name: rung for rung, name in enumerate(DATA_CLASSES)}
NAMED_OUTPUT_TOKENS = 256
"""What a request that is not read is taken to give, for its predicted cost."""
_BYTES_PER_TOKEN = 4
_AFFINITY_CHARS = 1024
_LABEL_HEADERS = tuple((label, b"x-twintrack-" + label.encode()) for label in LABELS)
_LABELLED = override.HEADERS.union(name for _, name in _LABEL_HEADERS)
_MOST_MOVED = 0.25
_TEXT_ONLY = ("text",)
NAMED_CLASS: DataClass = "internal"
"""Of a request that names a deployment and carries no label; a route says its own."""


Choice = tuple[Route | None, Signals, int, Decision]
"""Route (None: the client named a deployment), signals, estimated tokens of the prompt, decision."""


class Refused(Exception):
    """Nobody may or can answer; what was understood of the request until then. Raised by `choose` alone."""

    def __init__(self, error: TwintrackError, route: Route | None, signals: Signals) -> None:
        super().__init__(error)
        self.error = error
        self.route = route
        self.signals = signals


def labels_of(headers: Headers, asked: Asked, serving: Serving, key: int) -> Labels:
    """What the caller asks for by header or in `metadata`.

    Raises:
        BadRequest: a label nobody knows.
        Forbidden: one the key may not set.
    """
    metadata = asked.metadata
    if not metadata and _LABELLED.isdisjoint(headers):
        return NO_LABELS
    labels = _labels(headers, metadata)
    return labels if override.HEADERS.isdisjoint(headers) else override.overridden(labels, headers, serving, key)


def _labels(headers: Headers, metadata: dict[str, msgspec.Raw] | None) -> Labels:
    words = {label: headers[name].decode("latin-1") for label, name in _LABEL_HEADERS if name in headers}
    if metadata:
        said = labels_in(metadata)
        if "class" in words and "class" in said:
            # Of two labels the higher, and an unknown one above all: neither can lower the other.
            words["class"] = max(words["class"], said["class"], key=lambda name: RUNG.get(name, len(RUNG)))
        words = said | words
    return read_labels(words, DATA_CLASSES) if words else NO_LABELS


def choose(
    serving: Serving,
    endpoint: Endpoint,
    asked: Asked,
    labels: Labels,
    key: int,
    body_bytes: int,
    found: DataClass = "public",
    categories: tuple[str, ...] = (),
    kind: Kind | None = None,
) -> Choice:
    """Who answers.

    Args:
        key: index of the caller's key, -1 where none is configured.
        found: what stands in the request makes it at least this.
        categories: of what stands there.
        kind: what a classifier says of it.
    Raises:
        UnknownModel, BadRequest: the name is nobody's, or the request needs a deployment named and names a route.
        Refused: the policy's refusal, with what was read of the request.
    """
    name = asked.model
    route = serving.routes.get(name)
    if route is None:
        deployment = serving.names.get(name)
        if deployment is None:
            close = nearest(name, serving.allowed_names(key))
            raise UnknownModel(
                f"There is no model {name[:80]!r}",
                fix=f"Did you mean {' or '.join(close)}?" if close else "GET /v1/models lists all.",
                param="$.model",
            )
        return _named(serving, endpoint, asked, labels, key, body_bytes, deployment, found, categories)
    pinned = asked.pinned()
    if pinned:
        raise BadRequest(
            f"{pinned} needs a model that is one deployment",
            why="it refers to what one provider keeps, and a route may ask another each time",
            fix="Name a deployment as model, or send the conversation itself.",
            param=pinned,
        )
    prompt = asked.prompt()
    signals = read(
        prompt,
        labels,
        endpoint=endpoint.name,
        stream=bool(asked.stream),
        floor=_least(serving, labels, key, found),
        default_class=_default(labels, route.default_class),
        predictor=serving.predictor,
        describe=route.learn and (route.learn_all or serving.describing.wanted()),
        categories=categories,
    )
    if kind is not None:
        signals = classified(signals, kind)
    affinity = b"%d %b" % (key, prompt.first_user[:_AFFINITY_CHARS].encode("utf-8", "replace"))
    steering = serving.steering.get(route.index)
    try:
        decision = decide(
            serving.policy,
            route,
            signals,
            serving.load,
            key=key,
            affinity=affinity,
            steer=None if steering is None else steering.controller,
            pressure=0.0 if steering is None else steering.pressure,
            warm=serving.conversations.warm(conversation(affinity)) if prompt.turns > 1 else None,
            draw=serving.random() if route.explore else 1.0,
        )
    except TwintrackError as error:
        raise Refused(error, route, signals) from None
    if steering is not None and endpoint.name != "count_tokens":
        steering.chose(decision)
    if route.observe >= 0 and route.observe != decision.deployment:
        # The choice goes on record; the answer comes from where it always came from, if that may see the request.
        observed = serving.policy.candidate(
            route.observe, signals.data_class, endpoint.name, route=route, key=key, categories=signals.categories
        )
        if not isinstance(observed, tuple):
            rest = [each for each in decision.order if each.deployment.index != route.observe]
            decision = msgspec.structs.replace(decision, order=(observed.admitted, *rest))
    return route, signals, signals.prompt_tokens_est, decision


def classified(signals: Signals, kind: Kind) -> Signals:
    """As a classifier says, which moves the complexity that was read by so much at most: it reads the prompt, and a
    prompt can say anything."""
    low, high = signals.complexity - _MOST_MOVED, signals.complexity + _MOST_MOVED
    return msgspec.structs.replace(signals, task=kind.task, complexity=min(max(kind.difficulty, low, 0.0), high, 1.0))


def _least(serving: Serving, labels: Labels, key: int, found: DataClass) -> DataClass:
    """The class of the key or of what was found, whichever is higher; an operator speaks for the latter."""
    said = found if labels.override is None else DATA_CLASSES[RUNG[labels.override]]
    floor = serving.floor(key)
    return said if RUNG[said] > RUNG[floor] else floor


def _default(labels: Labels, default_class: DataClass) -> DataClass:
    """The class of a request without a label."""
    return default_class if labels.override is None else "public"


def class_known(undecided: Undecided, route: Route) -> tuple[DataClass, tuple[str, ...]]:
    """Class of a request that may have been read, and the categories of what was found.

    One that was not read counts as the strictest: that nothing in it matters was found out for those who may answer,
    and whoever else is shown it is not among them.
    """
    serving, labels = undecided.serving, undecided.labels
    if undecided.report is None:
        return DATA_CLASSES[-1], tuple(serving.policy.categories)
    floor = _least(serving, labels, undecided.key, undecided.found)
    return data_class(labels.data_class, floor, _default(labels, route.default_class)), undecided.categories


def class_unread(serving: Serving, asked: Asked, labels: Labels, key: int) -> DataClass:
    """Class of a request as far as labels, key and route tell."""
    route = serving.routes.get(asked.model)
    default_class = NAMED_CLASS if route is None else route.default_class
    return data_class(labels.data_class, serving.floor(key), default_class)


def _named(
    serving: Serving,
    endpoint: Endpoint,
    asked: Asked,
    labels: Labels,
    key: int,
    body_bytes: int,
    deployment: int,
    found: DataClass,
    categories: tuple[str, ...],
) -> Choice:
    """For a client that chose for itself. Without labels nothing in the request can change the answer."""
    tokens = body_bytes // _BYTES_PER_TOKEN
    same = (deployment, key, endpoint.name, asked.stream, found, categories)
    known = serving.named.get(same) if labels is NO_LABELS else None
    if known is not None and not serving.busy(deployment):
        return None, known[0], tokens, known[1]
    signals = Signals(
        endpoint.name,
        bool(asked.stream),
        tokens,
        NAMED_OUTPUT_TOKENS,
        0,
        _TEXT_ONLY,
        False,
        "und",
        "unread",
        0.0,
        data_class(labels.data_class, _least(serving, labels, key, found), _default(labels, NAMED_CLASS)),
        labels.data_class is not None,
        labels.deadline_ms,
        labels.max_cost_nusd,
        labels.stakes_high,
        categories=categories,
    )
    try:
        decision = decide_named(serving.policy, deployment, signals, serving.load, key=key)
    except TwintrackError as error:
        raise Refused(error, None, signals) from None
    if labels is NO_LABELS:
        serving.named[same] = signals, decision
    return None, signals, tokens, decision


def counted_tokens(asked: Asked) -> int:
    """The prompt's tokens by our own estimate; see `signals/tokens.py` for its error."""
    return prompt_tokens(asked.prompt())
