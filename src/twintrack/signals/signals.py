"""The facts a choice rests on. All of them are counts, classes and guesses; none is text of the prompt."""

from __future__ import annotations

import msgspec

from twintrack.config.settings import DataClass
from twintrack.signals.predictor import Reading


class Signals(msgspec.Struct, frozen=True):
    endpoint: str
    """chat, messages or embeddings."""
    stream: bool
    prompt_tokens_est: int
    """Everything the provider will charge as input; see `tokens.py` for the error."""
    output_tokens_est: int
    """A prior by task class, within what the client allows."""
    max_output_tokens: int
    """What the client allows; 0: it did not say."""
    modalities: tuple[str, ...]
    """Of text, image, audio, video, file."""
    tools: bool
    language: str
    """ISO 639-1 of the last user turn, or und."""
    task: str
    """One of `task.TASKS`, or unread where the client named the deployment and nothing is left to choose."""
    complexity: float
    """0 (any model will do) to 1."""
    data_class: DataClass
    labelled: bool
    """The caller said the class; otherwise it is the route's default or the key's."""
    deadline_ms: int | None
    """Until the answer is complete."""
    max_cost_nusd: int | None
    stakes_high: bool
    features: tuple[float, ...] = ()
    """In the order of `features.NAMES`, version `features.VERSION`; empty where no router reads them."""
    reading: Reading | None = None
    """What the fitted router made of the request; None where there is none."""
    categories: tuple[str, ...] = ()
    """Of what was found in it; rules may speak of them."""
