"""What the limiter of an account grants: never more than the limit in any second, and hardly less while work waits."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

from django.conf import settings

from benchmarks import stage
from benchmarks.processes import workers
from benchmarks.providers import Noting, SlowNoting, noted
from benchmarks.ratios import Figure, Grant, Round, Run, fullest_second, median_second
from messaging.models import Sender

LIMIT = 500
SECONDS = 7
COUNTS = (1, 2, 4)
FIGURES = [
    Figure("limit_peak", "parts in the fullest second, worst of 1, 2 and 4 workers", "the limit", "parts", at_most=1.0),
    Figure("limit_median", "parts in the median second, worst of them", "the limit", "parts", at_least=0.95),
    Figure(
        "slow_limit_peak",
        "the fullest second of one worker, a vendor that takes 400 ms",
        "the limit",
        "parts",
        at_most=1.0,
    ),
    Figure("slow_limit_median", "its median second", "the limit", "parts", at_least=0.95),
]


def measure(_rows: int) -> Generator[Round, None, None]:
    """Each round with one worker, then two, then four, and one with a slow vendor; a campaign takes seven seconds."""
    rows = LIMIT * SECONDS
    Sender.objects.update_or_create(alias="limited", defaults={"rate": LIMIT})
    while True:
        grants = _granted(rows, Noting, COUNTS)
        slow = _granted(rows, SlowNoting, (1,))
        yield {
            "limit_peak": Run(max(map(fullest_second, grants)), LIMIT, rows),
            "limit_median": Run(min(map(median_second, grants)), LIMIT, rows),
            "slow_limit_peak": Run(fullest_second(slow[0]), LIMIT, rows),
            "slow_limit_median": Run(median_second(slow[0]), LIMIT, rows),
        }


def _granted(rows: int, adapter: type[Noting], counts: Sequence[int]) -> list[list[Grant]]:
    folder = Path(tempfile.mkdtemp(dir=settings.CLARION_VAR))
    grants, running = [], 0
    with ExitStack() as stack:
        for count in counts:
            stack.enter_context(workers(count - running, "limited", adapter, folder=str(folder)))
            running = count
            stage.clear()
            campaign = stage.launched(rows, "limited")
            begun = stage.now()
            stage.deliver(campaign)
            grants.append(noted(folder, since=begun))
    return grants
