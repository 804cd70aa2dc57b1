"""Sets of facts that an operator imported, kept in the data folder; each change can be undone.

    <data>/catalog/current          number of the revision that holds; absent or 0: what ships
    <data>/catalog/0003.json        a revision: the sets that hold, and the one it came from
    <data>/catalog/prices-0003.json a price table that came with it

Nothing here reads from the network, and nothing changes unless `save` or `undo` is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from twintrack.catalog.own import OwnRows
from twintrack.errors import EnvironmentProblem

FOLDER = "catalog"
CURRENT = "current"
SCHEMA = 1


class OwnSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows that came from one file. Importing a set of the same name again replaces them."""

    name: str
    source: str
    """File or address."""
    sha256: str
    imported_at: str
    """ISO 8601, UTC."""
    rows: OwnRows


class Revision(msgspec.Struct, frozen=True, omit_defaults=True):
    schema: int = SCHEMA
    number: int = 0
    parent: int = 0
    """What `undo` goes back to; 0: what ships."""
    sets: tuple[OwnSet, ...] = ()
    prices: str = ""
    """File of the imported price table; empty: the shipped one."""
    prices_source: str = ""
    prices_sha256: str = ""
    imported_at: str = ""

    @property
    def rows(self) -> OwnRows:
        """Of all sets together."""
        return OwnRows(
            prices=tuple(row for each in self.sets for row in each.rows.prices),
            discounts=tuple(row for each in self.sets for row in each.rows.discounts),
            commitments=tuple(row for each in self.sets for row in each.rows.commitments),
            credits=tuple(row for each in self.sets for row in each.rows.credits),
        )


def current(data: str) -> Revision:
    """What holds in the data folder `data`; an empty revision where nothing was imported.

    Raises:
        EnvironmentProblem: what is there cannot be read.
    """
    number = _number(data)
    return Revision() if number == 0 else _read(data, number)


def save(data: str, revision: Revision, table: bytes | None = None) -> Revision:
    """Make `revision` what holds, with the number it gets; `table` is a compiled price table that goes with it.

    Raises:
        EnvironmentProblem: the folder cannot be written.
    """
    number = max(_numbers(data), default=0) + 1
    prices = f"prices-{number:04}.json" if table is not None else revision.prices
    saved = msgspec.structs.replace(revision, number=number, parent=_number(data), prices=prices)
    try:
        os.makedirs(os.path.join(data, FOLDER), exist_ok=True)
        if table is not None:
            _write(_path(data, prices), table)
        _write(_path(data, f"{number:04}.json"), msgspec.json.format(msgspec.json.encode(saved)) + b"\n")
        _write(_path(data, CURRENT), f"{number}\n".encode())
    except OSError as error:
        raise _unusable(data, error) from None
    return saved


def undo(data: str) -> tuple[Revision, Revision]:
    """Go back to the revision before: what held, and what holds now.

    Raises:
        EnvironmentProblem: there is nothing to undo, or it cannot be read or written.
    """
    held = current(data)
    if held.number == 0:
        raise EnvironmentProblem("There is nothing to undo", why=f"In {data} nothing was imported")
    back = Revision() if held.parent == 0 else _read(data, held.parent)
    try:
        _write(_path(data, CURRENT), f"{back.number}\n".encode())
    except OSError as error:
        raise _unusable(data, error) from None
    return held, back


def table_path(data: str, revision: Revision) -> str | None:
    """Of the imported price table; None: the shipped one holds."""
    return _path(data, revision.prices) if revision.prices else None


def _number(data: str) -> int:
    try:
        with open(_path(data, CURRENT), "rb") as file:
            return int(file.read(32))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise _unusable(data, error) from None


def _numbers(data: str) -> Iterable[int]:
    try:
        names = os.listdir(os.path.join(data, FOLDER))
    except OSError:
        return ()
    return [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()]


def _read(data: str, number: int) -> Revision:
    try:
        with open(_path(data, f"{number:04}.json"), "rb") as file:
            return msgspec.json.decode(file.read(), type=Revision)
    except (OSError, msgspec.DecodeError) as error:
        raise _unusable(data, error) from None


def _write(path: str, content: bytes) -> None:
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _path(data: str, name: str) -> str:
    return os.path.join(data, FOLDER, name)


def _unusable(data: str, error: Exception) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"The imported facts in {os.path.join(data, FOLDER)} cannot be used",
        why=str(error),
        fix="Repair the folder, or move it away to go back to the facts that ship",
    )
