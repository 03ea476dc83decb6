"""Redis that forgets everything, dies, or is not there: it is only the doorbell."""

import time

import pytest

from campaigns.audience import Everybody, listed
from messaging import dispatch
from messaging.models import Status
from tests import factories
from tests.faults.stack import Stack, customers, ids, settled

pytestmark = pytest.mark.stack


def test_a_campaign_ends_although_redis_forgets_everything_again_and_again(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.05}
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(1_500)), by=None)
    assert stack.broker.waiting("deliver") > 0
    stack.broker.flush()
    assert stack.broker.waiting("deliver") == 0
    assert len(ids(campaign, Status.PENDING)) == 1_500

    stack.worker()
    stack.beat()
    stack.until(stack.accepted, "the sweep finds what no bell announces")
    for _ in range(5):
        stack.broker.flush()
        time.sleep(0.1)
    assert len(ids(campaign, Status.PENDING)) > 500
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 1_500, "sent": 1_500}


def test_a_launch_to_everybody_whose_bell_was_lost_is_written_and_sent_all_the_same(stack: Stack) -> None:
    customers(1_200)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    assert stack.broker.waiting("launch") == 1
    stack.broker.flush()
    stack.worker()
    stack.beat()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 1_200, "sent": 1_200}


def test_a_campaign_ends_although_redis_is_killed_and_started_again_while_it_sends(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.1}
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(1_000)), by=None)
    stack.worker()
    stack.beat()
    stack.until(lambda: len(stack.accepted()) >= 100, "some are accepted")
    stack.broker.kill()
    time.sleep(1)
    assert len(ids(campaign, Status.PENDING)) > 100
    stack.broker.start()

    def sent() -> bool:
        stack.supervise()
        campaign.refresh_from_db()
        return campaign.ended_at is not None

    stack.until(sent, "the campaign ends", 30)
    assert settled(stack, campaign) == {"total": 1_000, "sent": 1_000}


def test_a_send_while_redis_is_away_answers_at_once_and_is_delivered_when_it_is_back(stack: Stack) -> None:
    found = customers(150)
    stack.broker.kill()
    campaign = factories.CampaignFactory.create()
    begun = time.monotonic()
    dispatch.send(campaign, listed(found), by=None)
    assert time.monotonic() - begun < 2
    stack.worker()
    stack.beat()
    time.sleep(2)  # both find no broker when they start
    assert stack.accepted() == []
    stack.broker.start()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 150, "sent": 150}
