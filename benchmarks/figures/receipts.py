"""Receipts from a vendor's POST to the message that moved, against a bare INSERT of the same events."""

import json
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from benchmarks import stage
from benchmarks.processes import Process, database, worker
from benchmarks.ratios import Figure, Round, Run
from messaging import accounts, senders
from messaging.models import HookEvent, OutboundMessage
from messaging.providers.simulator import Simulator

MOST_ROWS = 20_000
IN_ONE = 100
SECRET = "bench"  # noqa: S105 (nobody else's)
FIGURES = [
    Figure(
        "receipts_vs_insert", "receipts from POSTs of a hundred through gunicorn and a worker to the ledger",
        "one INSERT of the hundred raw events a POST, each committed, and nothing else", "receipts/s", at_least=0.3,
    ),
]  # fmt: skip


def measure(rows: int) -> Generator[Round, None, None]:
    """The door and the worker first, then the INSERTs with the same events."""
    rows = min(rows, MOST_ROWS) // IN_ONE * IN_ONE
    with door() as address, worker("simulator", Simulator, secret=SECRET, latency_seconds=0) as running:
        running.until_ready()
        while True:
            ids = sent(rows)
            bodies = bodies_of(ids)
            begun = stage.now()
            with knocking(address, bodies) as posting:
                posting.wait(stage.PATIENCE_SECONDS)
            seconds = until_worked_off(rows) - begun
            yield {"receipts_vs_insert": Run(rows / seconds, rows / _insert(ids), rows)}


@contextmanager
def door() -> Iterator[str]:
    """A web process as production starts it; the address of the simulator's door."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    simulator = {"BACKEND": "messaging.providers.simulator.Simulator", "OPTIONS": {"secret": SECRET}}
    argv = ["-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    argv += ["--workers", "1", "--threads", "8", "--no-control-socket"]
    environment = database() | {
        "MESSAGE_PROVIDERS": json.dumps({"simulator": simulator}), "MESSAGE_ROUTES": "sms=memory,whatsapp=memory",
    }  # fmt: skip
    with Process(argv, environment):
        stage.until(lambda: _answers(port), "the web process answers")
        yield f"http://127.0.0.1:{port}/hooks/simulator/{accounts.hook_token('simulator')}"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sent(rows: int) -> list[int]:
    """The messages of a campaign that the simulator has just taken, as the ledger has them."""
    stage.clear()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE hook_events, unmatched_receipts")
    senders.ensure()
    campaign = stage.launched(rows, "simulator")
    stage.deliver(campaign)
    stage.settle()
    return list(OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("id", flat=True))


def bodies_of(ids: Sequence[int]) -> Path:
    """A file with a body a line: a hundred receipts, each `delivered`."""
    path = Path(settings.CLARION_VAR) / "receipts.jsonl"
    receipts = [{"reference": str(pk), "status": "delivered", "at": "2026-01-01T12:00:00+00:00"} for pk in ids]
    with path.open("w") as bodies:
        for first in range(0, len(receipts), IN_ONE):
            bodies.write(json.dumps({"receipts": receipts[first : first + IN_ONE]}) + "\n")
    return path


def knocking(address: str, bodies: Path) -> Process:
    """A process that posts them."""
    return Process(["-m", "benchmarks.knocking", address, str(bodies)], {"BENCH_SECRET": SECRET})


def until_worked_off(rows: int) -> float:
    """Wait until all is applied; when that was, by the database's clock."""
    wanted = rows // IN_ONE
    stage.until(lambda: HookEvent.objects.exclude(done_at=None).count() == wanted, "all receipts are worked off")
    if (moved := OutboundMessage.objects.filter(status="delivered").count()) != rows:
        raise stage.Stuck(f"{moved} of {rows} messages were delivered")
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM max(done_at))::float8 FROM hook_events")
        return float(cursor.fetchone()[0])


def _insert(ids: Sequence[int]) -> float:
    """Write each receipt as an event of its own, a hundred a statement and a commit; seconds."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE hook_events")
    events = [
        json.dumps({"reference": str(pk), "status": "delivered", "at": "2026-01-01T12:00:00+00:00"}) for pk in ids
    ]
    stage.settle()
    begun = time.monotonic()
    for first in range(0, len(events), IN_ONE):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO hook_events (alias, method, headers, body, digest)"
                " SELECT 'simulator', 'POST', '{}', body::bytea, sha256(body::bytea) FROM unnest(%s::text[]) AS body",
                [events[first : first + IN_ONE]],
            )
    return time.monotonic() - begun
