"""Files: who can read and write them, on which disk they lie, and how much room it has."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from twintrack.cli.doctor.finding import Finding, note, ok, problem, size
from twintrack.cli.doctor.reading import Case
from twintrack.config.settings import Settings
from twintrack.errors import ConfigError
from twintrack.gateway.verifier import decode as verifier_weights
from twintrack.gateway.verifier import verifier_in
from twintrack.ledger.database import DATABASE
from twintrack.ledger.journal import SEGMENT_BYTES
from twintrack.ledger.segment import journal_folder
from twintrack.signals.predictor import weights_in
from twintrack.signals.weights import ROUTER, VERIFIER, decode_router

_FILES, _DISK = "files", "disk"
_LOW_BYTES = 1024**3
_FEW_INODES = 1_000
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs", "fuse.glusterfs"}
_FLEETING = {"tmpfs", "ramfs"}
_LEAST_OPEN_FILES = 4_096
UNVERIFIED = "Fit one: twintrack learn verifier; or take verifier out of the cascade's check."


def check(case: Case) -> Iterator[Finding]:
    yield from _configuration(Path(case.source.name))
    yield from _folder(case.folder)
    yield from _router(case.folder)
    yield from _verifier(case.settings, case.folder)
    where = nearest(case.folder)
    yield kind(case.folder, _type_of(where))
    usage = shutil.disk_usage(where)
    ledger = case.folder / DATABASE
    yield room(
        usage.free,
        os.statvfs(where).f_favail,
        ledger.stat().st_size if ledger.exists() else 0,
        case.settings.server.workers,
        where,
    )
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _configuration(file: Path) -> Iterator[Finding]:
    """Whoever can write it decides where requests go and which key is sent there."""
    if not file.exists():
        return
    mode = file.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "every user of this machine" if mode & stat.S_IWOTH else "its group"
        yield problem(_FILES, f"{who} can change {file}", f"chmod go-w {file}")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        above = nearest(folder)
        if os.access(above, os.W_OK):
            yield ok(_FILES, f"the data folder {folder} is not there yet and will be made")
        else:
            yield problem(_FILES, f"the data folder {folder} cannot be made", _writable(above))
        return
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield problem(_FILES, f"the data folder {folder} cannot be used", _writable(folder))
        return
    mine = [path for path in (folder / DATABASE, journal_folder(folder), folder / "run") if path.exists()]
    closed = [path for path in mine if not os.access(path, os.W_OK)]
    for path in closed:
        yield problem(_FILES, f"{path} cannot be written", _writable(path))
    seen = open_to_others(mine)
    for path in seen:
        yield problem(_FILES, f"others can read {path}, which shows who used what", f"chmod go-rwx {path}")
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        what = f"the data folder {folder} belongs to another user (number {owner}), and all this was seen as you see it"
        yield note(_FILES, what, f"Run this as the user who serves: sudo -u '#{owner}' twintrack doctor")
    if not closed and not seen:
        yield ok(_FILES, f"the data folder {folder} is for its owner alone")


def _router(folder: Path) -> Iterator[Finding]:
    """One that cannot be used leaves the choice to the prior: the gateway says so once, when it starts."""
    try:
        weights = weights_in(folder)
    except ConfigError as error:
        yield problem(_FILES, f"the fitted router is not used: {error.what} ({error.why})", error.fix)
        return
    if weights:
        fitted = decode_router(weights, ROUTER)
        card = fitted.card
        yield ok(_FILES, f"a router fitted to {card.verdicts:,} verdicts on {card.made} decides")


def _verifier(settings: Settings, folder: Path) -> Iterator[Finding]:
    """One that lacks, or that cannot be used, leaves every answer to whoever is good enough."""
    asking = [
        name
        for name, route in settings.routes.items()
        if route.cascade is not None and "verifier" in route.cascade.check
    ]
    try:
        weights = verifier_in(folder)
    except ConfigError as error:
        yield problem(_FILES, f"the fitted verifier is not used: {error.what} ({error.why})", error.fix)
        return
    if weights:
        card = verifier_weights(weights, VERIFIER).card
        yield ok(_FILES, f"a verifier fitted to {card.verdicts:,} verdicts on {card.made} judges drafts")
    elif asking:
        yield note(
            _FILES, f"nobody drafts for route {asking[0]}, since no verifier is fitted to judge drafts", UNVERIFIED
        )


def open_to_others(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]


def _writable(path: Path) -> str:
    return f"Let the user who serves own it: chown -R $(id -un) {path}; or set server.data to another folder."


def _type_of(folder: Path) -> str:
    """Type of the file system a folder lies on; empty if the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    best, found = -1, ""
    for line in lines:
        _, place, type_, *_ = line.split(" ")
        at = Path(place.replace("\\040", " "))
        if folder.is_relative_to(at) and len(at.parts) >= best:
            best, found = len(at.parts), type_
    return found


def kind(folder: Path, type_: str) -> Finding:
    """Whether a file system keeps what is written, and lets SQLite lock."""
    if type_ in _NETWORK:
        fix = "Set server.data to a local disk: SQLite's log and our locks need one. Keep backups on the network."
        return problem(_DISK, f"{folder} lies on a network file system ({type_})", fix)
    if type_ in _FLEETING:
        fix = "Set server.data to a disk; in a container, to a volume."
        return note(_DISK, f"{folder} lies in memory ({type_}): it is gone with the next start of the machine", fix)
    if type_ == "overlay":
        fix = "Mount a volume there, and set server.data to it."
        return note(_DISK, f"{folder} lies in a container's own layer: it is gone with the container", fix)
    return ok(_DISK, f"{folder} lies on a disk of this machine ({type_ or 'of unknown type'})")


def room(free: int, inodes: int, ledger: int, workers: int, where: Path) -> Finding:
    """Whether what is left suffices: for the journal now, and for a copy of the ledger before an upgrade.

    Args:
        free, inodes: left of the disk that `where` lies on; no number of inodes is known where it is 0.
        ledger: bytes of the database.
    """
    need = 4 * SEGMENT_BYTES * workers
    if free < need:
        what = f"{size(free)} are left at {where}, and the journal may need {size(need)}: requests would be refused"
        return problem(_DISK, what, "Free disk space, or set server.data to another disk.")
    if 0 < inodes < _FEW_INODES:
        return problem(_DISK, f"only {inodes:,} more files fit on the disk of {where}", "Remove files nobody needs.")
    if free < ledger:
        what = f"{size(free)} are left at {where}: no room for a copy of the ledger, of {size(ledger)}"
        return note(_DISK, what, "Free disk space before the next upgrade, which begins with such a copy.")
    if free < _LOW_BYTES:
        fix = "Make room in time: what cannot be recorded is refused."
        return note(_DISK, f"{size(free)} are left at {where}", fix)
    return ok(_DISK, f"{size(free)} are left at {where}")


def open_files(most: int) -> Finding:
    """Two connections a request: the client's and the provider's."""
    if 0 <= most < _LEAST_OPEN_FILES:
        fix = "Raise it: ulimit -Hn 65536, or LimitNOFILE=65536 in the unit."
        return note(_FILES, f"at most {most:,} files can be open, so about {most // 2:,} requests at a time", fix)
    return ok(_FILES, f"{most:,} files can be open at a time" if most >= 0 else "any number of files can be open")
