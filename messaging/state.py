"""What goes on, as operators want to know it: read in a few milliseconds beside any number of messages.

The messages' own table is never counted: the counts that the triggers keep are added up, one row a campaign, and the
few rows of batches say what waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Sum

from campaigns.models import MESSAGE_STATUSES, Campaign, CampaignProgress
from campaigns.models import Status as CampaignStatus
from messaging import accounts, board, hooks, senders, unmatched

# More would take longer than a scrape should.
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Queue:
    """A provider's batches: due and free (and for how long the oldest), due later, of a campaign that does not send,
    leased, and leased by a worker that has fallen silent.
    """

    provider: str
    waiting: int = 0
    oldest_seconds: float = 0.0
    later: int = 0
    held: int = 0
    leased: int = 0
    ran_out: int = 0


@dataclass(frozen=True, slots=True)
class Door:
    """What came in: requests that wait to be worked off, for how long the oldest has, and those that could not be;
    receipts that are tried again, and those that name no message of ours. Each is counted up to `MOST_COUNTED`.
    """

    waiting: int
    oldest_seconds: float
    faulty: int
    early: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class State:
    """Everything; `notices` is None while Redis is away."""

    messages: Mapping[str, int]
    campaigns: Mapping[str, int]
    queues: Sequence[Queue]
    senders: Sequence[senders.Standing]
    notices: board.Notices | None
    door: Door


def read() -> State:
    """The state now. Raises the database's errors; a Redis that is away costs a second."""
    return State(_messages(), _campaigns(), _queues(), senders.standings(), board.read(), _door())


def _door() -> Door:
    events = hooks.waiting(MOST_COUNTED)
    return Door(events.events, events.oldest_seconds, events.faulty, *unmatched.counts(MOST_COUNTED))


def _messages() -> dict[str, int]:
    found = CampaignProgress.objects.aggregate(**{f"sum_{name}": Sum(name) for name in MESSAGE_STATUSES})
    return {name: found[f"sum_{name}"] or 0 for name in MESSAGE_STATUSES}


def _campaigns() -> dict[str, int]:
    counts = dict(Campaign.objects.order_by().values_list("status").annotate(Count("pk")))
    return {status.value: counts.get(status.value, 0) for status in CampaignStatus}


def _queues() -> list[Queue]:
    with connection.cursor() as cursor:
        cursor.execute(_QUEUES)
        found = {provider: Queue(provider, *facts) for provider, *facts in cursor.fetchall()}
    return [found.get(alias, Queue(alias)) for alias in sorted({*accounts.known(), *found})]


_QUEUES = """
SELECT provider,
    count(*) FILTER (WHERE free AND sends AND due),
    coalesce(max(extract(epoch FROM statement_timestamp() - due_at)) FILTER (WHERE free AND sends AND due), 0)::float8,
    count(*) FILTER (WHERE free AND sends AND NOT due),
    count(*) FILTER (WHERE free AND NOT sends),
    count(*) FILTER (WHERE leased_until >= statement_timestamp()),
    count(*) FILTER (WHERE leased_until < statement_timestamp())
FROM (
    SELECT batch.provider, batch.due_at, batch.leased_until, batch.lease IS NULL AS free,
        batch.due_at <= statement_timestamp() AS due, campaign.status = 'sending' AS sends
    FROM message_batches AS batch JOIN campaigns AS campaign ON campaign.id = batch.campaign_id
) AS batch
GROUP BY provider
"""
