"""What attempts used and cost, counted as the ledger's rows are stored: the same sums as its own."""

from __future__ import annotations

from pathlib import Path

from ledger_records import MANAGED, OWN, PREMIUM, SIMULATED, T0, UNPRICED, Books, dispatch, released, settle

from twintrack.ledger.load import Loader
from twintrack.ledger.summary import summary
from twintrack.ledger.watcher import Group
from twintrack.telemetry.counters import Counters, Money
from twintrack.telemetry.usage import count


class Seen:
    """Counts what a loader stores."""

    wants_records = False

    def __init__(self, books: Books) -> None:
        books.loader.close()
        self.counters = Counters()
        self.times = 0
        books.loader = Loader(books.folder, watcher=self)

    def on_ended(self, groups: list[Group]) -> None:
        self.times += 1
        for group in groups:
            count(self.counters, group, {})

    def on_records(self, records: object, generations: object) -> None:
        raise AssertionError("nobody asked for them")

    @property
    def attempts(self) -> int:
        return sum(sum(each.counts) for use in self.counters.uses.values() for each in use.durations_us.values())


def test_money_and_tokens_are_those_of_the_ledger(books: Books, tmp_path: Path) -> None:
    seen = Seen(books)
    books.load(
        *(dispatch("a", deployment=MANAGED), settle("a", cost_nusd=70, baseline_nusd=100)),
        *(dispatch("b", deployment=MANAGED), released("b", status=429)),
        *(dispatch("b", 1, deployment=PREMIUM), settle("b", 1, cost_nusd=100, baseline_nusd=100)),
        *(
            dispatch("c", deployment=MANAGED),
            settle("c", outcome="upstream_failed", cost_nusd=5, baseline_nusd=None),
        ),
        *(dispatch("d", deployment=UNPRICED), settle("d", cost_nusd=None)),
        *(dispatch("e", deployment=SIMULATED), settle("e", cost_nusd=9, baseline_nusd=10)),
    )
    total = summary(books.path).total
    uses = seen.counters.uses
    real = [use for kind, use in uses.items() if not kind[4]]
    assert sum(sum(use.cost_nusd.values()) for use in real) == total.cost_nusd
    assert sum(use.unpriced for use in real) == total.cost_unknown == 1
    assert sum(use.input_tokens.total for use in real) == total.input_tokens
    assert total.savings is not None
    money = seen.counters.money["auto", False]
    assert money.baseline_nusd - money.cost_nusd == total.savings.nusd == 200 - 175
    assert seen.counters.money["auto", True] == Money(9, 10)
    assert uses["gpt@openai", "chat", "openai", "gpt", False].cost_nusd == {"retry": 100}


def test_an_engine_paid_by_the_hour_is_compared_by_its_hours(books: Books, tmp_path: Path) -> None:
    seen = Seen(books)
    books.load(dispatch("a", deployment=OWN), settle("a", cost_nusd=None, baseline_nusd=1_000))
    assert seen.counters.money["auto", False] == Money(0, 0, 1_000)
    (use,) = seen.counters.uses.values()
    assert (use.cost_nusd, use.unpriced) == ({}, 0)


def test_a_journal_that_comes_twice_counts_once(books: Books, tmp_path: Path) -> None:
    seen = Seen(books)
    books.write(dispatch("a"), settle("a"))
    kept = books.kept_copy(tmp_path / "copy")
    books.load()
    books.worker.close()
    books.loader.load()
    for path in kept.iterdir():
        (books.journals / path.name).write_bytes(path.read_bytes())
    books.loader.load()
    assert seen.times >= 2
    assert seen.attempts == 1


def test_an_attempt_that_was_running_when_the_control_plane_died_is_counted_when_it_ends(
    books: Books, tmp_path: Path
) -> None:
    books.load(dispatch("a", deployment=PREMIUM, tier=2))
    seen = Seen(books)
    books.load(settle("a", at_us=T0 + 9_000_000))
    ((kind, use),) = seen.counters.uses.items()
    assert kind == ("gpt@openai", "chat", "openai", "gpt", False)
    assert use.input_tokens.total == 812
    assert list(seen.counters.money) == [("auto", False)]


def test_what_a_dead_worker_left_counts_as_lost(books: Books, tmp_path: Path) -> None:
    seen = Seen(books)
    books.load(dispatch("a"))
    books.worker.close()
    books.loader.load()
    (use,) = seen.counters.uses.values()
    assert list(use.durations_us) == ["lost"]
