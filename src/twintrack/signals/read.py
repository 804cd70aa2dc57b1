"""From a parsed request to `Signals`. On the request path: no I/O, no clock, and only a bounded sample is looked at."""

from __future__ import annotations

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.signals.complexity import Scorer, score
from twintrack.signals.evidence import evidence
from twintrack.signals.features import features
from twintrack.signals.language import language
from twintrack.signals.predictor import Predictor
from twintrack.signals.signals import Signals
from twintrack.signals.task import task
from twintrack.signals.tokens import output_tokens, prompt_tokens
from twintrack.wire.prompt import Labels, Prompt

DESCRIBED: frozenset[DataClass] = frozenset(("public", "internal"))
"""Classes of which the ledger may keep features."""
_RUNG: dict[str, int] = {name: rung for rung, name in enumerate(DATA_CLASSES)}


def read(
    prompt: Prompt,
    labels: Labels,
    *,
    endpoint: str,
    stream: bool,
    floor: DataClass,
    default_class: DataClass,
    scorer: Scorer | None = None,
    predictor: Predictor | None = None,
    describe: bool = False,
    categories: tuple[str, ...] = (),
) -> Signals:
    """All a choice needs to know.

    Args:
        floor: the key's class; nothing it sends counts as less.
        default_class: the route's class for requests without a label.
        scorer: a learned judge of difficulty; default: the parts of `complexity.py`.
        predictor: a router fitted to verdicts; `policy.quality.Learned` says what its reading is worth.
        categories: of what was found in it.
        describe: read the features without one too, for classes whose features may be kept.
    """
    tokens = prompt_tokens(prompt)
    seen = evidence(prompt)
    if endpoint == "embeddings":
        kind, difficulty = "embed", 0.0
    else:
        kind = task(seen)
        difficulty = score(prompt, kind, tokens, seen) if scorer is None else scorer.score(prompt, kind, tokens)
    its_class = data_class(labels.data_class, floor, default_class)
    found: tuple[float, ...] = ()
    reading = None
    if endpoint != "embeddings" and (predictor is not None or (describe and its_class in DESCRIBED)):
        found = features(prompt, tokens, seen)
        reading = predictor.read(seen, found) if predictor is not None else None
    return Signals(
        endpoint,
        stream,
        tokens,
        output_tokens(kind, tokens, prompt.max_output_tokens),
        prompt.max_output_tokens,
        prompt.modalities,
        prompt.tools,
        language(seen),
        kind,
        difficulty,
        its_class,
        labels.data_class is not None,
        labels.deadline_ms,
        labels.max_cost_nusd,
        labels.stakes_high,
        found,
        reading,
        categories,
    )


def data_class(label: str | None, floor: DataClass, default_class: DataClass) -> DataClass:
    """The label, or the route's default where there is none, but never below the key's class.

    A label may say less than the route's default: the default speaks for those who say nothing. A word that is on
    no rung counts as the highest one.
    """
    wanted = _RUNG[default_class] if label is None else _RUNG.get(label, len(DATA_CLASSES) - 1)
    return DATA_CLASSES[max(wanted, _RUNG[floor])]
