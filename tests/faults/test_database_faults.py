"""A database that drops its connections or is away, seen from the workers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from campaigns.audience import listed
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging import dispatch
from messaging.alerts import Code
from messaging.models import Alert, MessageBatch, Status
from tests import factories
from tests.faults.stack import Stack, customers, database_url, ids, settled

pytestmark = pytest.mark.stack


def drop_connections() -> int:
    """End every session of the test database but this test's own, as a restart does; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        [count] = cursor.fetchone()
        return int(count)


def hold_a_slice(stack: Stack, count: int) -> Campaign:
    """A campaign to this many with its first slice on the wire and the answer held back; one thread and a clock run."""
    stack.command("hold")
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(count)), by=None)
    stack.worker(threads=1)
    stack.beat()
    stack.until((stack.commands / "held").exists, "a slice is on the wire")
    assert len(ids(campaign, Status.SENDING)) == 20
    return campaign


@contextmanager
def database_away() -> Iterator[None]:
    """Nobody else can connect to the test database, and everybody else is thrown out."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(database_url().rpartition("/")[0] + "/postgres", autocommit=True) as elsewhere:
        elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            drop_connections()
            yield
        finally:
            elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_connections_that_break_again_and_again_lose_nothing_and_double_nothing(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.3}
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(1_000)), by=None)
    stack.worker(threads=8)  # of which four deliver
    stack.beat()
    stack.until(lambda: len(stack.accepted()) >= 40, "some are accepted")
    dropped = 0
    for _ in range(6):
        dropped += drop_connections()
        time.sleep(0.2)
    assert dropped > 10
    assert len(ids(campaign, Status.PENDING)) > 100
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 1_000, "sent": 1_000}


def test_answers_that_come_while_the_database_is_away_are_written_when_it_is_back(stack: Stack) -> None:
    campaign = hold_a_slice(stack, 300)
    with database_away():
        (stack.commands / "hold").unlink()
        time.sleep(1.5)
        assert len(stack.accepted()) == 20, "nothing leaves while nothing can be marked"
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 300, "sent": 300}


def test_a_provider_that_stops_the_account_while_the_database_is_away_leaves_nothing_unknown(stack: Stack) -> None:
    stack.command("broke")
    campaign = hold_a_slice(stack, 150)
    with database_away():
        (stack.commands / "hold").unlink()
        time.sleep(1.5)
    stack.until(lambda: Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.PAUSED), "the campaign pauses")
    stack.until(lambda: not MessageBatch.objects.exclude(lease=None), "the batch is handed back")
    assert settled(stack, campaign) == {"total": 150, "pending": 150}
    assert stack.accepted() == []
    stack.until(Alert.objects.exists, "somebody is told")
    assert list(Alert.objects.values_list("campaign", "code")) == [(campaign.pk, Code.PROVIDER_STOPPED)]


def test_a_bell_that_finds_the_database_away_is_answered_when_it_is_back_without_any_sweep(stack: Stack) -> None:
    campaign = factories.CampaignFactory.create()
    found = customers(150)
    stack.worker()
    stack.until_ready()
    with database_away():
        dispatch.send(campaign, listed(found), by=None)
        stack.until(lambda: not stack.broker.waiting("deliver"), "the bell is heard")
        time.sleep(1.5)
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 150, "sent": 150}
