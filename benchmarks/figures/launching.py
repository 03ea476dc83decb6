"""A launch against the fastest way there is to fill the same table: COPY of rows that are already finished."""

import time
from collections.abc import Generator

from django.db import connection

from benchmarks import stage
from benchmarks.ratios import Figure, Round, Run

COLUMNS = "id, campaign_id, customer_id, status, reason, address, rendered_content, parts"
FIGURES = [
    Figure(
        "ledger_vs_copy",
        "a launch: read the audience, render, write rows with all keys and indexes",
        "COPY of the same finished rows into the same table",
        "rows/s",
        at_least=0.9,
    )
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Both into an empty table, just after a checkpoint."""
    while True:
        stage.clear()
        campaign = stage.paused(rows)
        stage.settle()
        launch = stage.launch(campaign, "instant")
        finished = _finished()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE outbound_messages")
        stage.settle()
        copy = _copy(finished)
        yield {"ledger_vs_copy": Run(rows / launch, rows / copy, rows)}


def _finished() -> list[memoryview | bytes]:
    query = f"COPY (SELECT {COLUMNS} FROM outbound_messages ORDER BY id) TO STDOUT"  # noqa: S608
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = b"".join(map(bytes, copy))
    return [text[at : at + 65_536] for at in range(0, len(text), 65_536)]


def _copy(blocks: list[memoryview | bytes]) -> float:
    begun = time.monotonic()
    with connection.cursor() as cursor, cursor.copy(f"COPY outbound_messages ({COLUMNS}) FROM STDIN") as copy:
        for block in blocks:
            copy.write(block)
    return time.monotonic() - begun
