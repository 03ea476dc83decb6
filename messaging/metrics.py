"""The state in Prometheus's words, read when it is scraped: right with any number of web processes and workers."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from messaging import state
from messaging.board import BUCKETS, Notices
from messaging.senders import Standing
from messaging.state import Door, Queue, State


def text() -> bytes:
    """The metrics now, in the text format 0.0.4. Raises the database's errors; Redis's families are left out while it
    is away.
    """
    return generate_latest(_registry)


class _StateCollector(Collector):
    """Reads the state once a scrape."""

    def collect(self) -> Iterable[Metric]:
        return families(state.read())


# None of the client's own metrics: those of one web process of many would tell nothing.
_registry = CollectorRegistry()
_registry.register(_StateCollector())


def families(now: State) -> Iterator[Metric]:
    """Every family; those that Redis keeps only while it answers."""
    yield _gauge("messages", "Messages in the ledger.", "status", now.messages)
    yield _gauge("campaigns", "Campaigns.", "status", now.campaigns)
    yield from _of_queues(now.queues)
    yield from _of_senders(now.senders)
    yield from _of_door(now.door)
    yield _gauge("broker_up", "Whether Redis answered.", "", {"": int(now.notices is not None)})
    if now.notices is not None:
        yield from _of_notices(now.notices)


def _of_queues(queues: Iterable[Queue]) -> Iterator[Metric]:
    oldest = {queue.provider: queue.oldest_seconds for queue in queues}
    yield _gauge("queue_age_seconds", "For how long the oldest due batch has been waiting.", "provider", oldest)
    batches = GaugeMetricFamily("clarion_batches", "Batches of messages.", labels=["provider", "state"])
    for queue in queues:
        for name in ("waiting", "later", "held", "leased", "ran_out"):
            batches.add_metric([queue.provider, name], getattr(queue, name))
    yield batches


def _of_senders(standings: Iterable[Standing]) -> Iterator[Metric]:
    limited = {each.alias: each.rate for each in standings if each.rate is not None}
    yield _gauge("sender_rate", "Parts a second allowed; absent without a limit.", "sender", limited)
    waits = {each.alias: each.wait_seconds for each in standings}
    yield _gauge("sender_wait_seconds", "For how long the limiter lets nothing more out.", "sender", waits)
    failures = {each.alias: each.failures for each in standings}
    yield _gauge("sender_failures", "Messages in a row that came to nothing.", "sender", failures)
    held = GaugeMetricFamily("clarion_sender_held_seconds", "For how long it is still held.", labels=["sender", "hold"])
    for each in standings:
        for hold in ("throttled", "breaker"):
            held.add_metric([each.alias, hold], each.held_seconds if each.hold == hold else 0)
    yield held


def _of_door(door: Door) -> Iterator[Metric]:
    yield _gauge("hook_events_waiting", "Received requests that wait to be worked off.", "", {"": door.waiting})
    yield _gauge(
        "hook_events_age_seconds", "For how long the oldest of them has waited.", "", {"": door.oldest_seconds}
    )
    yield _gauge("hook_events_faulty", "Received requests that could not be worked off.", "", {"": door.faulty})
    found = {"tried_again": door.early, "kept": door.unmatched}
    yield _gauge("unmatched_receipts", "Receipts that name no message, up to 10,000.", "state", found)


def _of_notices(notices: Notices) -> Iterator[Metric]:
    outcomes = CounterMetricFamily(
        "clarion_provider_outcomes", "What providers answered, message by message.", labels=["provider", "outcome"]
    )
    for (alias, name), count in sorted(notices.outcomes.items()):
        outcomes.add_metric([alias, name], count)
    yield outcomes
    refusals = CounterMetricFamily(
        "clarion_hook_refusals", "Requests that the door did not take.", labels=["provider", "why"]
    )
    for (alias, why), count in sorted(notices.refusals.items()):
        refusals.add_metric([alias, why], count)
    yield refusals
    calls = HistogramMetricFamily(
        "clarion_provider_call_seconds", "How long calls to providers took.", labels=["provider"]
    )
    for alias, latency in sorted(notices.latencies.items()):
        ends = [*map(str, BUCKETS), "+Inf"]
        sums = [sum(latency.counts[: n + 1]) for n in range(len(ends))]
        calls.add_metric([alias], list(zip(ends, sums, strict=True)), latency.seconds)
    yield calls
    alive = [worker for worker in notices.workers if worker.is_alive]
    yield _gauge("workers", "Workers that gave a sign of life lately.", "", {"": len(alive)})
    yield _gauge("worker_threads", "Threads of these workers.", "", {"": sum(worker.threads for worker in alive)})
    silent = {worker.process: worker.silent_seconds for worker in notices.workers}
    yield _gauge("worker_silent_seconds", "Since a worker's last sign of life.", "worker", silent)
    yield _gauge("clock_silent_seconds", "Since beat last rang, and since a sweep last ran.", "clock", notices.clocks)


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"clarion_{name}", help_text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
