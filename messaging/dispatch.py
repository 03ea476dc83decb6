"""From a campaign to its rows: the send verb, and the start of what was scheduled.

The walk: `send` gives the campaign its audience by compare-and-set, the texts come from `campaigns.writing`, the rows
are written by COPY, the batches that hand them to workers stand beside them, and all of it is one transaction. For
everybody a worker writes them page by page (`launching.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.audience import LARGEST_ID, Audience, CustomerList, InvalidAudience
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from campaigns.writing import Writer
from customers.models import Customer
from messaging import alerts, bells, routing, rows
from messaging.models import Launch, MessageBatch, OutboundMessage

log = structlog.get_logger(__name__)

MOST_NAMED = 100


class UnknownCustomers(InvalidAudience):
    """Some of the ids are no customers; `ids` are the first hundred of them, `count` is how many there are."""

    def __init__(self, ids: Sequence[int], count: int) -> None:
        self.ids = list(ids)
        self.count = count
        named = ", ".join(map(str, self.ids))
        more = _(" and %(count)d more") % {"count": count - len(self.ids)} if count > len(self.ids) else ""
        sentence = _("These customers do not exist: %(ids)s%(more)s.") % {"ids": named, "more": more}
        super().__init__("unknown_customers", sentence, "customers")


@dataclass(frozen=True, slots=True)
class Queued:
    """What a send did: the campaign as it is now, and how many messages wait or were skipped.

    While `launching`, a worker still writes them, `expected` in all.
    """

    campaign: Campaign
    messages_queued: int
    skipped: int
    launching: bool
    expected: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many customers a send would reach for, and how many of those it would skip: who opted out, and
    who never opted in where that is required.
    """

    recipients: int
    opted_out: int
    no_consent: int = 0


def send(campaign: Campaign, audience: Audience, *, by: User | None) -> Queued:
    """Give the campaign its audience and write its messages, or have a worker write them.

    A list is written here, in one transaction; everybody is written by a worker in steps. With a time that is still to
    come the rows of a list wait for it, and everybody is drawn when it comes. Workers are rung on commit.
    Raises `InvalidAudience` or `IllegalTransition`, and then nothing is written. Of repeated or parallel calls one
    wins.
    """
    with transaction.atomic():
        campaign.give_audience({"kind": audience.kind}, by=by)
        if not campaign.base_template.strip():
            raise InvalidAudience("empty_text", _("The campaign has no text."), "base_template")
        refuse_expired(campaign)
        routing.route(campaign)
        queued = _write_list(campaign, audience) if isinstance(audience, CustomerList) else _begin_launch(campaign)
        if not queued.expected:
            raise InvalidAudience("nobody", _("There is no customer to write to."), "all")
        bells.on_commit(lambda: _ring(queued))
    log.info(
        "campaign_launched", campaign=campaign.pk, audience=audience.kind, queued=queued.messages_queued,
        skipped=queued.skipped, expected=queued.expected, status=campaign.status,
    )  # fmt: skip
    return queued


def refuse_expired(campaign: Campaign) -> None:
    """Raise `InvalidAudience` when nothing of the campaign could go out any more."""
    if campaign.expires_at and campaign.expires_at <= timezone.now():
        raise InvalidAudience("expired", _("The campaign has expired: give it a later expiry."), "expires_at")


def unschedule(campaign: Campaign) -> int:
    """Back to draft; its messages, of which none was tried, go. How many went; raises `IllegalTransition`."""
    with transaction.atomic():
        campaign.unschedule()
        MessageBatch.objects.filter(campaign=campaign).delete()
        count: int = OutboundMessage.objects.filter(campaign=campaign)._raw_delete("default")  # noqa: SLF001 (loads no rows)
    log.info("campaign_unscheduled", campaign=campaign.pk, messages=count)
    return count


def estimate(campaign: Campaign, audience: Audience) -> Estimate:
    """What a send would do now; writes nothing."""
    customers = Customer.objects.all()
    if isinstance(audience, CustomerList):
        customers = customers.filter(pk__in=audience.ids)
    channel = campaign.channel
    silent = customers.without_consent(channel).count() if settings.REQUIRE_OPT_IN else 0
    return Estimate(customers.count(), customers.opted_out(channel).count(), silent)


def start_due() -> list[int]:
    """Begin every scheduled campaign whose time has come; the ids of those begun. May run anywhere at any time, twice.

    One that has no audience goes back to draft, and somebody is told.
    """
    due = list(Campaign.objects.due().values_list("pk", flat=True)[:100])
    return [campaign_id for campaign_id in due if _start(campaign_id)]


def _start(campaign_id: int) -> bool:
    with transaction.atomic():
        # Who holds the row is moving it: the next sweep looks again, and meanwhile the other campaigns are not held up.
        campaign = (
            Campaign.objects.due().select_for_update(skip_locked=True, no_key=True).filter(pk=campaign_id).first()
        )
        if campaign is None:
            return False
        if campaign.audience is None:
            if campaign.return_for_want_of_audience():
                alerts.note(campaign.pk, alerts.Code.NO_AUDIENCE)
            return False
        if not campaign.start():
            return False
        if campaign.launching:
            queued = _begin_launch(campaign)
        else:
            queued = Queued(
                campaign,
                campaign.progress.pending,
                campaign.progress.skipped,
                launching=False,
                expected=campaign.expected,
            )
        bells.on_commit(lambda: _ring(queued))
    log.info("campaign_started", campaign=campaign.pk, late_seconds=_seconds_late(campaign))
    return True


def _seconds_late(campaign: Campaign) -> float | None:
    if campaign.scheduled_at is None or campaign.started_at is None:
        return None
    return round((campaign.started_at - campaign.scheduled_at).total_seconds(), 3)


def _ring(queued: Queued) -> None:
    """After the commit: wake whoever has the next thing to do."""
    if queued.campaign.status == CampaignStatus.SCHEDULED and queued.campaign.scheduled_at:
        bells.ring_start(queued.campaign.scheduled_at)
    elif queued.launching:
        bells.ring_launch(queued.campaign.pk)
    else:
        bells.ring_delivery(_batches(queued.messages_queued))


def _begin_launch(campaign: Campaign) -> Queued:
    """Note whom everybody is: the customers there are now, or, while the time is still to come, how many there are."""
    if campaign.status == CampaignStatus.SCHEDULED:
        expected = Customer.objects.count()
    else:
        last = Customer.objects.aggregate(last=Max("id"))["last"] or 0
        expected = Customer.objects.filter(pk__lte=last).count()
        Launch.objects.create(campaign=campaign, last_customer_id=last)
    Campaign.objects.filter(pk=campaign.pk).update(expected=expected)
    campaign.expected = expected
    return Queued(campaign, 0, 0, campaign.launching, expected)


def _write_list(campaign: Campaign, audience: CustomerList) -> Queued:
    _refuse_unknown(audience.ids)
    writer, pending, skipped = Writer(campaign), 0, 0
    for first in range(0, len(audience.ids), rows.PAGE):
        letters = list(writer.listed(audience.ids[first : first + rows.PAGE]))
        written = rows.compose(campaign.pk, letters, batch=rows.batch_size(len(letters)))
        rows.write(written, routing.route(campaign))
        pending, skipped = pending + written.pending, skipped + written.skipped
    Campaign.objects.filter(pk=campaign.pk).update(expected=pending + skipped)
    campaign.expected = pending + skipped
    return Queued(campaign, pending, skipped, launching=False, expected=campaign.expected)


def _refuse_unknown(ids: Sequence[int]) -> None:
    possible = [customer_id for customer_id in ids if 0 < customer_id <= LARGEST_ID]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customers WHERE id = ANY(%s)", [possible])
        known = {customer_id for (customer_id,) in cursor.fetchall()}
    unknown = [customer_id for customer_id in ids if customer_id not in known]
    if unknown:
        raise UnknownCustomers(unknown[:MOST_NAMED], len(unknown))


def _batches(messages: int) -> int:
    return -(-messages // rows.batch_size(messages))
