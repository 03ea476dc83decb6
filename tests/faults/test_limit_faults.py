"""An account's limit over several workers: kept, changed while they run, and kept without Redis."""

import json
import time

import pytest

from campaigns.audience import listed
from campaigns.models import Campaign
from messaging import dispatch
from messaging.models import Sender
from tests import factories
from tests.faults.stack import ALIAS, Stack, customers, settled

pytestmark = pytest.mark.stack


def limit(rate: float) -> None:
    Sender.objects.update_or_create(alias=ALIAS, defaults={"rate": rate})


def begin(stack: Stack, count: int) -> Campaign:
    """A campaign on its way through two workers."""
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(count)), by=None)
    stack.beat()
    stack.worker(threads=4)
    stack.worker(threads=4)
    stack.until(stack.accepted, "they deliver")
    return campaign


def accepted_at(stack: Stack) -> list[float]:
    """When the provider accepted each message, by its own clock."""
    return sorted(json.loads(line)["at"] for line in stack.provider_log.read_text().splitlines())


def most_in_a_second(times: list[float]) -> int:
    """How many lie in the fullest second, wherever it begins."""
    return max(sum(1 for at in times if first <= at < first + 1) for first in times)


def test_two_workers_together_keep_the_limit_and_use_it(stack: Stack) -> None:
    limit(60)
    campaign = begin(stack, 240)
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 240, "sent": 240}
    times = accepted_at(stack)
    # One more than the limit is the provider's own way of answering late; a burst at an edge would be twice as many.
    assert most_in_a_second(times) <= 61
    assert times[-1] - times[0] < 5 * 240 / 60  # however slow the machine


def test_a_new_rate_holds_within_two_seconds(stack: Stack) -> None:
    limit(10)
    campaign = begin(stack, 300)
    time.sleep(2)
    limit(400)
    changed = time.time()
    stack.until_ended(campaign)
    times = accepted_at(stack)
    assert most_in_a_second([at for at in times if at < changed]) <= 11
    assert sum(1 for at in times if changed < at < changed + 2) > 100


def test_without_redis_the_limit_is_kept(stack: Stack) -> None:
    limit(30)
    campaign = begin(stack, 200)
    stack.broker.kill()
    lost = time.time()
    time.sleep(2)
    times = [at for at in accepted_at(stack) if at > lost]
    assert most_in_a_second([*times, lost]) <= 31
    stack.broker.start()
    for _ in range(60):
        stack.supervise()
        campaign.refresh_from_db()
        if campaign.ended_at:
            break
        time.sleep(0.5)
    assert settled(stack, campaign) == {"total": 200, "sent": 200}
