"""Judged drafts as a verifier is fitted to them: from the ledger, as numbers, or from a file of answers.

A file has a row an answer: `prompt, model, answer, score`, and `logprobs` (a list of natural logarithms, one a token)
where the provider told them. Several answers to one prompt are taken as drafts that were asked for in that order, so
that what agreement is worth can be learned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from twintrack.errors import TwintrackError
from twintrack.gateway.agreement import final_answer
from twintrack.gateway.verifier import Verifier, Weights
from twintrack.gateway.verifier_features import seen, unpacked
from twintrack.ledger.verdicts import Judgement
from twintrack.signals.predictor import Predictor, probability
from twintrack.signals.read import read
from twintrack.signals.weights import Router
from twintrack.training.asked import as_prompt, asked, text_of
from twintrack.training.files import read_rows
from twintrack.training.overlap import pack, text_hash, unpack
from twintrack.training.verifier import Drafts
from twintrack.training.verifier_learn import LEAST_REQUESTS, InUse, LearnedVerifier, learn_verifier, with_reach
from twintrack.wire.canonical.parts import Text
from twintrack.wire.held import Draft
from twintrack.wire.prompt import NO_LABELS

_COLUMNS = ("prompt", "model", "answer", "score")


def learn_from_ledger(found: Sequence[Judgement], *, in_use: Weights | None = None, seed: int = 0) -> LearnedVerifier:
    """Raises TwintrackError: too few of them are on drafts."""
    usable, rows = [], []
    for each in found:
        numbers = unpacked(each.draft) if each.draft is not None and not each.simulated else None
        if numbers is not None:
            usable.append(each)
            rows.append(numbers)
    if len(usable) < LEAST_REQUESTS:
        kept = sum(each.draft is not None for each in found)
        raise TwintrackError(
            f"{len(usable)} verdicts on drafts are too few to fit a verifier to",
            why=f"{LEAST_REQUESTS} are needed; of {len(found):,} verdicts {kept:,} are on drafts of a cascade, "
            f"{kept - len(usable):,} of them simulated or of another version",
            fix="Let a cascade draft by another check first and collect verdicts on its answers, or give a file.",
        )
    drafts = Drafts(
        np.array(rows, float),
        [each.deployment for each in usable],
        [each.task for each in usable],
        np.array([each.score for each in usable]),
        np.arange(len(usable)),
    )
    fresh = None
    if in_use is not None:
        after = np.array([each.at_us > in_use.until_us for each in usable])
        fresh = InUse(Verifier(in_use), after)
    days = [datetime.fromtimestamp(each.at_us / 1e6, UTC).date().isoformat() for each in (usable[0], usable[-1])]
    counts: dict[str, int] = {}
    for each in usable:
        counts[each.source] = counts.get(each.source, 0) + 1
    notes = (
        f"Verdicts by source: {', '.join(f'{source} {count:,}' for source, count in sorted(counts.items()))}.",
        "All are on drafts that a check believed: of those that it did not, nobody saw one.",
    )
    learned = learn_verifier(
        drafts, source=f"ledger, requests of {days[0]} to {days[1]}", in_use=fresh, notes=notes, seed=seed
    )
    return with_reach(learned, usable[-1].at_us, "")


def learn_from_file(
    path: Path, *, router: Router | None = None, in_use: Weights | None = None, seed: int = 0
) -> LearnedVerifier:
    """Args:
        router: the one in use, for what it foresees of prompts that it was not fitted to.
    Raises:
        TwintrackError: it cannot be read, or is too little.
    """
    rows, columns = read_rows(path)
    missing = [each for each in _COLUMNS if each not in columns]
    if missing:
        raise TwintrackError(
            f"{path} lacks {', '.join(missing)}",
            why=f"its columns are {', '.join(columns[:8])}",
            fix="Give rows of prompt, model, answer, score, and logprobs where they are known.",
        )
    found, prompts = drafts_of(rows, path, router)
    fresh = None
    if in_use is not None:
        known = unpack(in_use.texts)
        fresh = InUse(Verifier(in_use), np.array([text_hash(prompts[each]) not in known for each in found.requests]))
    learned = learn_verifier(found, source=path.name, in_use=fresh, seed=seed)
    return with_reach(learned, 0, pack(text_hash(each) for each in prompts))


def drafts_of(rows: list[dict[str, Any]], path: Path, router: Router | None) -> tuple[Drafts, list[str]]:
    """And the prompts, in the order of `Drafts.requests`."""
    predictor = None if router is None else Predictor(router)
    fitted_to = frozenset[int]() if router is None else unpack(router.texts)
    places: dict[str, int] = {}
    results: dict[int, list[str]] = {}
    numbers, names, tasks, scores, requests = [], [], [], [], []
    for number, row in enumerate(rows, 1):
        where = f"{path}: row {number}"
        if any(row.get(each) in (None, "") for each in ("prompt", "model", "score")):
            raise TwintrackError(f"{where} lacks prompt, model or score")
        question, name = asked(row["prompt"], where), str(row["model"])
        text = text_of(question)
        place = places.setdefault(text, len(places))
        signals = read(
            as_prompt(question),
            NO_LABELS,
            endpoint="chat",
            stream=False,
            floor="public",
            default_class="public",
            predictor=predictor,
        )
        known = None
        if predictor is not None and text_hash(text) not in fitted_to:
            known = predictor.deployments.get(name)
        answer = str(row.get("answer") or "")
        draft = Draft((Text(answer),), "stop", _logprobs(row.get("logprobs"), where))
        result = final_answer(draft)
        found = seen(
            draft,
            result,
            output_tokens=None,
            prompt_tokens=signals.prompt_tokens_est,
            complexity=signals.complexity,
            p_good=None if known is None or signals.reading is None else probability(known, signals.reading)[0],
            json=False,
            others=results.setdefault(place, []),
        )
        if result is not None:
            results[place].append(result)
        numbers.append(found)
        names.append(name)
        tasks.append(signals.task)
        scores.append(_score(row["score"], where))
        requests.append(place)
    return Drafts(np.array(numbers, float), names, tasks, np.array(scores), np.array(requests, np.intp)), list(places)


def _score(value: Any, where: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        score = -1.0
    if not 0.0 <= score <= 1.0:
        raise TwintrackError(f"{where}, score is {str(value)[:40]!r}, not a number from 0 to 1")
    return score


def _logprobs(value: Any, where: str) -> tuple[float, ...]:
    if value is None or value == "":
        return ()
    try:
        found = tuple(float(each) for each in (json.loads(value) if isinstance(value, str) else value))
    except (TypeError, ValueError, OverflowError):
        found = (1.0,)
    if any(not -math.inf < each <= 0.0 for each in found):
        raise TwintrackError(f"{where}, logprobs is no list of natural logarithms")
    return found
