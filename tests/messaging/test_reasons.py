"""Every reason is given by something that happens, is told on the page of reasons, and is counted for its campaign."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from campaigns.audience import listed
from campaigns.models import Campaign
from config import tokens
from customers import consent
from customers.models import Customer
from messaging import delivery, dispatch, leases, look_ups, receipts, recovery
from messaging.models import OutboundMessage
from messaging.providers.base import Accepted, GiveUp, Outcome, Receipt, SlowDown, StopAll, TryLater, Unknown
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from messaging.why import Share, shares
from tests import factories
from tests.admin.conftest import MARKETING, client_with
from tests.api.conftest import caller_with, user_with
from tests.messaging.driving import deliver_due, expire_leases, sending_campaign

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def answered(outcome: Outcome) -> Callable[[Memory, Settings], Campaign]:
    """A campaign of one message, to which the provider answered so."""

    def happen(outbox: Memory, settings: Settings) -> Campaign:
        settings.MESSAGE_RETRY_LIMIT = 2
        outbox.answer = lambda _envelope: outcome
        campaign = sending_campaign(1)
        deliver_due()
        return campaign

    return happen


def stop(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(1)
    consent.opt_out(phone=Customer.objects.latest("pk").phone, channel="sms", source="reply")
    deliver_due()
    return campaign


def sent_to(customer: Customer, text: str) -> Campaign:
    campaign = factories.CampaignFactory.create(base_template=text)
    dispatch.send(campaign, listed([customer.pk]), by=None)
    return campaign


def empty(outbox: Memory, settings: Settings) -> Campaign:
    return sent_to(factories.CustomerFactory.create(first_name=""), "{FirstName}")


def long(outbox: Memory, settings: Settings) -> Campaign:
    return sent_to(factories.CustomerFactory.create(first_name="x" * 150), "{FirstName}" * 300)


def exhaust(outbox: Memory, settings: Settings) -> Campaign:
    settings.MESSAGE_RETRY_LIMIT = 1
    outbox.answer = lambda _envelope: TryLater("busy")
    campaign = sending_campaign(1)
    deliver_due()
    return campaign


def stop_the_account_twice(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(2)
    first, second = OutboundMessage.objects.order_by("pk")
    outbox.answer = lambda envelope: StopAll("401") if envelope.reference == str(first.pk) else Accepted()
    deliver_due()
    campaign.refresh_from_db()
    campaign.resume()
    deliver_due()
    second.delete()
    return campaign


def lose_the_worker(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    expire_leases()
    recovery.sweep()
    return campaign


def cancel(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(1)
    campaign.cancel()
    recovery.sweep()
    return campaign


def expire(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(1)
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    deliver_due()
    return campaign


def deny(outbox: Memory, settings: Settings) -> Campaign:
    campaign = answered(Unknown("no answer"))(outbox, settings)
    long_ago = timezone.now() - timedelta(hours=1)
    OutboundMessage.objects.update(due_at=long_ago, updated_at=long_ago)
    claimed = look_ups._claim("memory")
    assert claimed is not None
    look_ups._write(*claimed, [GiveUp("never got it")])
    return campaign


def do_not_deliver(outbox: Memory, settings: Settings) -> Campaign:
    campaign = sending_campaign(1)
    deliver_due()
    [message] = OutboundMessage.objects.all()
    receipts.apply("memory", [Receipt("failed", timezone.now(), reference=str(message.pk), error="absent")])
    return campaign


def never_ask(outbox: Memory, settings: Settings) -> Campaign:
    settings.REQUIRE_OPT_IN = True
    return sending_campaign(1)


HAPPENINGS: dict[Reason, Callable[[Memory, Settings], Campaign]] = {
    Reason.OPTED_OUT: stop,
    Reason.NO_CONSENT: never_ask,
    Reason.EMPTY_TEXT: empty,
    Reason.TOO_LONG: long,
    Reason.TEMPORARY_FAILURE: answered(TryLater("busy")),
    Reason.THROTTLED: answered(SlowDown("429")),
    Reason.PROVIDER_STOPPED: answered(StopAll("no credit")),
    Reason.RETRIES_EXHAUSTED: exhaust,
    Reason.STOPS_ACCOUNT: stop_the_account_twice,
    Reason.REJECTED: answered(GiveUp("no such number")),
    Reason.NO_ANSWER: answered(Unknown("no answer")),
    Reason.WORKER_LOST: lose_the_worker,
    Reason.CAMPAIGN_CANCELLED: cancel,
    Reason.EXPIRED: expire,
    Reason.NOT_ACCEPTED: deny,
    Reason.UNDELIVERED: do_not_deliver,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_given_by_something_that_happens(reason: Reason, outbox: Memory, settings: Settings) -> None:
    campaign = HAPPENINGS[reason](outbox, settings)

    [message] = OutboundMessage.objects.all()
    assert message.reason == reason
    assert shares(campaign.pk) == [Share(message.status, reason.value, 1)]
    assert shares(campaign.pk)[0].why == str(reason.label)


def test_every_reason_and_no_other_has_its_line_on_the_page_of_reasons() -> None:
    cells = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(cell.strip("`") for cell in cells) == sorted(Reason.values)


def test_reasons_are_counted_most_first_in_api_and_admin(outbox: Memory, settings: Settings) -> None:
    api = caller_with(tokens.create(user_with(sorted(tokens.PERMISSIONS)), "test")[1])
    marketer = client_with(MARKETING)
    outbox.answer = lambda envelope: GiveUp("bad") if int(envelope.reference) % 3 else Unknown("no answer")
    campaign = sending_campaign(9)
    other = sending_campaign(1)
    deliver_due()

    found = api.get(f"/api/v1/campaigns/{campaign.pk}/reasons").json()

    assert [(each["status"], each["reason"], each["count"]) for each in found] == [
        ("failed", "rejected", 6),
        ("unknown", "no_answer", 3),
    ]
    assert found[0]["why"] == "The provider refused it for good."
    assert api.get("/api/v1/campaigns/999999/reasons").status_code == 404
    page = marketer.get(f"/admin/campaigns/campaign/{campaign.pk}/reasons/").content.decode()
    assert f"campaign__id__exact={campaign.pk}&amp;status__exact=failed&amp;reason=rejected" in page
    assert "The provider refused it for good." in page
    listed = marketer.get(
        f"/admin/messaging/outboundmessage/?campaign__id__exact={campaign.pk}&status__exact=failed&reason=rejected"
    )
    assert listed.context["cl"].result_count == 6
    assert len(shares(other.pk)) == 1
