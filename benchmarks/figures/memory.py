"""The memory of a worker that launches and delivers: it does not grow with the campaign."""

from collections.abc import Generator

from benchmarks import stage
from benchmarks.processes import worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run

FIGURES = [
    Figure(
        "rss_growth",
        "peak memory of a worker that launches and delivers a campaign",
        "the same with a tenth of the messages",
        "MiB",
        at_most=1.1,
    )
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Each with a worker of its own."""
    while True:
        small, large = _peak(rows // 10), _peak(rows)
        yield {"rss_growth": Run(large / 2**20, small / 2**20, rows)}


def _peak(rows: int) -> int:
    stage.clear()
    with worker("instant", Instant) as running:
        running.until_ready()
        stage.until_ended(stage.send(rows))
        return running.peak_bytes
