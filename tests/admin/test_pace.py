"""Rate and time left."""

from datetime import timedelta

import pytest

from campaigns.pace import Look, as_query, from_query


def test_the_second_look_makes_the_rate() -> None:
    assert Look(100, 1_000.0).next(300, 1_002.0) == Look(300, 1_002.0, 100.0)


def test_a_rate_settles_towards_the_newest() -> None:
    look = Look(0, 0.0, 100.0)
    for second in range(1, 30):
        look = look.next(look.done + 50, float(second))
    assert look.rate == pytest.approx(50, abs=0.1)


@pytest.mark.parametrize("at", [1_000.0, 1_000.2, 990.0])
def test_a_look_too_soon_or_in_the_past_changes_nothing(at: float) -> None:
    look = Look(100, 1_000.0, 7.0)
    assert look.next(200, at) is look


def test_messages_that_went_away_make_no_negative_rate() -> None:
    assert Look(100, 0.0).next(50, 1.0).rate == 0


def test_the_time_left_follows_from_the_rate() -> None:
    assert Look(0, 0.0, 50.0).left(1_000) == timedelta(seconds=20)
    assert Look(0, 0.0, None).left(0) == timedelta(0)


@pytest.mark.parametrize("rate", [None, 0.0, 1e-9])
def test_nothing_is_said_of_the_time_left_while_nothing_moves(rate: float | None) -> None:
    assert Look(0, 0.0, rate).left(1_000_000) is None


@pytest.mark.parametrize("look", [Look(5, 1_700_000_000.25), Look(5, 1_700_000_000.25, 12.5)])
def test_a_look_comes_back_from_its_query(look: Look) -> None:
    assert from_query(as_query(look)) == look


@pytest.mark.parametrize(
    "query",
    [
        {}, {"done": "1"}, {"done": "x", "at": "1"}, {"done": "1", "at": "nan"}, {"done": "-1", "at": "1"},
        {"done": "1", "at": "inf"}, {"done": "9" * 5_000, "at": "1"}, {"done": "1", "at": "1", "rate": "nan"},
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_no_look(query: dict[str, str]) -> None:
    assert from_query(query) is None
