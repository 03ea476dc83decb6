"""The campaign's moves: which are allowed, which are refused, and who wins when two come at once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign, CampaignProgress, IllegalTransition, Status
from tests import factories

pytestmark = pytest.mark.django_db

EVERYBODY = {"kind": "all"}

MOVES: dict[str, Callable[[Campaign], object]] = {
    "edit": lambda campaign: campaign.revise(name="Another"),
    "schedule": lambda campaign: campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1)),
    "send": lambda campaign: campaign.give_audience(EVERYBODY, by=None),
    "pause": lambda campaign: campaign.pause(),
    "resume": lambda campaign: campaign.resume(),
    "cancel": lambda campaign: campaign.cancel(),
    "unschedule": lambda campaign: campaign.unschedule(),
    "weigh": lambda campaign: campaign.revise(weight=5, expires_at=timezone.now() + timedelta(days=1)),
    "reopen": lambda campaign: campaign.reopen("retried"),
}

ALLOWED = {
    Status.DRAFT: {"edit", "schedule", "send", "cancel", "weigh"},
    Status.SCHEDULED: {"edit", "schedule", "send", "pause", "cancel", "unschedule", "weigh"},
    Status.SENDING: {"pause", "cancel", "weigh"},
    Status.PAUSED: {"resume", "cancel", "weigh"},
    Status.SENT: {"reopen", "weigh"},
    Status.FAILED: {"reopen", "weigh"},
    Status.CANCELLED: set[str](),
}


def campaign_that_is(status: Status) -> Campaign:
    """A campaign that came to this status by its own moves."""
    campaign = factories.CampaignFactory.create()
    match status:
        case Status.DRAFT:
            pass
        case Status.SCHEDULED:
            MOVES["schedule"](campaign)
        case Status.CANCELLED:
            campaign.cancel()
        case _:
            campaign.give_audience({"kind": "list"}, by=None)
    if status == Status.PAUSED:
        campaign.pause()
    if status in (Status.SENT, Status.FAILED):
        if status == Status.SENT:
            CampaignProgress.objects.filter(pk=campaign.pk).update(total=1, sent=1)
        assert campaign.complete()
    assert campaign.status == status
    return campaign


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("status", Status)
def test_a_move_is_made_where_it_is_allowed_and_refused_with_the_current_status_where_not(
    status: Status, move: str
) -> None:
    campaign = campaign_that_is(status)

    if move in ALLOWED[status]:
        MOVES[move](campaign)
        return
    with pytest.raises(IllegalTransition) as refused:
        MOVES[move](campaign)
    assert str(status.label) in str(refused.value)
    campaign.refresh_from_db()
    assert campaign.status == status


def test_a_move_on_a_stale_copy_is_decided_by_the_database() -> None:
    campaign = campaign_that_is(Status.SENDING)
    stale = Campaign.objects.get(pk=campaign.pk)
    campaign.cancel()

    with pytest.raises(IllegalTransition):
        stale.pause()

    assert stale.status == Status.CANCELLED


def test_a_time_makes_a_draft_scheduled_and_unscheduling_takes_it_away() -> None:
    campaign = factories.CampaignFactory.create()
    MOVES["schedule"](campaign)
    assert campaign.status == Status.SCHEDULED

    campaign.unschedule()
    assert (campaign.status, campaign.scheduled_at) == (Status.DRAFT, None)


def test_once_it_has_its_audience_only_name_and_time_can_change() -> None:
    campaign = campaign_that_is(Status.SCHEDULED)
    campaign.give_audience(EVERYBODY, by=None)

    campaign.revise(name="New name", scheduled_at=timezone.now() + timedelta(hours=2))
    with pytest.raises(IllegalTransition):
        campaign.revise(base_template="New text")
    with pytest.raises(IllegalTransition):
        campaign.revise(channel="whatsapp")

    campaign.refresh_from_db()
    assert (campaign.name, campaign.channel) == ("New name", "sms")


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"sent": 1}, "sent"),
        ({"delivered": 1}, "sent"),
        ({"read": 1}, "sent"),
        ({"unknown": 1}, "sent"),
        ({"failed": 1}, "failed"),
        ({"skipped": 1}, "failed"),
        ({}, "failed"),
        ({"failed": 5, "sent": 1}, "sent"),
    ],
)
def test_it_ends_as_sent_when_anybody_was_or_may_have_been_reached(counts: dict[str, int], status: str) -> None:
    campaign = campaign_that_is(Status.SENDING)
    CampaignProgress.objects.filter(pk=campaign.pk).update(total=sum(counts.values()), **counts)

    assert campaign.complete()

    assert campaign.status == status
    assert campaign.ended_at is not None
    assert not campaign.complete()


def test_a_reopened_campaign_sends_and_ends_again() -> None:
    campaign = campaign_that_is(Status.FAILED)

    campaign.reopen("retried")
    assert (campaign.status, campaign.reason, campaign.ended_at) == ("sending", "", None)
    CampaignProgress.objects.filter(pk=campaign.pk).update(total=1, sent=1)
    assert campaign.complete()

    assert campaign.status == "sent"
    assert campaign.ended_at is not None


@pytest.mark.parametrize("status", [Status.PAUSED, Status.SCHEDULED])
def test_one_that_expired_while_it_waited_ends_and_says_so(status: Status) -> None:
    campaign = campaign_that_is(status)
    if status == Status.SCHEDULED:
        campaign.give_audience({"kind": "list"}, by=None)
    assert not campaign.complete()
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    CampaignProgress.objects.filter(pk=campaign.pk).update(total=2, pending=1, skipped=1)
    assert not campaign.complete()
    CampaignProgress.objects.filter(pk=campaign.pk).update(pending=0, skipped=2)

    assert list(Campaign.objects.done()) == [campaign]
    assert campaign.complete()

    assert (campaign.status, campaign.reason) == ("failed", "expired")
    assert not list(Campaign.objects.done())


@pytest.mark.parametrize("first", ["scheduled_at", "expires_at"])
def test_of_two_edits_at_once_none_makes_it_expire_before_it_starts(first: str) -> None:
    start, end = timezone.now() + timedelta(hours=2), timezone.now() + timedelta(hours=1)
    campaign = factories.CampaignFactory.create()
    stale = Campaign.objects.get(pk=campaign.pk)
    times = {"scheduled_at": start, "expires_at": end}

    campaign.revise(**{first: times.pop(first)})
    with pytest.raises(IllegalTransition):
        stale.revise(**times)


@pytest.mark.parametrize("waiting", ["pending", "sending"])
def test_it_does_not_end_while_a_message_waits_or_is_on_the_wire(waiting: str) -> None:
    campaign = campaign_that_is(Status.SENDING)
    CampaignProgress.objects.filter(pk=campaign.pk).update(total=2, sent=1, **{waiting: 1})

    assert not campaign.complete()


def test_it_does_not_end_while_its_messages_are_still_being_written() -> None:
    campaign = factories.CampaignFactory.create()
    campaign.give_audience(EVERYBODY, by=None)
    assert campaign.launching

    assert not campaign.complete()


def test_pausing_remembers_why_and_resuming_forgets_it() -> None:
    campaign = campaign_that_is(Status.SENDING)
    campaign.pause(reason="provider_stopped")
    assert campaign.reason == "provider_stopped"

    campaign.resume()
    assert (campaign.status, campaign.reason) == (Status.SENDING, "")
