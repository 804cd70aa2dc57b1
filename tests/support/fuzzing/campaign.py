"""Many cases from one seed. A case that fails is made small, written to a file, and told with how to repeat it."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_SHRINK_S = 20.0
_SLOW_S = 2.0
"""Of processor time; nothing of at most a megabyte may take so long."""


def found_folder() -> Path:
    """Where failing cases are written: `$FUZZ_FOUND`, else `.fuzz` here."""
    return Path(os.environ.get("FUZZ_FOUND", ".fuzz"))


@dataclass
class Campaign:
    """`make` builds a case from its randomness, `check` raises if it shows a fault and else names its outcome."""

    name: str
    seed: int
    make: Callable[[Random], bytes]
    check: Callable[[bytes], str]
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    def run(self, count: int) -> Counter[str]:
        """AssertionError with the smallest case found. Prints its seed, so that a run can be repeated."""
        began = time.process_time()
        for number in range(count):
            self.one(number)
        took = time.process_time() - began
        print(
            f"{self.name}: {count} cases from seed {self.seed} in {took:.1f} s of processor time, "
            f"slowest {self.slowest_s * 1000:.0f} ms: {dict(self.outcomes.most_common())}"
        )
        return self.outcomes

    def one(self, number: int) -> None:
        case = self.make(Random(f"{self.name}/{self.seed}/{number}"))
        before = time.process_time()
        failure = self._failure(case)
        took = time.process_time() - before
        self.slowest_s = max(self.slowest_s, took)
        if failure is None and took > _SLOW_S + len(case) / 1e6:
            failure = AssertionError(f"it took {took:.1f} s of processor time")
        if failure is not None:
            self._report(number, case, failure)

    def _failure(self, case: bytes) -> Exception | None:
        try:
            self.outcomes[self.check(case)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            return error
        return None

    def _report(self, number: int, case: bytes, failure: Exception) -> None:
        # What takes long takes long to be made small, too.
        small = case if self.slowest_s > _SLOW_S else self._smaller(case, type(failure))
        folder = found_folder()
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{re.sub(r'[^a-zA-Z0-9]+', '-', self.name)}-{self.seed}-{number}.case"
        file.write_bytes(small)
        error = self._failure(small) or failure
        raise AssertionError(
            f"{self.name}, seed {self.seed}, case {number} ({len(case)} bytes, {len(small)} in {file}): "
            f"{type(error).__name__}: {str(error)[:1500]}\n{small[:600]!r}"
        ) from error

    def _smaller(self, case: bytes, kind: type[Exception]) -> bytes:
        """Without whatever is not needed for a failure of the same kind."""
        late = time.monotonic() + _SHRINK_S
        size = max(1, len(case) // 2)
        while size and time.monotonic() < late:
            at = 0
            while at < len(case) and time.monotonic() < late:
                without = case[:at] + case[at + size :]
                if without != case and isinstance(self._failure(without), kind):
                    case = without
                else:
                    at += size
            size //= 2
        return case
