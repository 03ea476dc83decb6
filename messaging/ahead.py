"""Reads ahead: makes the next items in a thread of its own while the caller is busy with the last one."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from django.db import connections

Item = TypeVar("Item")


@contextmanager
def read_ahead(items: Iterator[Item], depth: int) -> Iterator[Iterator[Item]]:
    """The items, each made while the caller has one of the `depth` before it; they may use the database, on a
    connection of the thread's own.

    What making an item raises is raised where it is asked for. When the block is left, whatever for, thread and
    connection are gone; an item that is just being made is waited for.
    """
    stopped = Event()

    def make() -> Item | None:
        return None if stopped.is_set() else next(items, None)

    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:

        def in_order() -> Iterator[Item]:
            coming = deque(thread.submit(make) for _ in range(depth))
            while (item := coming.popleft().result()) is not None:
                coming.append(thread.submit(make))
                yield item

        try:
            yield in_order()
        finally:
            stopped.set()
            thread.submit(connections.close_all)
