"""Workers beside each other: four of them send nearly four times as much as one."""

import time
from collections.abc import Generator

from benchmarks import stage
from benchmarks.processes import workers
from benchmarks.ratios import Figure, Round, Run
from campaigns.models import Campaign, CampaignProgress
from messaging.providers.simulator import Simulator

LATENCY_SECONDS, IN_FLIGHT = 0.05, 50
# A seat that delivers and a spare one: so many are in flight in a process.
THREADS = 2
WORKERS = 4
WARM_SECONDS, SECONDS = 1.0, 4.0
FIGURES = [
    Figure(
        "scale",
        "4 worker processes, each with 50 messages in flight at a provider that takes 50 ms",
        "one",
        "messages/s",
        at_least=3.2,
    )
]


def measure(_rows: int) -> Generator[Round, None, None]:
    """While all of them have work: the end, when some have none left, is not looked at."""
    most = int(IN_FLIGHT / LATENCY_SECONDS * 2 * (WARM_SECONDS + SECONDS))
    while True:
        yield {"scale": Run(_rate(WORKERS, most * WORKERS), _rate(1, most), most * WORKERS)}


def _rate(count: int, rows: int) -> float:
    stage.clear()
    with workers(count, "slow", Simulator, threads=THREADS, latency_seconds=LATENCY_SECONDS, in_flight=IN_FLIGHT):
        campaign = stage.launched(rows, "slow")
        stage.settle()
        stage.resume(campaign)
        time.sleep(WARM_SECONDS)
        begun, before = stage.now(), _sent(campaign)
        time.sleep(SECONDS)
        ended, after = stage.now(), _sent(campaign)
        if after == rows:
            raise stage.Stuck(f"{rows} messages were too few")
    return (after - before) / (ended - begun)


def _sent(campaign: Campaign) -> int:
    return CampaignProgress.objects.values_list("sent", flat=True).get(pk=campaign.pk)
