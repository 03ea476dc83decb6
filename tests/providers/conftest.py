"""Fixtures of the adapters' tests."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from pytest_django import Settings

from messaging import providers, throttle
from messaging.providers.base import Provider
from tests.providers.server import Server

Through = Callable[..., Provider]


@pytest.fixture
def server() -> Iterator[Server]:
    """A vendor's server that does as it is told."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def through(server: Server, settings: Settings) -> Iterator[Through]:
    """Routes every channel to an adapter that speaks to the server, by an alias that no other test has."""
    made: list[Provider] = []

    def route(backend: str, **options: str) -> Provider:
        alias = f"vendor-{server.server_port}"
        entry = {"BACKEND": f"messaging.providers.{backend}", "OPTIONS": {**options, "url": server.url}}
        settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {alias: entry}
        settings.MESSAGE_ROUTES = {"sms": alias, "whatsapp": alias}
        made.append(providers.get(alias))
        return made[0]

    throttle.forget()
    yield route
    for provider in made:
        closing = cast(Any, provider)._web.close()
        asyncio.run_coroutine_threadsafe(closing, providers._start_loop()).result()
    throttle.forget()
