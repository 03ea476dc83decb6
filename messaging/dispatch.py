"""From a campaign to its rows: the send verb, the launch in steps, and the start of what was scheduled.

The walk: `send` gives the campaign its audience by compare-and-set, the texts come from `campaigns.writing`, the rows
are written by COPY, the batches that hand them to workers stand beside them, and all of it is one transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import parts
from campaigns.audience import LARGEST_ID, Audience, CustomerList, InvalidAudience
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from campaigns.writing import LONGEST_TEXT, Letter, Writer
from customers import consent
from customers.models import Channel, Customer
from messaging import alerts, bells, providers, throttle
from messaging.models import Launch, MessageBatch, OutboundMessage, Status
from messaging.providers.base import Envelope, OptedOut, Outcome, SlowDown
from messaging.reasons import Reason

log = structlog.get_logger(__name__)

# Messages a worker takes on together. Claim and outcome together ran at 0.48-0.57 of one UPDATE of all rows in slices
# of 2,000 and 0.31-0.38 in slices of 50; a batch is the most that one lease can cover.
BATCH = 2_000
# Rows a transaction: a launch in pages of 5,000 and more reached 0.85-1.1 of a raw COPY of the same rows.
PAGE = 3 * BATCH
MOST_NAMED = 100
# How long a person who presses “test send” waits for the account's limit.
TEST_PATIENCE_SECONDS = 10.0


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
    """How many customers a send would reach for, and how many of those it would skip because they opted out."""

    recipients: int
    opted_out: int


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
        if campaign.expires_at and campaign.expires_at <= timezone.now():
            raise InvalidAudience("expired", _("The campaign has expired: give it a later expiry."), "expires_at")
        queued = _write_list(campaign, audience) if isinstance(audience, CustomerList) else _begin_launch(campaign)
        if not queued.expected:
            raise InvalidAudience("nobody", _("There is no customer to write to."), "all")
        bells.on_commit(lambda: _ring(queued))
    log.info(
        "campaign_launched", campaign=campaign.pk, audience=audience.kind, queued=queued.messages_queued,
        skipped=queued.skipped, expected=queued.expected, status=campaign.status,
    )  # fmt: skip
    return queued


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
    return Estimate(customers.count(), customers.opted_out(campaign.channel).count())


def send_test(campaign: Campaign, *, phone: str, text: str, reference: str) -> Outcome:
    """Hand one text to the campaign's provider at once, outside the ledger; the provider's outcome. Leaves the house.

    `reference` names it at the vendor: a repeated one may be refused there. A number that opted out gets nothing. It
    goes before all that waits for the account's limit; `SlowDown` when even so its turn does not come soon.
    """
    if consent.opted_out([phone], campaign.channel):
        return OptedOut(_("The number has opted out of this channel."))
    alias, count = route(campaign.channel), parts.count(text).parts if campaign.channel == Channel.SMS else 1
    envelope = Envelope(f"test-{reference}", campaign.channel, phone, text, count)
    if not throttle.acquire_urgently(alias, count, seconds=TEST_PATIENCE_SECONDS):
        return SlowDown(_("The account is at its limit; try again in a moment."))
    [outcome] = providers.submit(alias, [envelope])
    log.info("test_sent", campaign=campaign.pk, outcome=type(outcome).__name__)
    return outcome


def start_due() -> list[int]:
    """Begin every scheduled campaign whose time has come; the ids of those begun. May run anywhere at any time, twice.

    One that has no audience goes back to draft, and somebody is told.
    """
    due = list(Campaign.objects.due().values_list("pk", flat=True)[:100])
    return [campaign_id for campaign_id in due if _start(campaign_id)]


def launch_step(campaign_id: int) -> bool:
    """Write the next page of a launch in one transaction; whether there is more to do.

    Steps of one campaign exclude each other by the lock on its row, and each continues at the cursor that the last one
    committed, so a step may be repeated, doubled or killed anywhere.
    """
    with transaction.atomic():
        campaign = (
            Campaign.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(pk=campaign_id, launching=True)
            .first()
        )
        if campaign is None:
            return False  # done, cancelled, deleted, or somebody else is at it
        launch = Launch.objects.get(pk=campaign_id)
        letters = list(Writer(campaign).page(after=launch.cursor, up_to=launch.last_customer_id, limit=PAGE))
        pending, _skipped = _write_rows(campaign, letters)
        if len(letters) < PAGE:
            launch.delete()
            Campaign.objects.filter(pk=campaign_id).update(launching=False)
        else:
            Launch.objects.filter(pk=campaign_id).update(cursor=letters[-1].customer_id)
        bells.on_commit(lambda: bells.ring_delivery(_batches(pending)))
    return len(letters) == PAGE


def route(channel: str) -> str:
    """The alias of the provider that serves this channel."""
    return settings.MESSAGE_ROUTES[channel]


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
    for page in _pages(audience.ids, PAGE):
        more_pending, more_skipped = _write_rows(campaign, list(writer.listed(page)))
        pending, skipped = pending + more_pending, skipped + more_skipped
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


def _write_rows(campaign: Campaign, letters: Sequence[Letter]) -> tuple[int, int]:
    """COPY one row a letter, and the batches over those that wait; how many wait and how many were skipped."""
    if not letters:
        return 0, 0
    rows = list(zip(_new_ids(len(letters)), letters, strict=True))
    waiting: list[int] = []
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for message_id, letter in rows:
            reason = _why_not(letter)
            if reason is None:
                waiting.append(message_id)
            status = Status.PENDING if reason is None else Status.SKIPPED
            copy.write_row(
                (message_id, campaign.pk, letter.customer_id, status.value, reason and reason.value, letter.address)
                + ((letter.text, letter.parts) if reason != Reason.TOO_LONG else ("", 0))
            )
    provider = route(campaign.channel)
    MessageBatch.objects.bulk_create(
        MessageBatch(campaign=campaign, provider=provider, first_id=ids[0], last_id=ids[-1])
        for ids in _pages(waiting, BATCH)
    )
    return len(waiting), len(letters) - len(waiting)


_COPY = (
    "COPY outbound_messages (id, campaign_id, customer_id, status, reason, address, rendered_content, parts) FROM STDIN"
)


def _why_not(letter: Letter) -> Reason | None:
    if letter.opted_out:
        return Reason.OPTED_OUT
    if not letter.text.strip():
        return Reason.EMPTY_TEXT
    return Reason.TOO_LONG if len(letter.text) > LONGEST_TEXT else None


def _new_ids(count: int) -> list[int]:
    """Fresh ids, ascending: COPY returns none, and the batches need to know their range."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('outbound_messages', 'id')) FROM generate_series(1, %s)", [count]
        )
        return [message_id for (message_id,) in cursor.fetchall()]


def _pages(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while page := list(islice(iterator, size)):
        yield page


def _batches(messages: int) -> int:
    return -(-messages // BATCH)
