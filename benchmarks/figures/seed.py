"""A whole campaign, from the send to its end, against the design that the project began with."""

import time
from collections.abc import Generator

from benchmarks import seed_design, stage
from benchmarks.processes import worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run
from campaigns.models import CampaignProgress

# It is slow, and as slow with more.
MOST_SEED_ROWS = 2_000
FIGURES = [
    Figure(
        "vs_seed_design",
        "a whole campaign, launched and delivered by a worker",
        "one INSERT and one Celery task a message, ten at a time",
        "messages/s",
        at_least=50,
    )
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Each with the one worker it needs; the other one waits."""
    seed_rows = min(rows, MOST_SEED_ROWS)
    with (
        worker("instant", Instant) as ours,
        worker(
            "instant", Instant, threads=seed_design.AT_ONCE, queues=seed_design.QUEUE,
            include="benchmarks.ready,benchmarks.seed_design",
        ) as seeds,
    ):  # fmt: skip
        ours.until_ready()
        seeds.until_ready()
        while True:
            stage.clear()
            begun = stage.now()
            engine = rows / (stage.until_ended(stage.send(rows)) - begun)
            stage.clear()
            yield {"vs_seed_design": Run(engine, seed_rows / _seed(seed_rows), rows)}


def _seed(rows: int) -> float:
    campaign = stage.paused(rows)
    progress = CampaignProgress.objects.filter(pk=campaign.pk)
    stage.settle()
    begun = time.monotonic()
    seed_design.launch(campaign, rows)
    stage.until(lambda: progress.filter(sent=rows).exists(), "the seed's design is done")
    return time.monotonic() - begun
