"""Pages of a campaign's messages through the API: the deepest one costs what the first one does."""

import statistics
import time
from collections.abc import Generator

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from benchmarks import stage
from benchmarks.ratios import Figure, Round, Run

SIZE = 100
ASKED = 41
FIGURES = [
    Figure("page_depth", "the deepest page of messages", "the first page", "ms", at_most=1.2, digits=2),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """By the links that a program follows; the medians of pages asked for in turn."""
    stage.clear()
    campaign = stage.launched(rows, "instant")
    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(User.objects.create_superuser("reader"))
    first = f"/api/v1/campaigns/{campaign.pk}/messages?cursor=&pageSize={SIZE}"
    deepest = _deepest(client, first)
    while True:
        seconds: dict[str, list[float]] = {first: [], deepest: []}
        for _ in range(ASKED):
            for address, taken in seconds.items():
                taken.append(_ask(client, address)[0])
        ours, yardstick = (statistics.median(seconds[address]) * 1e3 for address in (deepest, first))
        yield {"page_depth": Run(ours, yardstick, rows)}


def _deepest(client: APIClient, address: str) -> str:
    while following := _ask(client, address)[1]:
        address = following
    return address


def _ask(client: APIClient, address: str) -> tuple[float, str | None]:
    begun = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - begun
    body = answer.json()
    assert answer.status_code == 200, body  # noqa: S101
    return seconds, body["next"]
