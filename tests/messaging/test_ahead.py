"""Reading ahead: in order, at most so far ahead, nothing swallowed, nothing left behind."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from messaging.ahead import read_ahead


def numbers(count: int, made: list[int]) -> Iterator[int]:
    for number in range(count):
        made.append(number)
        yield number


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_all_items_come_in_their_order() -> None:
    with read_ahead(numbers(50, []), 2) as items:
        assert list(items) == list(range(50))


def test_nothing_is_made_further_ahead_than_asked() -> None:
    made: list[int] = []

    with read_ahead(numbers(50, made), 2) as items:
        next(items)
        time.sleep(0.05)
        assert made == [0, 1, 2]


def test_the_next_item_is_made_while_the_caller_has_one() -> None:
    begun = threading.Event()

    def two() -> Iterator[int]:
        yield 1
        begun.set()
        yield 2

    with read_ahead(two(), 1) as items:
        assert next(items) == 1
        assert begun.wait(5)


def test_what_making_an_item_raises_is_raised_where_it_is_asked_for() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("the second")

    with read_ahead(broken(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError, match="the second"):
            next(items)
    assert reading_threads() == []


def test_a_caller_that_leaves_early_leaves_no_thread_and_nothing_more_is_made() -> None:
    made: list[int] = []

    def leave() -> None:
        with read_ahead(numbers(50, made), 2) as items:
            next(items)
            raise KeyError

    with pytest.raises(KeyError):
        leave()

    assert reading_threads() == []
    assert len(made) <= 4


@pytest.mark.django_db(transaction=True)
def test_its_connection_is_another_one_and_is_closed_at_the_end() -> None:
    def backends() -> Iterator[int]:
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                yield cursor.fetchone()[0]

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()[0]
    with read_ahead(backends(), 2) as items:
        [reader] = set(items)

    assert reader != own
    with connection.cursor() as cursor:
        for _ in range(100):
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [reader])
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.02)
    pytest.fail("the reader's connection is still open")
