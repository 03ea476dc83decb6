"""Retry and settle in the admin: they say how many people first, and do it only when confirmed."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign
from messaging.models import OutboundMessage
from messaging.providers.base import GiveUp, Outcome, Unknown
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests.admin.conftest import MARKETING, client_with
from tests.admin.pages import buttons, dialog, hidden, snapshot, text
from tests.factories import CampaignFactory, CustomerFactory
from tests.messaging.driving import deliver_due, sending_campaign, stats

pytestmark = pytest.mark.django_db


def ended(outbox: Memory, outcome: Outcome | None = None, count: int = 3) -> Campaign:
    campaign = sending_campaign(count)
    if outcome:
        outbox.answer = lambda _envelope: outcome
    deliver_due()
    outbox.clear()
    campaign.refresh_from_db()
    return campaign


FAILED, LOST = GiveUp("no such number"), Unknown("no answer")


def test_a_button_is_there_only_when_there_is_something_to_do(marketer: Client, outbox: Memory) -> None:
    assert buttons(marketer, ended(outbox)) == {"preview"}
    assert buttons(marketer, ended(outbox, FAILED)) == {"preview", "retry"}
    assert buttons(marketer, ended(outbox, LOST)) == {"preview", "settle"}


def test_who_may_not_send_is_offered_neither(outbox: Memory) -> None:
    editor = client_with([name for name in MARKETING if name != "campaigns.send_campaign"])
    campaign = ended(outbox, FAILED)
    assert buttons(editor, campaign) == {"preview"}
    assert editor.post(dialog(campaign, "retry"), {"reasons": "rejected", "_confirmed": "1"}).status_code == 403
    assert stats(campaign) == {"failed": 3}


def test_retry_offers_the_reasons_with_their_counts_and_does_only_the_chosen(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, FAILED)
    first = OutboundMessage.objects.order_by("id")[0]
    OutboundMessage.objects.filter(pk=first.pk).update(reason=Reason.NOT_ACCEPTED)
    shown = text(marketer.get(dialog(campaign, "retry")))
    assert f"{Reason.REJECTED.label} (2)" in shown
    assert f"{Reason.NOT_ACCEPTED.label} (1)" in shown
    before = snapshot(campaign)

    reviewed = marketer.post(dialog(campaign, "retry"), {"reasons": ["rejected"]})

    assert "2 messages that failed are sent again, with the same texts." in text(reviewed)
    assert "People who have opted out meanwhile are skipped." in text(reviewed)
    assert "expired" not in text(reviewed)
    assert snapshot(campaign) == before
    done = marketer.post(dialog(campaign, "retry"), hidden(reviewed), follow=True)
    assert "2 messages are queued." in text(done)
    assert stats(campaign) == {"pending": 2, "failed": 1}


def test_all_reasons_are_ticked_and_confirmed_together(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, FAILED)
    first = OutboundMessage.objects.order_by("id")[0]
    OutboundMessage.objects.filter(pk=first.pk).update(reason=Reason.EXPIRED)
    assert marketer.get(dialog(campaign, "retry")).content.decode().count("checked") >= 2

    reviewed = marketer.post(dialog(campaign, "retry"), {"reasons": ["rejected", "expired"]})
    marketer.post(dialog(campaign, "retry"), hidden(reviewed))

    assert stats(campaign) == {"pending": 3}


@pytest.mark.parametrize("reasons", [[], ["no_answer"], ["expired"], ["nonsense"]])
def test_a_retry_of_nothing_that_failed_is_refused(marketer: Client, outbox: Memory, reasons: list[str]) -> None:
    campaign = ended(outbox, FAILED)
    before = snapshot(campaign)

    response = marketer.post(dialog(campaign, "retry"), {"reasons": reasons, "_confirmed": "1"})

    assert response.status_code == 200
    assert snapshot(campaign) == before


def test_it_says_when_a_retry_would_come_too_late(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, FAILED)
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=timezone.now() - timedelta(hours=1))

    reviewed = marketer.post(dialog(campaign, "retry"), {"reasons": ["rejected"]})

    assert "the campaign has expired" in text(reviewed)


def test_a_resend_says_that_people_may_get_it_twice(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, LOST, count=2)
    before = snapshot(campaign)

    reviewed = marketer.post(dialog(campaign, "settle"), {"unknown": "resend"})

    assert "They may have arrived: 2 people may get them twice." in text(reviewed)
    assert "still being asked" not in text(reviewed)
    assert snapshot(campaign) == before
    done = marketer.post(dialog(campaign, "settle"), hidden(reviewed), follow=True)
    assert "2 messages are queued." in text(done)
    assert stats(campaign) == {"pending": 2}


def test_it_says_when_the_provider_is_still_being_asked(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, LOST, count=1)
    OutboundMessage.objects.update(due_at=timezone.now())

    reviewed = marketer.post(dialog(campaign, "settle"), {"unknown": "resend"})

    assert "The provider is still being asked about 1 of them" in text(reviewed)


def test_to_leave_them_changes_nothing_and_says_so(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, LOST, count=2)
    before = snapshot(campaign)

    reviewed = marketer.post(dialog(campaign, "settle"), {"unknown": "leave"})
    assert "2 messages stay unknown." in text(reviewed)
    done = marketer.post(dialog(campaign, "settle"), hidden(reviewed), follow=True)

    assert "2 messages stay unknown." in text(done)
    assert snapshot(campaign) == before


def test_of_two_people_who_confirm_one_wins_and_the_other_is_told(marketer: Client, outbox: Memory) -> None:
    campaign = ended(outbox, FAILED)
    reviewed = hidden(marketer.post(dialog(campaign, "retry"), {"reasons": ["rejected"]}))

    marketer.post(dialog(campaign, "retry"), reviewed)
    second = marketer.post(dialog(campaign, "retry"), reviewed, follow=True)

    assert "is not possible: the campaign is sending." in text(second)
    assert stats(campaign) == {"pending": 3}


def test_a_schedule_after_the_expiry_is_refused_with_a_sentence(marketer: Client) -> None:
    now = timezone.localtime()
    campaign = CampaignFactory.create(expires_at=now + timedelta(hours=1))
    CustomerFactory.create()
    at = f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M}"

    reviewed = marketer.post(dialog(campaign, "schedule"), {"at": at, "to": "all"})
    assert "The campaign expires on" in text(reviewed)
    forced = marketer.post(dialog(campaign, "schedule"), {"at": at, "to": "all", "_confirmed": "1"})

    assert forced.status_code == 302
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == ("draft", None)
