"""Which of thousands of patterns occur in a text, in a few microseconds. What that means is decided elsewhere.

All three ways give the same answer: a pattern is nominated if it matches somewhere. So the choice of library changes
the cost of a scan and never its findings. Patterns are for a text's bytes: UTF-8, in lower case; they hold literals,
classes of ASCII characters and bounded repeats, which all three read alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from twintrack.errors import EnvironmentProblem

_DIGEST_BYTES = 32
_RE2_MEMORY_BYTES = 256 << 20


class NotCompiled(Exception):
    """The cache does not have the patterns, and whoever asks does not want to compile them itself."""


class Nominator(Protocol):
    name: str

    def nominate(self, data: bytes) -> list[int]:
        """Positions of the patterns that match in `data`, in no order."""
        ...

    def ends(self, data: bytes) -> list[tuple[int, int]]:
        """The same, each with where a match of it ends; of those of which `every` match was asked for a pair for each.
        -1: it is not known where, nor how many there are."""
        ...


class Plainly:
    """Looks for each pattern in turn: what the others are measured against."""

    name = "plain"

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._patterns = tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)

    def nominate(self, data: bytes) -> list[int]:
        return [at for at, pattern in enumerate(self._patterns) if pattern.search(data) is not None]

    def ends(self, data: bytes) -> list[tuple[int, int]]:
        return [(at, -1) for at in self.nominate(data)]


class WithHyperscan:
    """Some microseconds a kilobyte: `tools/measure_sensitivity.py`."""

    name = "hyperscan"

    def __init__(self, patterns: Sequence[bytes], cache: Path | None, *, compiles: bool = True, every: int = 0) -> None:
        """
        Args:
            cache: folder for the compiled database; None: compiled each time, which takes seconds and 65 MB.
            compiles: False: only what is in `cache` is taken.
            every: of the first so many, `ends` tells every match.
        Raises:
            ImportError: there is no hyperscan here.
            NotCompiled
        """
        import hyperscan

        once, dotall = int(hyperscan.HS_FLAG_SINGLEMATCH), int(hyperscan.HS_FLAG_DOTALL)
        flags = [dotall if at < every else dotall | once for at in range(len(patterns))]
        self._database = compiled_once(hyperscan, list(patterns), flags, cache, compiles=compiles)
        self._scratch = hyperscan.Scratch(self._database)
        self._found: list[int] = []
        self._ends: list[tuple[int, int]] = []

    def nominate(self, data: bytes) -> list[int]:
        found = self._found = []
        self._database.scan(data, match_event_handler=self._seen, scratch=self._scratch)
        return found

    def ends(self, data: bytes) -> list[tuple[int, int]]:
        found = self._ends = []
        self._database.scan(data, match_event_handler=self._ended, scratch=self._scratch)
        return found

    def _seen(self, pattern: int, start: int, end: int, flags: int, context: object) -> None:
        self._found.append(pattern)

    def _ended(self, pattern: int, start: int, end: int, flags: int, context: object) -> None:
        self._ends.append((pattern, end))


class WithRe2:
    """For machines without a wheel of hyperscan."""

    name = "re2"

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """Raises ImportError: there is no re2 here."""
        import re2

        options = re2.Options()
        options.max_mem = _RE2_MEMORY_BYTES
        options.encoding = re2.Options.Encoding.LATIN1  # bytes: a UTF-8 sequence stands or does not
        options.log_errors = False
        options.dot_nl = True
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def nominate(self, data: bytes) -> list[int]:
        return list(self._set.Match(data) or ())

    def ends(self, data: bytes) -> list[tuple[int, int]]:
        return [(at, -1) for at in self.nominate(data)]


def nominator(patterns: Sequence[bytes], cache: Path | None, *, compiles: bool = True, every: int = 0) -> Nominator:
    """The fastest that this machine has; the arguments are `WithHyperscan`'s.

    Raises:
        NotCompiled: `compiles` is False and the cache does not have it.
        EnvironmentProblem: neither library can be imported.
    """
    try:
        return WithHyperscan(patterns, cache, compiles=compiles, every=every)
    except ImportError:
        pass
    try:
        return WithRe2(patterns)
    except ImportError:
        raise EnvironmentProblem(
            "Sensitive data cannot be looked for",
            why="neither hyperscan nor re2 can be imported here",
            fix="Install google-re2, or turn detection off for every route and label requests instead",
        ) from None


def compiled_once(
    hyperscan: Any, patterns: list[bytes], flags: list[int], cache: Path | None, *, compiles: bool
) -> Any:
    """The database of `patterns`, each with its flags, from the cache if it is there."""
    if cache is None and compiles:
        return _compiled(hyperscan, patterns, flags)
    if cache is None:
        raise NotCompiled
    said = b"\0".join(b"%d %b" % each for each in zip(flags, patterns, strict=True))
    version = str(getattr(hyperscan, "__version__", ""))
    key = hashlib.blake2b(version.encode() + b"\0" + said, digest_size=16).hexdigest()
    path = cache / f"detectors-{key}.hsdb"
    stored = _read(path)
    if stored is not None:
        try:
            return hyperscan.loadb(stored, mode=hyperscan.HS_MODE_BLOCK)
        except hyperscan.error:
            pass  # made on another processor or by another version: made again below
    if not compiles:
        raise NotCompiled
    database = _compiled(hyperscan, patterns, flags)
    _write(path, hyperscan.dumpb(database))
    return database


def _compiled(hyperscan: Any, patterns: list[bytes], flags: list[int]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns), flags=flags)
    return database


def _read(path: Path) -> bytes | None:
    """The file's content, if it is whole, ours, and nobody else could write it: the library trusts what it loads."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return None
        content = file.read()
    digest, stored = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return stored if hashlib.sha256(stored).digest() == digest else None


def _write(path: Path, stored: bytes) -> None:
    """Whole or not at all; a cache that cannot be written costs time at the next start and nothing else."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(stored).digest() + stored)
        os.replace(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
