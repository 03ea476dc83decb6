"""Health: what a load balancer asks."""

import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client

pytestmark = pytest.mark.django_db


def test_live_asks_nobody(client: Client) -> None:
    response = client.get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_when_database_and_broker_answer(client: Client) -> None:
    response = client.get("/health/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "database": "ok", "broker": "ok"})


def test_not_ready_without_the_broker(client: Client, settings: Any, nobody_listens: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{nobody_listens}/0"

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "ok", "broker": "unavailable"}


def test_a_broker_that_says_nothing_is_waited_for_two_seconds_only(client: Client, settings: Any, silence: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silence}/0"

    began = time.monotonic()
    response = client.get("/health/ready")

    assert response.json()["broker"] == "unavailable"
    assert 1 < time.monotonic() - began < 4


@pytest.mark.parametrize("listens", [True, False])
def test_not_ready_without_the_database(
    client: Client, monkeypatch: pytest.MonkeyPatch, silence: int, nobody_listens: int, listens: bool
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(silence if listens else nobody_listens))

    began = time.monotonic()
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "unavailable", "broker": "ok"}
    assert time.monotonic() - began < 4


def test_health_needs_no_token_and_takes_only_reading(client: Client) -> None:
    assert client.head("/health/live").status_code == 200
    assert client.post("/health/live").status_code == 405
    assert client.post("/health/ready").status_code == 405
