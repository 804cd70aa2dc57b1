"""Whatever a provider does, a client sees the right answer, an error of its dialect, or an answer that is said to be
broken, in time; and the ledger says what happened, to the nano-dollar where the provider told it.

Every row of the table of faults, streamed and not, in every dialect, and for a third of the rows also where client and
provider speak different ones: once where a healthy deployment may answer instead, once where none may.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.raw import Answer
from support.reading import Read, read
from twintrack.providers.scripted import WORDS, Line, Playbook, reconcile
from twintrack.providers.scripted.faults import FAULTS, Fault, Outcome

TOTAL_S = 10.0
SPARE_S = 3.0
"""What a machine may add that is busy with all the other cells."""
DEADLINES = f"""
[server.deadlines]
connect_s = 2.0
first_byte_s = 3.0
between_chunks_s = 3.0
total_s = {TOTAL_S}
[server.failover]
max_attempts = 3
backoff_s = 0.05
[server.limits]
max_answer_bytes = 2_000_000
"""
TEXT = "".join(WORDS)
AT_ONCE, MOST_WAITING = 6, 64
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
SPOKEN = {"chat": ("openai", "openai"), "messages": ("anthropic", "anthropic"), "responses": ("openai", "responses")}
"""By a provider's endpoint: its API and its dialect."""
STRAIGHT = (("chat", "chat"), ("messages", "messages"), ("responses", "responses"))
TRANSLATED = (("chat", "messages"), ("messages", "chat"), ("responses", "messages"), ("messages", "responses"))
"""Pairs of the client's endpoint and the provider's."""
PRICES = "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0, cache_read_usd_per_mtok = 0.2 }"


class Cell(NamedTuple):
    fault: Fault
    directive: str
    streamed: bool
    asked: str
    """The client's endpoint."""
    told: str
    """The provider's."""

    def __str__(self) -> str:
        pair = self.asked if self.asked == self.told else f"{self.asked} by {self.told}"
        return f"{self.directive}, {'streamed' if self.streamed else 'whole'}, {pair}"

    @property
    def outcome(self) -> Outcome:
        return self.fault.of(self.told, streamed=self.streamed)

    @property
    def name(self) -> str:
        """Of its deployments and its route."""
        return "".join(each if each.isalnum() else "-" for each in str(self))

    def body(self, model: str) -> dict[str, Any]:
        prompt = f"Say hello. [fault: {self.directive}]"
        asked: dict[str, Any] = {"model": model, "stream": self.streamed}
        if self.asked == "responses":
            return asked | {"input": prompt}
        if self.asked == "messages":
            asked["max_tokens"] = 100
        return asked | {"messages": [{"role": "user", "content": prompt}]}


def _cells() -> Iterator[Cell]:
    for number, fault in enumerate(FAULTS):
        for directive in fault.directives:
            for streamed in (False, True):
                for asked, told in STRAIGHT:
                    yield Cell(fault, directive, streamed, asked, told)
        if number % 3 == 0:
            for streamed in (False, True):
                for asked, told in TRANSLATED:
                    yield Cell(fault, fault.directives[0], streamed, asked, told)


CELLS = tuple(_cells())


SLOW = tuple(cell for cell in CELLS if cell.outcome.outcome == "upstream_timeout")
WAYS = ("alone", "backed", "hurried")
"""Nobody else may answer; a healthy deployment may; it may, and the client has no time to wait for it."""
HURRY_MS = 700


class Seen(NamedTuple):
    answer: Answer
    seconds: float


class Played:
    """What became of the cells, and the books of all three parties."""

    def __init__(self) -> None:
        self.ill, self.well = Playbook(), Playbook(heeds=False)
        self.seen: dict[tuple[Cell, str], Seen] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        """By request."""

    def play(self, gateway: Served, cells: list[Cell]) -> None:
        todo = [(cell, way) for cell in cells for way in WAYS if way != "hurried" or cell in SLOW]
        random.Random(7).shuffle(todo)
        waiting = [each for each in todo if _waits(*each)]
        busy = [each for each in todo if not _waits(*each)]

        def one(cell: Cell, way: str) -> None:
            began = time.monotonic()
            hurry = {"x-twintrack-deadline-ms": str(HURRY_MS)} if way == "hurried" else None
            answer = gateway.ask(cell.body(f"{cell.name}.{way}"), PATHS[cell.asked], hurry)
            self.seen[cell, way] = Seen(answer, time.monotonic() - began)

        with ThreadPoolExecutor(MOST_WAITING) as idle, ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [idle.submit(one, *each) for each in waiting] + [pool.submit(one, *each) for each in busy]:
                done.result()
        gateway.stop()
        gateway.check_books()
        for row in gateway.query("SELECT * FROM entries ORDER BY request_id, attempt"):
            self.rows.setdefault(row["request_id"], []).append(row)

    def read(self, cell: Cell, way: str) -> Read:
        return read(self.seen[cell, way].answer, cell.asked, streamed=cell.streamed)

    def attempts(self, cell: Cell, way: str) -> tuple[list[tuple[dict[str, Any], Line]], list[dict[str, Any]]]:
        """The rows at the faulty deployment, each with its line of the invoice, and the rows elsewhere."""
        rows = self.rows[self.seen[cell, way].answer.id]
        here = [row for row in rows if row["deployment"].startswith(cell.name)]
        lines = self.ill.invoice.of(f"{cell.name}.{way}.ill")
        assert len(here) == len(lines), "one row for each request that arrived"
        assert all(
            (line.endpoint, line.streamed, line.fault) == (cell.told, cell.streamed, cell.directive) for line in lines
        )
        return list(zip(here, lines, strict=True)), [row for row in rows if row["deployment"].startswith("well")]


def _waits(cell: Cell, way: str) -> bool:
    """For a deadline, or between attempts: then it costs nothing that many do."""
    return cell in SLOW or (way == "alone" and cell.outcome.moves_on)


def config(cells: list[Cell], ill: str, well: str) -> str:
    text = DEADLINES
    for name, url in (("ill", ill), ("well", well)):
        for told, (api, dialect) in SPOKEN.items():
            text += provider(f"{name}-{told}", url, api=api, more=f'dialects = ["{dialect}"]')
    text += "".join(deployment(f"well-{told}", f"well-{told}", more=PRICES) for told in SPOKEN)
    for cell in cells:
        for way in WAYS:
            # Each has a deployment of its own, since one that fails often is passed over; and an account of its own
            # where it has no money.
            at = f"ill-{cell.told}"
            if cell.fault.spent:
                at = f"ill-{cell.name}.{way}"
                api, dialect = SPOKEN[cell.told]
                text += provider(at, ill, api=api, more=f'dialects = ["{dialect}"]')
            text += deployment(f"{cell.name}.{way}.ill", at, more=PRICES)
        text += route(f"{cell.name}.alone", f"{cell.name}.alone.ill")
        for way in ("backed", "hurried"):
            text += route(f"{cell.name}.{way}", f"{cell.name}.{way}.ill", f"well-{cell.told}")
    return text


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Plays the cells whose tests were asked for, many at once."""
    wanted = {
        item.callspec.params["cell"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    }
    cells, played = [cell for cell in CELLS if cell in wanted], Played()
    with Provider() as ill, Provider() as well:
        ill.default, well.default = played.ill.answer, played.well.answer
        with Served(tmp_path_factory.mktemp("faults"), config(cells, ill.url, well.url), ready_s=120.0) as gateway:
            played.play(gateway, cells)
    return played


each_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


@pytest.mark.alone
def test_every_cell_is_played_and_nobody_else_uses_the_machine_meanwhile(played: Played) -> None:
    assert {cell for cell, _ in played.seen} <= set(CELLS)
    assert played.seen.keys() == {
        (cell, way) for cell, _ in played.seen for way in WAYS if way != "hurried" or cell in SLOW
    }


@each_cell
def test_alone_the_client_sees_an_answer_an_error_or_that_it_broke(played: Played, cell: Cell) -> None:
    seen, outcome, read = played.seen[cell, "alone"], cell.outcome, played.read(cell, "alone")
    assert read.kind == outcome.client, read
    status = outcome.status or played.attempts(cell, "alone")[0][-1][1].status
    assert seen.answer.status == status
    if read.kind == "answer":
        assert read.text == TEXT
    elif read.kind == "broken":
        assert read.text
        assert TEXT.startswith(read.text)


@each_cell
def test_a_healthy_deployment_answers_instead_unless_words_were_sent(played: Played, cell: Cell) -> None:
    seen, outcome, read = played.seen[cell, "backed"], cell.outcome, played.read(cell, "backed")
    if outcome.moves_on or outcome.client == "answer":
        assert (read.kind, read.text, seen.answer.status) == ("answer", TEXT, 200)
    else:
        assert read.kind == outcome.client, read
    if seen.answer.status == 200 and "x-twintrack-provider" in seen.answer.headers:
        assert seen.answer.headers["x-twintrack-provider"].startswith("well" if outcome.moves_on else "ill")


@each_cell
def test_it_sees_it_in_time(played: Played, cell: Cell) -> None:
    for way in ("alone", "backed"):
        assert played.seen[cell, way].seconds < TOTAL_S + SPARE_S


@pytest.mark.parametrize("cell", SLOW, ids=str)
def test_a_deadline_of_the_clients_own_is_kept_as_well(played: Played, cell: Cell) -> None:
    seen, read = played.seen[cell, "hurried"], played.read(cell, "hurried")
    assert seen.seconds < HURRY_MS / 1000 + SPARE_S
    assert read.kind in ("error", cell.outcome.client)  # on a busy machine not even the words come in time
    assert seen.answer.status == (504 if read.kind == "error" else 200)
    (row,) = played.rows[seen.answer.id]
    assert row["outcome"] == "upstream_timeout"
    assert not row["cost_nusd"]


@each_cell
def test_the_ledger_says_what_happened_and_what_it_cost(played: Played, cell: Cell) -> None:
    outcome = cell.outcome
    for way in ("alone", "backed"):
        here, elsewhere = played.attempts(cell, way)
        assert here
        for row, line in here:
            if cell.fault.looks_stale and row["state"] == "released":
                assert (row["outcome"], row["cost_nusd"], line.billed_nusd) == ("upstream_failed", 0, 0)
                continue
            assert (row["state"], row["outcome"]) == (outcome.state, outcome.outcome), (way, row["detail"])
            check_cost(row, line, outcome)
        if way == "backed" and outcome.moves_on:
            assert [(row["state"], row["outcome"], row["usage_source"]) for row in elsewhere] == [
                ("settled", "ok", "reported")
            ]
        else:
            assert elsewhere == []


def check_cost(row: dict[str, Any], line: Line, outcome: Outcome) -> None:
    if outcome.cost == "billed":
        assert (row["usage_source"], row["cost_nusd"]) == ("reported", line.billed_nusd)
    elif outcome.cost == "nothing":
        assert (row["cost_nusd"], line.billed_nusd) == (0, 0)
    elif outcome.cost == "unknown":
        assert row["cost_nusd"] is None
    else:
        assert row["usage_source"] == "estimated"
        assert row["cost_nusd"] > 0


def test_the_books_of_both_providers_agree_with_the_ledger(played: Played) -> None:
    rows = [row for rows in played.rows.values() for row in rows]
    for book, name in ((played.ill, "ill"), (played.well, "well")):
        theirs = [row for row in rows if row["provider"].startswith(name)]
        found = reconcile(theirs, book.invoice.lines)
        assert found.complaints == ()
        assert found.agreed == sum(row["usage_source"] == "reported" and row["state"] == "settled" for row in theirs)
