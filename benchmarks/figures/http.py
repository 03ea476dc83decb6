"""Delivery over HTTP to a server process on this machine, against a bare loop of the same client."""

import json
from collections.abc import Generator
from pathlib import Path

from django.conf import settings

from benchmarks import stage
from benchmarks.processes import SEATS, Process, worker
from benchmarks.ratios import Figure, Round, Run
from campaigns.models import Campaign
from messaging.models import OutboundMessage
from messaging.providers.http import Http

MOST_ROWS = 20_000
IN_FLIGHT = 100
YARDSTICK = "a bare aiohttp loop that posts the same bodies, as many at once"
FIGURES = [
    Figure("http_vs_aiohttp", "delivery over HTTP to a local server process", YARDSTICK, "messages/s", at_least=0.6),
    Figure("http_cpu", "the worker's processor time", YARDSTICK, "µs/message", at_most=1.5),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """The engine first, then the loop with the bodies of the engine's messages, to the same server."""
    rows = min(rows, MOST_ROWS)
    with Process(["-m", "benchmarks.server"], {}) as server:
        server.until_ready()
        url = f"http://127.0.0.1:{server.ready.read_text()}/"
        with worker("http", Http, url=url, in_flight=IN_FLIGHT) as running:
            running.until_ready()
            while True:
                stage.clear()
                campaign = stage.launched(rows, "http")
                stage.settle()
                cpu = running.cpu_seconds
                seconds = stage.deliver(campaign)
                cpu = running.cpu_seconds - cpu
                bare = _post(url, _bodies(campaign))
                yield {
                    "http_vs_aiohttp": Run(rows / seconds, rows / bare["seconds"], rows),
                    "http_cpu": Run(cpu / rows * 1e6, bare["cpu_seconds"] / rows * 1e6, rows),
                }


def _bodies(campaign: Campaign) -> Path:
    path = Path(settings.CLARION_VAR) / "bodies.jsonl"
    found = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    with path.open("w") as bodies:
        for pk, to, text in found.values_list("id", "address", "rendered_content").iterator():
            body = {"reference": str(pk), "channel": campaign.channel, "to": to, "text": text}
            bodies.write(json.dumps(body) + "\n")
    return path


def _post(url: str, bodies: Path) -> dict[str, float]:
    with Process(["-m", "benchmarks.posting", url, str(bodies), str(SEATS * IN_FLIGHT)], {}) as loop:
        loop.wait(stage.PATIENCE_SECONDS)
        took: dict[str, float] = json.loads(loop.ready.read_text())
        return took
