"""Fixtures for every test: nothing leaves this machine, and no test sees another's messages."""

import os
import socket
from collections.abc import Iterator

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models.signals import post_migrate
from pytest_django import DjangoDbBlocker
from pytest_socket import socket_allow_hosts

from customers import seeds
from customers.models import ConsentAnswer, ConsentWord
from messaging import accounts, bells, board, delivery, providers, throttle
from messaging.providers.memory import Memory
from tests.messaging.renting import rented

__all__ = ["rented"]


def pytest_configure() -> None:
    """Each parallel runner rings its own bells, as it has its own database; messages go nowhere."""
    runner = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"test-{os.getpid()}-{runner}-"
    settings.MESSAGE_ROUTES = {"sms": "memory", "whatsapp": "memory"}


def pytest_runtest_setup() -> None:
    """Only this machine can be reached; nothing that one test learnt is believed in the next."""
    bells.forget()
    accounts.forget()
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests with transactions of their own empty every table: the ledger must let them, and words be planted anew."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE consent_events DISABLE TRIGGER consent_events_not_emptied")
    post_migrate.connect(plant_words, sender=apps.get_app_config("customers"))


def plant_words(**_kwargs: object) -> None:
    """What the migration did, after a test has emptied the tables."""
    seeds.plant(ConsentWord, ConsentAnswer)


@pytest.fixture
def outbox() -> Iterator[Memory]:
    """The memory provider that every channel is routed to, empty and accepting."""
    memory = providers.get("memory")
    assert isinstance(memory, Memory)
    memory.clear()
    delivery.stopping.clear()
    throttle.forget()
    yield memory
    memory.clear()
    delivery.stopping.clear()
    throttle.forget()


@pytest.fixture
def empty_board() -> Iterator[None]:
    """Nothing stands on the noticeboard, and no fault is remembered."""
    keys = [board._key(name) for name in ("outcomes", "latencies", "workers", "clocks", "refusals")]
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        # What the last hour brought, also by the tests before, stands in the spans.
        broker.delete(*keys, *(board._span(ago) for ago in range(board.SPANS + 1)))
        board._Fault.until, board._Fault.told = 0.0, False
        yield
        board._Fault.until, board._Fault.told = 0.0, False
        broker.delete(*keys)


@pytest.fixture
def nobody_listens() -> int:
    """A port where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]
