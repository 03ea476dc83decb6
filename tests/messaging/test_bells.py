"""Bells that are lost: who rings goes on at once, and the sweep finds what was rung for."""

import time
from types import SimpleNamespace

import pytest
from celery import current_app
from kombu import Connection

from messaging import bells


@pytest.fixture
def silent_redis(silence: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes connections and answers nothing, as one whose machine stands still."""
    patience = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    broker = Connection(f"redis://127.0.0.1:{silence}/0", transport_options=patience)
    pool = broker.Pool(limit=4)
    app = SimpleNamespace(pool=pool, connection_for_write=broker.clone, send_task=current_app.send_task)
    monkeypatch.setattr(bells, "current_app", app)


def test_a_redis_that_keeps_silent_is_waited_for_once_and_then_left_alone(
    silent_redis: None, caplog: pytest.LogCaptureFixture
) -> None:
    begun = time.monotonic()
    bells.ring_delivery()
    waited = time.monotonic() - begun

    begun = time.monotonic()
    for _ in range(20):
        bells.ring_delivery()

    assert waited >= 0.3
    assert time.monotonic() - begun < 0.3
    assert caplog.text.count("bell_lost") == 21


def test_after_a_while_it_is_tried_again(silent_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "LEFT_ALONE_SECONDS", 0.0)
    for _ in range(2):
        begun = time.monotonic()
        bells.ring_delivery()
        assert time.monotonic() - begun >= 0.3
