"""The state that operators read, and its cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from messaging import board, leases, state
from messaging.models import MessageBatch
from messaging.providers.base import Accepted
from messaging.providers.memory import Memory
from messaging.state import Queue
from tests.factories import CampaignFactory
from tests.messaging.driving import deliver_due, expire_leases, sending_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox", "empty_board")]


def queue(provider: str = "memory") -> Queue:
    [found] = [each for each in state.read().queues if each.provider == provider]
    return found


def make_batch(campaign: Campaign, first_id: int, **fields: Any) -> None:
    MessageBatch.objects.create(campaign=campaign, provider="memory", first_id=first_id, last_id=first_id + 9, **fields)


def test_messages_and_campaigns_are_counted_by_status_over_all_campaigns() -> None:
    sending_campaign(3)
    deliver_due()
    sending_campaign(2)
    CampaignFactory.create()

    found = state.read()

    assert {name: count for name, count in found.messages.items() if count} == {"sent": 3, "pending": 2}
    assert {name: count for name, count in found.campaigns.items() if count} == {"sent": 1, "sending": 1, "draft": 1}
    assert set(found.campaigns) >= {"paused", "failed", "cancelled", "scheduled"}


def test_every_configured_provider_has_its_queue_also_when_it_is_empty(settings: Any) -> None:
    assert [each.provider for each in state.read().queues] == sorted(settings.MESSAGE_PROVIDERS)
    assert queue() == Queue("memory")


def test_the_age_is_that_of_the_oldest_due_batch_that_nobody_has() -> None:
    campaign = sending_campaign()
    MessageBatch.objects.update(due_at=Now() - timedelta(seconds=40))
    make_batch(campaign, 10_000_000, due_at=Now() - timedelta(seconds=90))
    make_batch(campaign, 20_000_000, due_at=Now() + timedelta(seconds=60))

    found = queue()

    assert (found.waiting, found.later) == (2, 1)
    assert 89 < found.oldest_seconds < 95


def test_leased_batches_and_those_of_a_paused_campaign_do_not_make_the_queue_old() -> None:
    paused = sending_campaign()
    MessageBatch.objects.update(due_at=Now() - timedelta(hours=1))
    paused.pause()
    sending_campaign()
    assert leases.take()

    found = queue()

    assert (found.waiting, found.oldest_seconds, found.held, found.leased, found.ran_out) == (0, 0, 1, 1, 0)


def test_a_lease_that_ran_out_is_told_apart() -> None:
    sending_campaign()
    assert leases.take()
    expire_leases()
    assert (queue().leased, queue().ran_out) == (0, 1)


def test_a_batch_of_an_alias_that_is_no_longer_configured_is_still_seen() -> None:
    sending_campaign()
    MessageBatch.objects.update(provider="former")
    assert queue("former").waiting == 1


def test_the_notices_are_part_of_it_and_none_without_redis(settings: Any, nobody_listens: int) -> None:
    board.tally("memory", [Accepted("1")], 0.1)
    found = state.read().notices
    assert found is not None
    assert found.outcomes == {("memory", "accepted"): 1}

    settings.REDIS_URL = f"redis://127.0.0.1:{nobody_listens}/0"
    sending_campaign()
    found_without = state.read()
    assert found_without.notices is None
    assert found_without.messages["pending"] == 3


def test_the_messages_own_table_is_never_read_and_the_queries_are_few(outbox: Memory) -> None:
    for _ in range(3):
        sending_campaign()
    with CaptureQueriesContext(connection) as queries:
        state.read()
    assert len(queries) == 7
    assert not [query for query in queries.captured_queries if "outbound_messages" in query["sql"]]
