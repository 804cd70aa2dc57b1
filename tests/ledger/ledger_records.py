"""Records with everything filled in, so that a test says only what it is about."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from twintrack.config.snapshot import Deployment
from twintrack.ledger.database import database
from twintrack.ledger.journal import Journal
from twintrack.ledger.load import Loaded, Loader
from twintrack.ledger.records import Dispatch, Names, Refuse, Screened, Settle
from twintrack.ledger.schema import MIGRATIONS
from twintrack.ledger.segment import journal_folder

DATA = Path(__file__).parent / "data"
HOUR_US = 3_600_000_000
T0 = 500_000 * HOUR_US
"""The start of an hour in 2027."""

OWN, MANAGED, PREMIUM, SIMULATED, UNPRICED = range(5)
DEPLOYMENTS = (
    ("llama@gpu", "llama", "gpu-room", "own", "eu-west", False),
    ("mid@managed", "mid", "managed", "contracted", "eu-west", False),
    ("gpt@openai", "gpt", "openai", "third_party", "us", False),
    ("demo@demo", "demo", "demo", "own", "", True),
    ("new@lab", "new", "lab", "third_party", "", False),
)
PER_HOUR_NUSD = (9_600_000_007, 0, 0, 0, 0)
NAMES = Names(
    schema=1,
    generation=1,
    policy_version="0123456789ab",
    worker="w0",
    deployments=DEPLOYMENTS,
    per_hour_nusd=PER_HOUR_NUSD,
    routes=(("auto", ("small", "balanced", "premium")), ("bot", ("premium",))),
    keys=("dev", "app"),
)

_DISPATCH = Dispatch(
    request_id="r",
    attempt=0,
    at_us=T0,
    generation=1,
    deployment=MANAGED,
    route=0,
    tier=1,
    key=0,
    endpoint="chat",
    stream=True,
    data_class=1,
    reason="good_enough",
    chosen=MANAGED,
    baseline=PREMIUM,
    prompt_tokens_est=800,
    predicted_nusd=120_000,
    p_good=0.93,
    complexity=0.4,
    propensity=1.0,
    task="code",
    language="en",
    ruled_out=((PREMIUM, "context", 512, 812),),
    request_bytes=4312,
    p_enough=0.9,
    p_best=0.95,
)
_SETTLE = Settle(
    request_id="r",
    attempt=0,
    at_us=T0 + 2_000_000,
    state="settled",
    outcome="ok",
    status=200,
    detail="",
    ttft_us=300_000,
    total_us=2_000_000,
    input_tokens=812,
    output_tokens=301,
    cache_read_tokens=0,
    cache_write_tokens=0,
    reasoning_tokens=None,
    usage_source="reported",
    cost_nusd=100_000,
    baseline_nusd=1_000_000,
    energy_mj=12_000,
    energy_source="estimated",
    response_bytes=9000,
)
_REFUSE = Refuse(
    request_id="f",
    at_us=T0,
    generation=1,
    route=0,
    key=0,
    endpoint="chat",
    status=422,
    code="no_eligible_model",
    data_class=3,
    prompt_tokens_est=800,
    ruled_out=((PREMIUM, "zone", 2, 25),),
)

_SCREENED = Screened(
    request_id="r",
    at_us=T0 - 100,
    generation=1,
    route=0,
    key=0,
    detector="d1",
    mode="enforce",
    found=0,
    labelled=-1,
    data_class=1,
    sticky=False,
    override="",
    counts=(),
    bands=(0, 0, 0),
    unscanned=(),
    body_hmac=b"m" * 16,
)


def names(**changes: Any) -> Names:
    return msgspec.structs.replace(NAMES, **changes)


def dispatch(request_id: str = "r", attempt: int = 0, **changes: Any) -> Dispatch:
    return msgspec.structs.replace(_DISPATCH, request_id=request_id, attempt=attempt, **changes)


def settle(request_id: str = "r", attempt: int = 0, **changes: Any) -> Settle:
    return msgspec.structs.replace(_SETTLE, request_id=request_id, attempt=attempt, **changes)


def released(request_id: str = "r", attempt: int = 0, **changes: Any) -> Settle:
    """Refused by the provider, so nothing is charged."""
    facts = {
        "state": "released",
        "outcome": "upstream_refused",
        "status": 503,
        "ttft_us": None,
        "input_tokens": None,
        "output_tokens": None,
        "usage_source": "none",
        "cost_nusd": 0,
        "baseline_nusd": None,
        "energy_mj": None,
        "energy_source": "unknown",
    }
    return settle(request_id, attempt, **(facts | changes))


def screened(request_id: str = "r", **changes: Any) -> Screened:
    return msgspec.structs.replace(_SCREENED, request_id=request_id, **changes)


def refuse(request_id: str = "f", **changes: Any) -> Refuse:
    return msgspec.structs.replace(_REFUSE, request_id=request_id, **changes)


def on_own_engine(request_id: str, at_us: int, total_us: int, **changes: Any) -> tuple[Dispatch, Settle]:
    """An attempt on the deployment that is paid by the hour."""
    return (
        dispatch(request_id, at_us=at_us, deployment=OWN, chosen=OWN, tier=0),
        settle(request_id, at_us=at_us + total_us, total_us=total_us, **({"cost_nusd": None} | changes)),
    )


def deployment(index: int = OWN, per_hour_nusd: int = PER_HOUR_NUSD[OWN]) -> Deployment:
    name, model, provider, zone, region, simulated = DEPLOYMENTS[index]
    return Deployment(
        index=index,
        name=name,
        model=model,
        upstream_model=model,
        provider=provider,
        api="vllm",
        dialects=("openai",),
        tls=False,
        host="127.0.0.1",
        port=1,
        base_path="/v1",
        key="",
        zone=zone,  # type: ignore[arg-type]
        region=region,
        simulated=simulated,
        context_tokens=0,
        max_output_tokens=0,
        modalities=("text",),
        tools=True,
        embeddings=False,
        licence="",
        quality=0.9,
        price=None,
        per_hour_nusd=per_hour_nusd,
        energy_j_per_output_token=None,
        max_in_flight=64,
    )


def left_by(version: int, folder: Path) -> Path:
    """A data folder with rows as a program of that schema version left it.

    `data/version1.*` were written by the program of version 1; the steps in between are those that were released.
    """
    (folder / "journal").mkdir(parents=True)
    segment = (DATA / "version1.journal").read_bytes().ljust(65_536, b"\0")
    (folder / "journal" / "w0-000001.journal").write_bytes(segment)
    with closing(sqlite3.connect(database(folder))) as db:
        db.executescript((DATA / "version1.sql").read_text())
        for step in range(1, version):
            db.executescript(MIGRATIONS[step])
            db.execute("INSERT INTO schema_version VALUES (?, '2026-11-30T00:00:00Z')", (step + 1,))
        db.commit()
    return folder


class Books:
    """A data folder with one worker and a loader."""

    def __init__(self, folder: Path, segment_bytes: int = 65_536) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.path = database(folder)
        self.journals = journal_folder(folder)
        self.now_us = T0
        self.worker = self.new_worker()
        self.loader = Loader(folder, clock_us=lambda: self.now_us)

    def new_worker(self, worker: str = "w0", names: Names = NAMES) -> Journal:
        journal = Journal(self.journals, worker, self.segment_bytes)
        journal.start(names)
        return journal

    def write(self, *records: Dispatch | Settle | Refuse | Screened) -> None:
        for record in records:
            self.worker.append(record)

    def load(self, *records: Dispatch | Settle | Refuse | Screened) -> Loaded:
        """Write, then load everything."""
        self.write(*records)
        loaded = self.loader.load()
        assert loaded.caught_up
        return loaded

    def reopen_loader(self) -> None:
        self.loader.close()
        self.loader = Loader(self.folder, clock_us=lambda: self.now_us)

    def rows(self, question: str = "SELECT * FROM entries ORDER BY request_id, attempt", *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(question, values)]

    def row(self, question: str = "SELECT * FROM entries", *values: Any) -> Any:
        (row,) = self.rows(question, *values)
        return row

    def change(self, statement: str, *values: Any) -> None:
        """Do to the database what nobody should."""
        with closing(sqlite3.connect(self.path)) as db:
            db.execute(statement, values)
            db.commit()

    def contents(self) -> dict[str, list[Any]]:
        """Everything that must not depend on how records came in."""
        return {
            "entries": [row | {"id": 0} for row in self.rows("SELECT * FROM entries ORDER BY request_id, attempt")],
            "refusals": [row | {"id": 0} for row in self.rows("SELECT * FROM refusals ORDER BY request_id")],
            "rollups": [
                row | {"id": 0} for row in self.rows("SELECT * FROM rollups r JOIN slices s ON s.id = r.slice")
            ],
            "engines": self.rows(
                "SELECT e.hour, d.name, e.up_us, e.busy_us FROM engine_hours e "
                "JOIN deployments d ON d.id = e.deployment ORDER BY 1, 2"
            ),
        }

    def journal_files(self) -> list[str]:
        return sorted(path.name for path in self.journals.iterdir())

    def kept_copy(self, to: Path) -> Path:
        shutil.copytree(self.journals, to)
        return to

    def close(self) -> None:
        self.worker.close()
        self.loader.close()


def opened(folder: Path, **options: Any) -> Iterator[Books]:
    books = Books(folder, **options)
    try:
        yield books
    finally:
        books.close()
