"""Fixtures of the adapters' tests."""

from collections.abc import Iterator

import pytest

from tests.providers.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A vendor's server that does as it is told."""
    server = Server()
    yield server
    server.close()
