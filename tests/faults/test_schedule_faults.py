"""Sends that collide, and scheduled campaigns whose bell rings or is lost."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.audience import listed
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from config import tokens
from messaging import dispatch
from tests import factories
from tests.faults.stack import Stack, customers, settled

pytestmark = pytest.mark.stack

CALLERS = 8


def send_from_all_sides(campaign: Campaign, body: dict[str, Any]) -> Counter[int]:
    """The status codes of so many calls of the API at the same moment, each from a thread of its own."""
    _row, token = tokens.create(factories.UserFactory.create(is_superuser=True), "test")
    together = threading.Barrier(CALLERS, timeout=10)

    def call(_: int) -> int:
        try:
            client = APIClient(headers={"Authorization": f"Bearer {token}"})
            together.wait()
            return client.post(f"/api/v1/campaigns/{campaign.pk}/send", body, format="json").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLERS) as callers:
        return Counter(callers.map(call, range(CALLERS)))


def in_seconds(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def seconds_late(campaign: Campaign) -> float:
    campaign.refresh_from_db()
    assert campaign.started_at is not None
    assert campaign.scheduled_at is not None
    return (campaign.started_at - campaign.scheduled_at).total_seconds()


@pytest.mark.parametrize("everybody", [False, True], ids=["a list", "everybody"])
def test_of_many_sends_of_a_draft_at_the_same_moment_one_wins(stack: Stack, everybody: bool) -> None:
    campaign = factories.CampaignFactory.create()
    found = customers(150)
    answers = send_from_all_sides(campaign, {"all": True} if everybody else {"customers": found})
    assert answers == {202: 1, 409: CALLERS - 1}

    stack.worker(threads=4)
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 150, "sent": 150}


def test_of_many_sends_of_a_scheduled_campaign_at_the_same_moment_one_wins(stack: Stack) -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=in_seconds(3600))
    answers = send_from_all_sides(campaign, {"customers": customers(150)})
    assert answers == {202: 1, 409: CALLERS - 1}
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED

    campaign.revise(scheduled_at=in_seconds(0))
    stack.worker(threads=4)
    stack.beat()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 150, "sent": 150}


def test_a_scheduled_campaign_starts_at_its_second_by_its_bell_alone(stack: Stack) -> None:
    stack.worker()
    stack.until_ready()
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=in_seconds(1.5))
    dispatch.send(campaign, listed(customers(150)), by=None)
    assert stack.accepted() == []
    stack.until_ended(campaign)
    assert 0 <= seconds_late(campaign) < 1
    assert settled(stack, campaign) == {"total": 150, "sent": 150}


def test_a_scheduled_campaign_whose_bell_was_lost_is_started_by_the_sweep(stack: Stack) -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=in_seconds(4))
    dispatch.send(campaign, listed(customers(150)), by=None)
    assert stack.broker.waiting("sweep") == 1
    stack.broker.flush()
    stack.worker()
    stack.beat()
    stack.until_ended(campaign)
    assert 0 <= seconds_late(campaign) < 1.5
    assert settled(stack, campaign) == {"total": 150, "sent": 150}
