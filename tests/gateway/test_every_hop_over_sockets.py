"""Some of the matrix of `test_every_hop.py` over real sockets and processes: every class and provider on seven ways."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from typing import NamedTuple

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.hops import MAY, OWN, PLACES, RULES
from support.provider import Provider, named
from support.raw import Answer
from twintrack.config.settings import DATA_CLASSES
from twintrack.providers.scripted import Playbook, chat_events, error_answer, stream

AT_ONCE = 8
PREFILL = 'prefill = "last"\nprice = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }'
WAYS = {
    "first": ("there", "home"),
    "streamed": ("there", "home"),
    "translated": ("there", "home"),
    "next": ("broken", "there"),
    "taken up": ("cut", "there"),
    "observed": ("home",),
    "named": (),
}
"""Tiers of the route; none: the client names the deployment."""


class Cell(NamedTuple):
    way: str
    place: str
    data_class: str

    @property
    def name(self) -> str:
        """Of its route, or its deployment: each is told apart by the model that arrives."""
        return "-".join(self).replace(" ", "-")


CELLS = tuple(Cell(*each) for each in product(WAYS, PLACES, DATA_CLASSES))


class Seen(NamedTuple):
    answers: dict[Cell, Answer]
    heard: dict[str, set[str]]
    """Models that arrived, by place."""


def config(home: Provider, places: dict[str, Provider]) -> str:
    text = RULES + provider("home", home.url, more=OWN)
    for place, (_, zone, more) in PLACES.items():
        # The table's day is another than today's.
        text += provider(place, places[place].url, zone=zone, more=more.replace("2024-10-20", "2999-12-31"))
    text += "".join(deployment(name, "home", more=PREFILL) for name in ("home", "broken", "cut"))
    for cell in CELLS:
        there = f"{cell.name}.there"
        text += deployment(there, cell.place, more=PREFILL)
        tiers = [there if name == "there" else name for name in WAYS[cell.way]]
        if tiers:
            more = {"taken up": "take_up = true", "observed": f'mode = "observe"\nobserve = "{there}"'}
            text += route(cell.name, *tiers, more=more.get(cell.way, ""))
    return text


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with ExitStack() as stack:
        home = stack.enter_context(Provider())
        places = {name: stack.enter_context(Provider()) for name in PLACES}
        for each in (home, *places.values()):
            each.default = Playbook(heeds=False).answer
        words = chat_events(["From", " home"], None, done=False)
        home.scripts = {"broken": error_answer(500), "cut": stream(words, end="reset")}
        folder = tmp_path_factory.mktemp("sockets")
        with Served(folder, config(home, places), ready_s=60.0) as gateway, ThreadPoolExecutor(AT_ONCE) as pool:

            def ask(cell: Cell) -> Answer:
                model = cell.name if WAYS[cell.way] else f"{cell.name}.there"
                asked = question(model, stream=cell.way in ("streamed", "taken up"), max_tokens=9)
                path = "/v1/messages" if cell.way == "translated" else "/v1/chat/completions"
                return gateway.ask(asked, path, {"x-twintrack-class": cell.data_class})

            answers = dict(zip(CELLS, pool.map(ask, CELLS), strict=True))
        heard = {name: {named(each) for each in place.received} for name, place in places.items()}
        yield Seen(answers, heard)


def test_nobody_gets_what_it_may_not_see(seen: Seen) -> None:
    for cell in CELLS:
        arrived = f"{cell.name}.there" in seen.heard[cell.place]
        assert arrived == (cell.place in MAY["everybody"][cell.data_class]), cell
        assert not any(f"{cell.name}.there" in seen.heard[place] for place in PLACES if place != cell.place)
    assert len(seen.answers) >= 150


def test_it_answers_from_home_or_says_why_not(seen: Seen) -> None:
    for cell, answer in seen.answers.items():
        if cell.place in MAY["everybody"][cell.data_class]:
            assert answer.status == 200, cell
        elif cell.way == "named":
            assert answer.status == 422, cell
        elif cell.way in ("next", "taken up") and answer.status != 200:
            assert answer.status in (500, 503), cell  # nobody is left, or what fails is passed over by now
        else:
            assert answer.status == 200, cell
            assert answer.headers["x-twintrack-provider"] == "home", cell
