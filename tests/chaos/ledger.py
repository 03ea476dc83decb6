"""Reads the ledger from PostgreSQL as an onlooker: what is on the wire, what the equation says, how it ended."""

from collections.abc import Collection, Sequence
from typing import Any

import psycopg

STATUSES = ("pending", "sending", "sent", "delivered", "read", "failed", "unknown", "skipped", "cancelled")


class Away(Exception):
    """PostgreSQL does not answer."""


class Ledger:
    """A connection of its own, made anew when it was lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.samples = 0
        self.broken: list[str] = []
        self._connection: psycopg.Connection[Any] | None = None

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement; raises `Away`."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
            return self._connection.execute(query, values).fetchall()
        except psycopg.OperationalError as fault:
            self.close()
            raise Away from fault

    def close(self) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_the_wire(self, workers: Collection[str] | None = None) -> int:
        """How many messages are `sending` in the leases of these workers, or of all."""
        [[count]] = self.ask(_ON_THE_WIRE, workers is None, list(workers or ()))
        return int(count)

    def left(self) -> int:
        """How many messages are still to go out, those that launches have not written yet among them."""
        [[count]] = self.ask(
            "SELECT coalesce(sum(p.pending + p.sending + greatest(c.expected - p.total, 0)), 0)"
            " FROM campaign_progress p JOIN campaigns c ON c.id = p.campaign_id WHERE c.ended_at IS NULL"
        )
        return int(count)

    def sample(self, *, everything: bool = False) -> None:
        """Compare counts and rows in one statement, of the campaigns that move or of all, and remember what differs."""
        for campaign_id, counts, rows in self.ask(_COMPARE, everything):
            self.broken.append(f"campaign {campaign_id}: the counts are {counts} and the rows {rows}")
        self.samples += 1

    def rows(self) -> dict[int, str]:
        """The status of every message."""
        return dict(self.ask("SELECT id, status FROM outbound_messages"))

    def unknown(self, campaign_id: int) -> list[int]:
        """Its unknown messages."""
        found = self.ask("SELECT id FROM outbound_messages WHERE campaign_id = %s AND status = 'unknown'", campaign_id)
        return [message for (message,) in found]

    def campaigns(self, *statuses: str) -> list[int]:
        """The campaigns in one of these statuses that have an audience."""
        return [
            campaign_id
            for (campaign_id,) in self.ask(
                "SELECT id FROM campaigns WHERE status = ANY(%s) AND audience IS NOT NULL ORDER BY id", list(statuses)
            )
        ]

    def unwritten(self) -> int:
        """How many rows launches promised and never wrote."""
        [[count]] = self.ask(
            "SELECT coalesce(sum(greatest(c.expected - p.total, 0)), 0)"
            " FROM campaign_progress p JOIN campaigns c ON c.id = p.campaign_id"
        )
        return int(count)

    def summary(self) -> Sequence[tuple[Any, ...]]:
        """How many messages ended with which status, reason and error."""
        return self.ask(
            "SELECT status, coalesce(reason, ''), count(*) FROM outbound_messages GROUP BY 1, 2 ORDER BY 3 DESC"
        )


_ON_THE_WIRE = """
SELECT count(*) FROM message_batches AS batch JOIN outbound_messages AS message
    ON message.campaign_id = batch.campaign_id AND message.id BETWEEN batch.first_id AND batch.last_id
WHERE batch.lease IS NOT NULL AND message.status = 'sending' AND (%s OR batch.worker = ANY(%s))
"""
_COUNTS = ", ".join(f"progress.{name}" for name in ("total", *STATUSES))
_COUNTED = ", ".join(
    ["coalesce(sum(n), 0)", *(f"coalesce(sum(n) FILTER (WHERE status = '{name}'), 0)" for name in STATUSES)]
)
_COMPARE = f"""
SELECT campaign_id, counts, rows FROM (
    SELECT progress.campaign_id, ARRAY[{_COUNTS}]::bigint[] AS counts, (
        SELECT ARRAY[{_COUNTED}]::bigint[] FROM (
            SELECT status, count(*) AS n FROM outbound_messages AS message
            WHERE message.campaign_id = progress.campaign_id GROUP BY status
        ) AS grouped
    ) AS rows
    FROM campaign_progress AS progress JOIN campaigns AS campaign ON campaign.id = progress.campaign_id
    WHERE %s OR campaign.status IN ('sending', 'paused')
) AS compared WHERE counts IS DISTINCT FROM rows
"""
