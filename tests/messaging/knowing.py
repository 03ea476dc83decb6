"""A provider for tests that can tell afterwards what became of a message."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from pytest_django import Settings

from messaging import delivery, providers
from messaging.providers.base import Outcome, Unknown
from messaging.providers.memory import Memory


class Knowing(Memory):
    """Answers no envelope, and looks up what `tells` says; notes each slice of references that it was asked about."""

    def __init__(self, *, in_flight: int = 500, timeout_seconds: float = 20.0) -> None:
        super().__init__(in_flight=in_flight, timeout_seconds=timeout_seconds)
        self.capabilities = replace(self.capabilities, looks_up=True)
        self.clear()

    def clear(self) -> None:
        super().clear()
        self.answer = lambda _envelope: Unknown("no answer")
        self.asked: list[list[str]] = []
        self.tells: Callable[[str], Outcome | None] = lambda _reference: None

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        self.asked.append(list(references))
        return [self.tells(reference) for reference in references]


@pytest.fixture
def knowing(settings: Settings) -> Iterator[Knowing]:
    """This provider, with every channel routed to it."""
    backend = {"BACKEND": "tests.messaging.knowing.Knowing", "OPTIONS": {"in_flight": 3}}
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {"knowing": backend}
    settings.MESSAGE_ROUTES = {"sms": "knowing", "whatsapp": "knowing"}
    provider = providers.get("knowing")
    assert isinstance(provider, Knowing)
    provider.clear()
    delivery.stopping.clear()
    yield provider
    provider.clear()
