"""The detectors as a configuration has them, and whether it needs any.

Making them loads libraries and some 9,000 words: whoever serves does it once, before requests come.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from twintrack.config.settings import Detect
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import Problem, Source, invalid
from twintrack.gateway.exposure import is_possible

_DAY_S = 86_400

if TYPE_CHECKING:
    from twintrack.signals.sensitivity.detector import Detector
    from twintrack.signals.sensitivity.grade import Ladder


def detector(detect: Detect, cache: Path | None, *, compiles: bool = True) -> Detector:
    """
    Raises:
        NotCompiled: `compiles` is False, and the words have to be compiled.
        ConfigError: a rule's pattern or check is none.
        EnvironmentProblem: this machine has no library to look for words with.
    """
    from twintrack.signals.sensitivity.detector import CustomRule, Detector

    custom = [
        CustomRule(
            name=rule.name,
            category=rule.category,
            terms=rule.terms,
            pattern=rule.pattern,
            words=rule.words,
            check=rule.check,
            finds=rule.finds,
            ignores=rule.ignores,
        )
        for rule in detect.rules
    ]
    return Detector(custom, cache, compiles=compiles)


def steps(detect: Detect) -> Ladder:
    from twintrack.signals.sensitivity.grade import ladder

    made = ladder(detect.classes, detect.thresholds, detect.unscannable)
    if detect.ner is not None and detect.ner.on_failure == "ignore":
        made.unscannable["ner"] = "public"
    return made


def of(snapshot: Snapshot) -> Detector | None:
    """What a snapshot's requests are read with; None: none is. Raises as `detector` does."""
    return detector(snapshot.detect, cache(Path(snapshot.data))) if is_needed(snapshot) else None


def made_apart(snapshot: Snapshot) -> Detector | None:
    """The same for a process that is to stay small and has one thread: compiling takes some 65 MB for good, so where
    it must be done a child does it first. Raises as `detector` does."""
    if not is_needed(snapshot):
        return None
    from twintrack.signals.sensitivity.nominate import NotCompiled

    where = cache(Path(snapshot.data))
    try:
        return detector(snapshot.detect, where, compiles=False)
    except NotCompiled:
        pass
    pid = os.fork()
    if not pid:
        try:
            detector(snapshot.detect, where)
        finally:
            os._exit(0)  # what went wrong its parent meets as well
    os.waitpid(pid, 0)
    return detector(snapshot.detect, where)


def is_needed(snapshot: Snapshot) -> bool:
    """Whether any request may have to be read, today or once the records of providers have ended."""
    return any(is_possible(snapshot, day) for day in (time.time() // _DAY_S, math.inf))


def check(detect: Detect, source: Source) -> None:
    """Raises ConfigError with the line of each rule that is none."""
    if not detect.rules:
        return
    from twintrack.signals.sensitivity.detector import CustomRule, fault

    wrong = []
    for number, rule in enumerate(detect.rules):
        said = CustomRule(name=rule.name, category=rule.category, pattern=rule.pattern, check=rule.check)
        found = fault(said)
        if found is not None:
            field, what, fix = found
            wrong.append(Problem(("detect", "rules", number, field), what, fix))
    if wrong:
        raise invalid(source, wrong)


def cache(data: Path | None = None) -> Path:
    """Where compiled words are kept between runs (XDG Base Directory Specification 0.8).

    A service often has no home it may write to: then they are kept in the data folder, if it has one.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if data is not None and not _writable(base):
        return data / "cache"
    return base / "twintrack"


def _writable(folder: Path) -> bool:
    """Whether it can be written, or made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)
