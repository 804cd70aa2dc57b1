"""A request in sentences; test_ledger_commands.py has the whole of it, as `twintrack explain` prints it."""

from __future__ import annotations

from ledger_records import PREMIUM, Books, dispatch, refuse, released, settle

from twintrack.ledger.entries import entries
from twintrack.ledger.story import in_short, told


def test_in_short_it_leaves_out_what_a_page_shows_in_tables(books: Books):
    ruled_out = ((PREMIUM, "context", 512, 812),)
    books.load(
        dispatch("a", ruled_out=ruled_out),
        released("a", total_us=150_000),
        dispatch("a", 1, deployment=PREMIUM, tier=2),
        settle("a", 1, cost_nusd=400_000),
    )
    assert in_short(entries(books.path, "a")) == [
        "Request a came on 2027-01-15 08:00:00 UTC with key dev and asked for auto (chat, streamed).",
        "Chosen: mid@managed, tier balanced. It is in the cheapest tier that is good enough for a request like this.",
        "Expected were a chance of 93% that its answer is good enough (90% would do: 94.7% of the best one's 95%) and "
        "a cost of $0.00012 (policy 0123456789ab).",
        "Attempt 1: mid@managed (mid at managed) refused (HTTP 503), done after 0.15 s. It was not charged.",
        "Attempt 2: gpt@openai (gpt at openai) answered, first token after 0.30 s, done after 2.00 s. It cost $0.0004.",
        "Together they cost $0.0004.",
        "Without routing, gpt@openai would have answered for $0.001: $0.0006 saved.",
    ]


def test_a_cost_that_is_partly_unknown_is_no_sum(books: Books):
    books.load(
        dispatch("a"),
        settle("a", cost_nusd=None, state="unknown", outcome="upstream_failed", ttft_us=None),
        dispatch("a", 1, deployment=PREMIUM, tier=2),
        settle("a", 1, cost_nusd=400_000),
    )
    story = told(entries(books.path, "a"))
    assert "Together they cost an unknown amount." in story
    assert any(
        "Attempt 1: mid@managed (mid at managed) failed (HTTP 200), done after 2.00 s." in line for line in story
    )


def test_tokens_are_told_by_kind_where_there_are_any(books: Books):
    books.load(
        dispatch("plain"),
        settle("plain"),
        dispatch("mixed"),
        settle(
            "mixed",
            cache_read_tokens=2_000,
            cache_write_tokens=300,
            cache_write_1h_tokens=100,
            reasoning_tokens=40,
            input_audio_tokens=50,
            output_audio_tokens=0,
            output_image_tokens=9,
        ),
    )
    assert any("It took 812 tokens and gave 301." in line for line in told(entries(books.path, "plain")))
    assert any(
        "It took 812 tokens (2,000 from the cache; 300 written to it, 100 of them for an hour; 50 of sound) "
        "and gave 301 (40 of reasoning; 9 of images)." in line
        for line in told(entries(books.path, "mixed"))
    )


def test_a_refusal_is_told_in_full_and_in_short(books: Books):
    books.load(refuse("f"))
    found = entries(books.path, "f")
    came = "Request f came on 2027-01-15 08:00:00 UTC with key dev and asked for auto (chat)."
    ended = "It was sent to nobody and cost nothing: no_eligible_model (HTTP 422)."
    assert in_short(found) == [came, ended]
    assert told(found) == [
        came,
        "Its data class is restricted; about 800 tokens.",
        "Ruled out:",
        "  gpt@openai: restricted data stays on your own machines, and this is a third party.",
        ended,
    ]


def test_a_choice_of_chance_says_how_likely_it_was(books: Books):
    books.load(dispatch("a", reason="explored", propensity=0.0333, p_enough=0.9, p_best=1.0), settle("a"))
    story = told(entries(books.path, "a"))
    (chosen,) = (line for line in story if line.startswith("Chosen"))
    assert chosen.endswith("The chance that it would be this one was 3.3%.")
    assert any("(90% would do: 90% of the best one's 100%)" in line for line in story)


def test_a_status_is_told_once_and_one_expectation_is_one(books: Books):
    books.load(dispatch("a", p_good=None), released("a", status=400, detail="status 400"))
    story = told(entries(books.path, "a"))
    assert any("refused (HTTP 400), done" in line for line in story)
    assert any(line.startswith("Expected was a cost of") for line in story)
