"""Whatever the provider of a draft does, the client sees one whole answer: the draft if it is whole, else the better
model's; and not a word of a draft that is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.raw import Answer, words
from twintrack.providers.scripted import WORDS, Playbook
from twintrack.providers.scripted.faults import FAULTS, Fault

DEADLINES = """
[server.deadlines]
connect_s = 2.0
first_byte_s = 1.0
between_chunks_s = 1.0
total_s = 20.0
[server.failover]
backoff_s = 0.05
[server.limits]
max_answer_bytes = 2_000_000
"""
DRAFT, WELL = "".join(WORDS), "It is well."
AT_ONCE = 16
CHEAP = "price = { input_usd_per_mtok = 0.01, output_usd_per_mtok = 0.04 }"
RULES = 'cascade = { check = ["match"], must_match = ["naïve .* done\\\\."], max_draft_ms = 2500 }'


class Cell(NamedTuple):
    number: int
    fault: Fault
    directive: str
    streamed: bool

    @property
    def name(self) -> str:
        return f"d{self.number}"

    @property
    def whole(self) -> bool:
        """Whether the draft arrives whole."""
        return self.fault.of("chat", streamed=self.streamed).client == "answer"

    def __str__(self) -> str:
        return f"{self.directive}, {'streamed' if self.streamed else 'whole'}"


def _cells(every: bool) -> Iterator[Cell]:
    number = 0
    for fault in FAULTS:
        for directive in fault.directives if every else fault.directives[:1]:
            for streamed in (False, True):
                yield Cell(number, fault, directive, streamed)
                number += 1


@pytest.mark.alone
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["some", "every"])
def test_the_client_sees_one_whole_answer(
    mine: Provider, other: Provider, tmp_path_factory: pytest.TempPathFactory, every: bool
) -> None:
    mine.default, other.default = Playbook().answer, Playbook(words=("It is", " well."), heeds=False).answer
    cells = list(_cells(every))
    config = DEADLINES + provider("other", other.url) + deployment("large", "other", quality=0.95)
    for cell in cells:  # each a provider of its own: one that will spend no more rests as a whole
        config += provider(f"p{cell.number}", mine.url) + deployment(
            cell.name, f"p{cell.number}", quality=0.4, more=CHEAP
        )
        config += route(f"r{cell.number}", cell.name, "large", more=RULES)

    def ask(cell: Cell) -> Answer:
        prompt = f"Say hello. [fault: {cell.directive}]"
        body: dict[str, Any] = {"model": f"r{cell.number}", "messages": [{"role": "user", "content": prompt}]}
        return gateway.ask(body | ({"stream": True} if cell.streamed else {}))

    with Served(tmp_path_factory.mktemp("drafts"), config, ready_s=60.0, clean=False) as gateway:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = list(threads.map(ask, cells))
        for cell, answer in zip(cells, answers, strict=True):
            assert answer.status == 200, (str(cell), answer.body[:300])
            assert answer.complete, str(cell)
            text = words(answer.body) if cell.streamed else answer.json()["choices"][0]["message"]["content"]
            assert text == (DRAFT if cell.whole else WELL), str(cell)
            rows = [row for row in gateway.entries(answer.id) if row["state"] != "released" or row["role"] == "answer"]
            answered = [row for row in rows if row["outcome"] == "ok"]
            assert [row["role"] for row in answered] == ["draft" if cell.whole else "answer"], str(cell)
            assert sum(row["baseline_nusd"] is not None for row in rows) == 1
