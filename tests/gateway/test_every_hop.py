"""Nobody gets a byte, or a connection, of what it may not see: every class, every kind of provider, every way a request
can go on to somebody, and everything that can go wrong on the way.

The cells are played in a worker whose connections end in memory (`support/street.py`), so that each of them is there;
`test_handle_privacy.py` plays some over sockets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from support.fuzzing.answers import good
from support.hops import (
    FAULTS,
    FOUND_FAULTS,
    HOME,
    HOPS,
    MAY,
    OPEN_RULES,
    PLACES,
    READINGS,
    RULES,
    SOME_FAULTS,
    SPARE,
    TEXT,
    Fault,
    Hop,
    Reading,
    Worlds,
    built,
    config,
    house_of,
    worlds,
)
from support.street import DAY_S, Heard, House, Street, Worker, on_a_street, snapshot
from twintrack.config.settings import DATA_CLASSES
from twintrack.config.snapshot import Snapshot
from twintrack.gateway import detecting
from twintrack.signals.sensitivity.detector import Detector

TOLD = ("public", "internal")
STATUSES = {200, 400, 401, 403, 413, 422, 429, 500, 502, 503, 504}


class Cell(NamedTuple):
    hop: Hop
    place: str
    whose: str
    data_class: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.hop.name}, {self.place}, rules of {self.whose}, {self.data_class}, {self.fault.name}"

    @property
    def may(self) -> bool:
        whose = "everybody" if self.whose == "route" and self.hop.by_name else self.whose
        return self.place in MAY[whose][self.data_class] and not self.fault.nobody


def cells(hop: Hop, place: str, whose: str) -> Iterator[Cell]:
    for data_class, fault in product(DATA_CLASSES, FAULTS if whose == "everybody" else SOME_FAULTS):
        yield Cell(hop, place, whose, data_class, fault)


async def play(worker: Worker, others: Worlds, cell: Cell) -> Heard:
    """The request of a cell, with whoever is ill made ill."""
    hop, fault = cell.hop, cell.fault
    worker.rest()
    await prepare(worker, others, hop, cell.place, fault)
    body = hop.request(TEXT)
    if fault.spoil is not None:
        sent, headers = fault.spoil(hop, body, cell.data_class)
    else:
        sent, headers = json.dumps(body).encode(), {"x-twintrack-class": cell.data_class}
    if cell.whose in ("key", "tenant"):
        headers["authorization"] = "Bearer env:K"
    return await worker.ask(hop.path, sent, headers | hop.headers)


async def prepare(worker: Worker, others: Worlds, hop: Hop, place: str, fault: Fault) -> None:
    street = worker.street
    there = house_of(street, place)
    if hop.prepare is not None:
        await hop.prepare(worker, there.port)
    for port in (HOME, SPARE) if hop.ill == "home" else (there.port,):
        house = street.house(port)
        house.connects = fault.connects
        if fault.say is not None:
            house.say = fault.say
        if hop.ill == "there":
            once(house)
    if fault.meanwhile is not None:
        first = there if hop.ill == "there" else street.house(HOME)
        happens = fault.meanwhile
        first.on_request = lambda: happens(worker, others)
    if fault.before is not None:
        fault.before(worker)


def once(house: House) -> None:
    """It is ill for one request, and well from then on."""
    say = house.say

    def then(request: bytes) -> list[bytes]:
        house.say = good
        return say(request)

    house.say = then


class Seen(NamedTuple):
    cell: Cell
    heard: Heard
    reached: bool


async def row(
    street: Street, hop: Hop, place: str, whose: str, which: Callable[[int], bool], rules: str = RULES
) -> list[Seen]:
    """Every class and fault for one way to one place under one set of rules; `which` by the number of the cell."""
    worker, others = Worker(street, built(hop, place, whose, rules)), worlds(hop, place, whose)
    seen = []
    for number, cell in enumerate(cells(hop, place, whose)):
        if not which(number):
            continue
        heard = await play(worker, others, cell)
        seen.append(Seen(cell, heard, house_of(street, place).reached))
        strangers = {port for port, house in street.houses.items() if house.reached} - {HOME, SPARE}
        assert strangers <= {PLACES[place][0]}, f"{cell}: somebody at {strangers} was reached"
        assert not worker.gateway.exchanges, f"{cell}: it goes on although it was answered"
        if cell.data_class not in TOLD:
            assert not worker.book.told, f"{cell}: a collector is told"
    return seen


ROWS = tuple(product(HOPS, PLACES, MAY))
SHARE, SHARE_READ = 5, 17
"""Of the cells one in so many is played, all of them with `-m long`; prime to the numbers of faults."""


def some(row: int, cell: int) -> bool:
    return (row + cell) % SHARE == 0


def everything(row: int, cell: int) -> bool:
    return True


def played(which: Callable[[int, int], bool]) -> list[Seen]:
    found: list[Seen] = []

    async def all_of_them(street: Street) -> None:
        for number, (hop, place, whose) in enumerate(ROWS):
            found.extend(await row(street, hop, place, whose, lambda cell, number=number: which(number, cell)))

    on_a_street(all_of_them)
    return found


def leaks(seen: list[Seen]) -> list[str]:
    return [str(each.cell) for each in seen if each.reached and not each.cell.may]


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    return played(some)


def test_nobody_is_reached_who_may_not_see_it(seen: list[Seen]) -> None:
    assert leaks(seen) == []
    assert len(seen) >= 5_000


@pytest.mark.long
def test_nobody_is_reached_in_any_cell() -> None:
    seen = played(everything)
    assert leaks(seen) == []
    assert len(seen) == sum(1 for each in ROWS for _ in cells(*each))


def test_rows_are_what_their_configuration_comes_to() -> None:
    for number, hop in enumerate(HOPS):
        place = list(PLACES)[number % len(PLACES)] if hop.base == "firm" else hop.base
        whose = list(MAY)[number % len(MAY)]
        assert _deciding(built(hop, place, whose)) == _deciding(snapshot(config(hop, place, whose)))


def _deciding(found: Snapshot) -> Snapshot:
    """Without the lines of the file where prices stand, and what is called after them."""
    deployments = tuple(
        replace(each, price=each.price and replace(each.price, source=""), deviations=None)
        for each in found.deployments
    )
    return replace(found, policy_version="", deployments=deployments)


def test_whoever_may_see_it_is_reached_on_every_way(seen: list[Seen]) -> None:
    """Or the silence above would be that of ways that lead nowhere."""
    reached = {(each.cell.hop.name, each.cell.place) for each in seen if each.reached}
    assert reached == {(hop.name, place) for hop in HOPS if not hop.reads for place in PLACES}
    by_class = {(each.cell.whose, each.cell.data_class, each.cell.place) for each in seen if each.reached}
    assert by_class == {
        (whose, data_class, place) for whose in MAY for data_class in DATA_CLASSES for place in MAY[whose][data_class]
    } | {
        # Who names a deployment asks no route.
        ("route", data_class, place)
        for data_class in DATA_CLASSES
        for place in MAY["everybody"][data_class]
    }


def test_it_answers_or_says_why_not(seen: list[Seen]) -> None:
    for cell, heard, reached in seen:
        who = heard.headers.get("x-twintrack-provider", "")
        assert heard.status in STATUSES, cell
        assert who in ("", "home", "spare", cell.place), cell
        assert not who or heard.headers["x-twintrack-class"] == cell.data_class, cell
        if heard.status == 200 and who == cell.place:
            assert reached, cell
        if heard.status == 422 and not cell.fault.nobody:
            assert f"{cell.data_class} data" in heard.body.decode() or "data and above" in heard.body.decode(), cell


def test_the_matrix_sees_a_leak() -> None:
    """The same ways under rules that let everything out: each of them is noticed."""
    found: list[Seen] = []

    async def wrongly(street: Street) -> None:
        for hop in HOPS:
            found.extend(await row(street, hop, "outside", "everybody", lambda cell: cell % 3 == 0, rules=OPEN_RULES))

    on_a_street(wrongly)
    assert {each.cell.hop.name for each in found if each.reached and each.cell.data_class == "restricted"} == {
        hop.name for hop in HOPS
    }


@pytest.mark.parametrize("meanwhile", ["reload that allows less", "reload that allows more", "records end"])
def test_what_comes_after_a_change_is_under_the_new_rules(meanwhile: str) -> None:
    """And what ran meanwhile was not: the matrix has that."""
    fault = next(each for each in FAULTS if each.name == meanwhile)
    now = {
        "reload that allows less": dict.fromkeys(DATA_CLASSES, False),
        "reload that allows more": dict.fromkeys(DATA_CLASSES, True),
        "records end": {"public": True, "internal": False, "confidential": False, "restricted": False},
    }[meanwhile]

    async def both(street: Street) -> None:
        hop = HOPS[0]
        worker, others = Worker(street, built(hop, "firm", "everybody")), worlds(hop, "firm", "everybody")
        for data_class in DATA_CLASSES:
            worker.rest()
            assert fault.meanwhile is not None
            fault.meanwhile(worker, others)
            firm = house_of(street, "firm")
            headers = {"x-twintrack-class": data_class}
            heard = await worker.ask(hop.path, json.dumps(hop.request(TEXT)).encode(), headers)
            assert heard.status == 200
            assert firm.reached == now[data_class], (meanwhile, data_class)

    on_a_street(both)


def test_a_record_ends_rather_early_than_late() -> None:
    """Nothing is decided by it after midnight, or a proof made from the books would say so."""
    last_day = 20_016

    async def around_midnight(street: Street) -> None:
        worker = Worker(street, built(HOPS[0], "firm", "everybody"))
        for before_s, may in ((10.0, True), (1.0, False), (-1.0, False)):
            street.wall = (last_day + 1) * DAY_S - before_s
            worker.gateway.tick(street.clock)
            allowed = worker.gateway.serving.policy.view("confidential").allowed
            assert (worker.gateway.serving.names["there"] in allowed) == may

    on_a_street(around_midnight)


# ---- by what stands in the text


class Found(NamedTuple):
    hop: Hop
    place: str
    reading: Reading
    fault: Fault
    heard: Heard
    reached: bool

    def __str__(self) -> str:
        return f"{self.hop.name}, {self.place}, {self.reading.name}, {self.fault.name}"

    @property
    def leaked(self) -> bool:
        # What is embedded is no conversation.
        may = READINGS[0].may if self.hop.embeds and self.reading.earlier else self.reading.may
        return self.reached and self.place not in may


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    made = detecting.of(built(HOPS[0], "firm", "everybody", reads=True))
    assert made is not None
    return made


def read(detector: Detector, which: Callable[[int], bool]) -> list[Found]:
    found: list[Found] = []

    async def all_of_them(street: Street) -> None:
        number = 0
        for hop, place in product(HOPS, PLACES):
            serves, others = built(hop, place, "everybody", reads=True), worlds(hop, place, "everybody", reads=True)
            worker = Worker(street, serves, detector)
            for reading, fault in product(READINGS, FOUND_FAULTS):
                number += 1
                if which(number):
                    heard = await play_reading(worker, others, hop, place, reading, fault)
                    reached = house_of(street, place).reached
                    found.append(Found(hop, place, reading, fault, heard, reached))

    on_a_street(all_of_them)
    return found


async def play_reading(worker: Worker, others: Worlds, hop: Hop, place: str, reading: Reading, fault: Fault) -> Heard:
    worker.rest()
    headers = hop.headers | reading.headers
    if reading.earlier:
        await worker.ask(hop.path, json.dumps(hop.request(TEXT, reading.earlier)).encode(), headers)
        for house in worker.street.houses.values():
            house.quiet()
        worker.pool.close()
    await prepare(worker, others, hop, place, fault)
    body = json.dumps(hop.request(TEXT, reading.says)).encode()
    if reading.twice:
        body = body[:-1] + b', "user": "a", "user": "b"}'
    with pytest.MonkeyPatch.context() as patch:
        if reading.patch is not None:
            reading.patch(patch, worker)
        return await worker.ask(hop.path, body, headers)


@pytest.fixture(scope="module")
def found(detector: Detector) -> list[Found]:
    return read(detector, lambda number: number % SHARE_READ == 0)


def test_nobody_is_reached_by_what_was_found_or_could_not_be(found: list[Found]) -> None:
    assert [str(each) for each in found if each.leaked] == []
    reached = {(each.reading.name, each.place) for each in found if each.reached and not each.hop.embeds}
    assert reached == {(reading.name, place) for reading in READINGS for place in reading.may}
    # What a provider keeps cannot be read, so nobody outside may be referred to it.
    assert {each.hop.name for each in found if each.reached} == {hop.name for hop in HOPS} - {"what a provider keeps"}


@pytest.mark.long
def test_nobody_is_reached_in_any_cell_by_what_was_found(detector: Detector) -> None:
    found = read(detector, lambda number: True)
    assert [str(each) for each in found if each.leaked] == []


def test_what_is_replaced_leaves_under_another_name(detector: Detector) -> None:
    """On routes with placeholders more may answer, and what was found is not among what they hear."""
    reading = next(each for each in READINGS if each.name == "an account")
    faults = [each for each in FOUND_FAULTS if each.name in ("none", "500", "cut off")]
    ways: set[str] = set()

    async def all_of_them(street: Street) -> None:
        for hop, place in product(HOPS, PLACES):
            if hop.by_name:
                continue
            serves, others = built(hop, place, "everybody", reads=True), worlds(hop, place, "everybody", reads=True)
            routes = tuple(replace(each, pseudonyms=("financial",)) for each in serves.routes)
            worker = Worker(street, replace(serves, routes=routes), detector)
            for fault in faults:
                await play_reading(worker, others, hop, place, reading, fault)
                house = house_of(street, place)
                if place in reading.may or not house.reached:
                    continue
                assert place in READINGS[0].may, (hop.name, place, fault.name)
                ways.add(hop.name)
                assert not any(b"DE89" in said or b"0532" in said for said in house.heard), (
                    hop.name,
                    place,
                    fault.name,
                )

    on_a_street(all_of_them)
    assert ways == {hop.name for hop in HOPS if not hop.by_name}
