"""A message that stops its account again and again comes to an end; an account that is broken costs nobody anything."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.audience import listed
from campaigns.models import Campaign
from messaging import accounts, dispatch, second_chances, senders
from messaging.models import OutboundMessage
from messaging.providers.base import Accepted, Capabilities, Envelope, GiveUp, Outcome, StopAll, TryLater
from messaging.providers.memory import Memory, accept
from messaging.verdicts import to_blame
from tests import factories
from tests.messaging.driving import deliver_due, sending_campaign, stats

pytestmark = pytest.mark.django_db


def stopping_at(*numbers: str) -> Callable[[Envelope], Outcome]:
    """A vendor that takes everybody but these, for whom it says that the account is broken."""
    return lambda envelope: StopAll("401 for this one") if envelope.to in numbers else accept(envelope)


def broken(_: Envelope) -> Outcome:
    return StopAll("no credit")


def numbers(campaign: Campaign) -> list[str]:
    return list(OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("address", flat=True))


def resume(campaign: Campaign) -> None:
    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == ("paused", "provider_stopped")
    campaign.resume()
    deliver_due()
    campaign.refresh_from_db()


def only(campaign: Campaign, number: str) -> OutboundMessage:
    return OutboundMessage.objects.get(campaign=campaign, address=number)


def test_a_message_that_stopped_its_account_twice_is_failed_and_the_campaign_gets_on(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "capabilities", Capabilities(in_flight=3))
    campaign = sending_campaign(10)
    poison = numbers(campaign)[0]
    outbox.answer = stopping_at(poison)
    deliver_due()
    assert stats(campaign) == {"sent": 2, "pending": 8}
    assert only(campaign, poison).stops == 1

    resume(campaign)

    assert campaign.status == "sent"
    assert stats(campaign) == {"sent": 9, "failed": 1}
    message = only(campaign, poison)
    assert (message.status, message.reason, message.last_error) == ("failed", "stops_account", "401 for this one")
    assert [envelope.to for envelope in outbox.outbox].count(poison) == 2


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_simulators_number_that_stops_the_account_ends_as_its_page_says(place: int, settings: Any) -> None:
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {
        "simulated": {"BACKEND": "messaging.providers.simulator.Simulator", "OPTIONS": {"latency_seconds": 0.0}}
    }
    senders.ensure()
    accounts.forget()
    phones = ["+254712340001", "+254712340002"]
    phones.insert(place, "+254712349998")
    ids = [factories.CustomerFactory.create(phone=phone).pk for phone in phones]
    campaign = factories.CampaignFactory.create(sender="simulated")
    dispatch.send(campaign, listed(ids), by=None)
    deliver_due()

    resume(campaign)

    assert campaign.status == "sent"
    assert stats(campaign) == {"sent": 2, "failed": 1}
    assert only(campaign, "+254712349998").reason == "stops_account"


@pytest.mark.parametrize("last", [1, 2])
def test_such_messages_come_to_an_end_also_when_nothing_else_is_left(outbox: Memory, last: int) -> None:
    campaign = sending_campaign(4)
    poison = numbers(campaign)[-last:]
    outbox.answer = stopping_at(*poison)
    deliver_due()

    for failed in range(1, last + 1):
        resume(campaign)
        assert stats(campaign).get("failed", 0) == failed

    assert campaign.status == "sent"
    assert stats(campaign) == {"sent": 4 - last, "failed": last}


def test_of_a_slow_account_whose_slices_are_one_message_it_is_told_by_those_before(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "capabilities", Capabilities(in_flight=1))
    campaign = sending_campaign(4)
    outbox.answer = stopping_at(numbers(campaign)[1])
    deliver_due()

    resume(campaign)

    assert stats(campaign) == {"sent": 3, "failed": 1}


def test_of_a_slow_account_that_breaks_one_message_is_lost_however_often_it_is_resumed(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "capabilities", Capabilities(in_flight=1))
    campaign = sending_campaign(6)
    outbox.answer = stopping_at(*numbers(campaign)[1:])
    deliver_due()
    OutboundMessage.objects.filter(status="sent").update(sent_at=timezone.now() - timedelta(minutes=5))

    for _ in range(5):
        resume(campaign)

    assert campaign.status == "paused"
    assert stats(campaign) == {"sent": 1, "failed": 1, "pending": 4}


def test_a_slow_account_that_took_nothing_lately_is_broken(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "capabilities", Capabilities(in_flight=1))
    campaign = sending_campaign(3)
    outbox.answer = broken
    deliver_due()

    for _ in range(3):
        resume(campaign)

    assert stats(campaign) == {"pending": 3}


def test_a_broken_account_pauses_at_every_resume_and_costs_nobody_their_message(outbox: Memory) -> None:
    outbox.answer = broken
    campaign = sending_campaign(6)
    deliver_due()

    for _ in range(5):
        resume(campaign)
        assert campaign.status == "paused"
        assert stats(campaign) == {"pending": 6}

    outbox.clear()
    resume(campaign)
    assert stats(campaign) == {"sent": 6}


def test_an_account_that_breaks_after_it_took_some_keeps_all_the_others(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credit that ends in the middle of a slice, and a resume before it is filled up."""
    monkeypatch.setattr(outbox, "capabilities", Capabilities(in_flight=4))
    campaign = sending_campaign(8)
    outbox.answer = stopping_at(*numbers(campaign)[2:])
    deliver_due()
    assert stats(campaign) == {"sent": 2, "pending": 6}
    outbox.answer = broken

    for _ in range(5):
        resume(campaign)
        assert stats(campaign) == {"sent": 2, "pending": 6}

    outbox.clear()
    resume(campaign)
    assert stats(campaign) == {"sent": 8}


def test_an_account_that_is_broken_when_only_suspects_are_left_costs_one_a_resume(outbox: Memory) -> None:
    campaign = sending_campaign(5)
    outbox.answer = stopping_at(*numbers(campaign)[2:])
    deliver_due()
    outbox.answer = broken

    resume(campaign)

    assert campaign.status == "paused"
    assert stats(campaign) == {"sent": 2, "failed": 1, "pending": 2}


def test_what_was_failed_so_begins_anew_when_its_owner_retries_it(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    poison = numbers(campaign)[0]
    outbox.answer = stopping_at(poison)
    deliver_due()
    resume(campaign)

    outbox.clear()
    second_chances.retry(campaign, by=None)
    deliver_due()

    assert stats(campaign) == {"sent": 3}
    assert only(campaign, poison).stops == 0


def test_a_retried_message_that_stops_the_account_again_pauses_first(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    poison = numbers(campaign)[0]
    outbox.answer = stopping_at(poison)
    deliver_due()
    resume(campaign)

    second_chances.retry(campaign, by=None)
    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert only(campaign, poison).status == "pending"


STOP, TAKEN = StopAll("401"), Accepted()


@pytest.mark.parametrize(
    ("outcomes", "stops", "blamed"),
    [
        ([STOP, TAKEN, TAKEN], [0, 0, 0], [0]),
        ([TAKEN, STOP, STOP], [0, 0, 1], [1, 2]),
        ([STOP, STOP], [0, 0], []),
        ([STOP, STOP], [1, 0], []),
        ([STOP, STOP], [1, 1], [0]),
        ([STOP, GiveUp("no such number"), TryLater("busy")], [1, 1, 1], []),
        ([TAKEN], [1], []),
    ],
)
def test_who_is_to_blame_is_told_by_whether_the_account_took_others(
    outcomes: list[Outcome], stops: list[int], blamed: Collection[int]
) -> None:
    assert [place for place, is_it in enumerate(to_blame(outcomes, stops)) if is_it] == list(blamed)
