"""The journals' files while the loader has them open: which there are, how far each is loaded, and which are done."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twintrack.errors import LedgerError
from twintrack.ledger.folder import on_disk
from twintrack.ledger.segment import SUFFIX, EmptySegment, JournalReader, NotAJournal, discard_headless

_NEVER = -1
_TOLD = -2


@dataclass(slots=True)
class Segment:
    """One of them."""

    reader: JournalReader
    writer: str
    name: str
    inode: int
    offset: int
    """Everything before it is in the database."""
    writer_gone: bool = False
    done: bool = False
    damaged: bool = False
    stuck_at: int = _NEVER

    def notice_stuck(self, offset: int, problems: list[str]) -> None:
        """A frame of a living worker is in progress for microseconds; one met twice is damaged."""
        if self.stuck_at == offset:
            problems.append(
                f"{self.name} cannot be read from byte {offset} on; "
                "the rest is put aside in a .damaged file when its worker moves on"
            )
            self.stuck_at = _TOLD
        elif self.stuck_at != _TOLD:
            self.stuck_at = offset

    @property
    def flows(self) -> bool:
        """No frame was met unfinished."""
        return self.stuck_at == _NEVER


class Segments:
    """All in one folder. Raises OSError where that cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Segment] = {}
        self.unreadable = False
        """One of the files could not be opened at the last scan; it may be any worker's."""
        self._synced: frozenset[str] = frozenset()

    def in_order(self) -> list[Segment]:
        """By writer, and each writer's as it wrote them."""
        return sorted(self._open.values(), key=lambda segment: (segment.writer, segment.reader.seq))

    def writers(self) -> set[str]:
        """Whose they are."""
        return {segment.writer for segment in self._open.values()}

    def scan(self, loaded: Callable[[str, int], int | None], problems: list[str]) -> list[str]:
        """Open what came since the last scan, let go of what went; the names of files that are no journals.

        Args:
            loaded: up to which byte a writer's segment is in the database; None: nothing of it.
            problems: takes what could not be opened.
        """
        present: dict[str, int] = {}
        with os.scandir(self._folder) as listing:
            for entry in listing:
                if entry.name.endswith(SUFFIX):
                    present[entry.name] = entry.inode()
        for segment in list(self._open.values()):
            if present.get(segment.name) != segment.inode:
                self.let_go(segment)
        self.unreadable = False
        foreign = []
        for name in sorted(present.keys() - self._open.keys()):
            path = self._folder / name
            try:
                reader = JournalReader(path)
            except FileNotFoundError:
                continue
            except (EmptySegment, NotAJournal):
                # Perhaps a worker is writing the header this moment; then it holds the lock.
                if discard_headless(path) == "foreign":
                    foreign.append(name)
                continue
            except LedgerError as error:
                self.unreadable = True
                problems.append(str(error))
                continue
            writer = f"{reader.writer:016x}"
            offset = loaded(writer, reader.seq)
            self._open[name] = Segment(reader, writer, name, present[name], reader.start if offset is None else offset)
        return foreign

    def let_go(self, segment: Segment) -> None:
        segment.reader.close()
        del self._open[segment.name]

    def forget(self) -> None:
        """Let go of all; the next scan opens them again."""
        for segment in list(self._open.values()):
            self.let_go(segment)

    def name_aside(self, name: str) -> str:
        """A name in the folder that is free, for a file that is damaged."""
        kept, number = f"{name}.damaged", 1
        while (self._folder / kept).exists():
            number += 1
            kept = f"{name}.{number}.damaged"
        return kept

    def fsync(self) -> None:
        """Put all journals in the folder on disk, open or not. May run beside anything else here."""
        names = frozenset(name for name in os.listdir(self._folder) if name.endswith(SUFFIX))
        for name in names:
            try:
                on_disk(self._folder / name)
            except FileNotFoundError:
                continue  # loaded and removed meanwhile
        if names - self._synced:
            on_disk(self._folder)  # the names of the new files
        self._synced = names
