"""Fixtures for every test: nothing leaves this machine, and no test sees another's messages."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_socket import socket_allow_hosts

from messaging import delivery, providers, throttle
from messaging.providers.memory import Memory


def pytest_configure() -> None:
    """Each parallel runner rings its own bells, as it has its own database; messages go nowhere."""
    runner = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"test-{os.getpid()}-{runner}-"
    settings.MESSAGE_ROUTES = {"sms": "memory", "whatsapp": "memory"}


def pytest_runtest_setup() -> None:
    """Only this machine can be reached."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


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
