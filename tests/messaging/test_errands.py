"""Errands: what leaves the house and may take long is done beside the sweep, never within it."""

import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError

from messaging import errands


def use(monkeypatch: pytest.MonkeyPatch, **errand: Callable[[], int]) -> None:
    monkeypatch.setattr(errands, "ERRANDS", errand)


@pytest.mark.django_db(transaction=True)
def test_a_process_does_its_errands_in_one_thread_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hangs() -> int:
        inside.set()
        go_on.wait(10)
        return 0

    use(monkeypatch, hangs=hangs)
    thread = errands.begin()
    assert thread is not None
    assert inside.wait(10)

    assert [errands.begin() for _ in range(3)] == [None] * 3

    go_on.set()
    thread.join(10)
    again = errands.begin()
    assert again is not None
    again.join(10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [RuntimeError("a bug"), OperationalError("away")])
def test_an_errand_that_fails_is_logged_and_keeps_no_other_from_being_done(
    fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fails() -> int:
        raise fault

    def works() -> int:
        done.append("works")
        return 1

    use(monkeypatch, fails=fails, works=works)

    errands.run()

    assert done == ["works"]
    assert "errand_failed" in caplog.text
