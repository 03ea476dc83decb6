"""From a campaign to its rows: the send verb, the launch in steps, and the start of what was scheduled.

The walk: `send` gives the campaign its audience by compare-and-set, the texts come from `campaigns.writing`, the rows
are written by COPY, the batches that hand them to workers stand beside them, and all of it is one transaction. For
everybody it is one a page, and the next pages are read meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import parts
from campaigns.audience import LARGEST_ID, Audience, CustomerList, InvalidAudience
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from campaigns.writing import Writer
from customers import consent
from customers.models import Channel, Customer
from messaging import accounts, alerts, bells, providers, rows, throttle, vendor_opt_outs
from messaging.ahead import read_ahead
from messaging.models import Launch, MessageBatch, OutboundMessage
from messaging.providers.base import Envelope, OptedOut, Outcome, SlowDown, Template
from messaging.reasons import Reason
from messaging.rows import Rows

log = structlog.get_logger(__name__)

# Messages a worker takes on together. Claim and outcome together ran at 0.48-0.57 of one UPDATE of all rows in slices
# of 2,000 and 0.31-0.38 in slices of 50; a batch is the most that one lease can cover.
BATCH = 2_000
# A small campaign is shared among some threads all the same, because a batch is one thread's: 3,500 messages in two
# batches reached 0.69 of a limit of 500/s at a vendor that takes 400 ms.
LEAST_BATCH, BATCHES = 250, 5
# Rows a transaction: what comes with each of them (locks, cursor, commit, bells) takes 10 ms, the rows 15 µs each.
PAGE = BATCHES * BATCH
# One is read in half the time that one is written.
PAGES_AHEAD = 1
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
        route(campaign)
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


def send_test(campaign: Campaign, *, phone: str, text: str, reference: str, variables: Sequence[str] = ()) -> Outcome:
    """Hand one text to the campaign's provider at once, outside the ledger; the provider's outcome. Leaves the house.

    `reference` names it at the vendor: a repeated one may be refused there. A number that must not be written to gets
    nothing. It goes before all that waits for the account's limit; `SlowDown` when even so its turn does not come soon.
    `variables` fill the campaign's WhatsApp template. Raises `InvalidAudience` as `route` does.
    """
    template = (
        Template(campaign.whatsapp_template, campaign.whatsapp_language, tuple(variables))
        if campaign.whatsapp_template
        else None
    )
    return try_account(
        route(campaign), channel=campaign.channel, phone=phone, text=text, reference=reference, template=template
    )


def try_account(
    alias: str, *, channel: str, phone: str, text: str, reference: str, template: Template | None = None
) -> Outcome:
    """Hand one text to this account at once, outside the ledger, as `send_test`; raises `UnknownAlias`.

    What the vendor says of an opt-out is kept as consent, as for any message.
    """
    if refusal := consent.refusal(phone, channel):
        return OptedOut(str(Reason(refusal).label))
    count = parts.count(text).parts if channel == Channel.SMS else 1
    envelope = Envelope(f"test-{reference}", channel, phone, text, count, template=template)
    if not throttle.acquire_urgently(alias, count, seconds=TEST_PATIENCE_SECONDS):
        return SlowDown(_("The account is at its limit; try again in a moment."))
    asked_at = timezone.now()
    [outcome] = providers.submit(alias, [envelope])
    if isinstance(outcome, OptedOut):
        vendor_opt_outs.note_number(phone, channel, alias, asked_at=asked_at)
    log.info("test_sent", provider=alias, outcome=type(outcome).__name__)
    return outcome


def start_due() -> list[int]:
    """Begin every scheduled campaign whose time has come; the ids of those begun. May run anywhere at any time, twice.

    One that has no audience goes back to draft, and somebody is told.
    """
    due = list(Campaign.objects.due().values_list("pk", flat=True)[:100])
    return [campaign_id for campaign_id in due if _start(campaign_id)]


def launch(campaign_id: int, *, stops: Callable[[], bool]) -> bool:
    """Write page after page of a launch until it is done or `stops()`; whether there is more to do here.

    May be repeated, doubled or killed anywhere, as `launch_step`. Not inside a transaction: the pages are read by
    another connection.
    """
    while not stops():
        launch = Launch.objects.filter(pk=campaign_id).first()
        if launch is None:
            return False
        try:
            if launch.last_customer_id - launch.cursor <= PAGE:
                more = launch_step(campaign_id)
            else:
                more = _launch_ahead(launch, stops)
        except IntegrityError:
            # A customer of the page was deleted after it was read. With the lock that cannot be.
            more = launch_step(campaign_id)
        if not more:
            return False
    return True


def next_launch() -> int | None:
    """The launching campaign whose last page is the longest ago, so that several get on in turn; None without any."""
    waiting = Launch.objects.filter(campaign__launching=True).order_by("written_at", "campaign")
    return waiting.values_list("campaign", flat=True).first()


def launch_step(campaign_id: int) -> bool:
    """Write the next page of a launch in one transaction; whether there is more to do.

    Steps of one campaign exclude each other by the lock on its row, and each continues at the cursor that the last one
    committed, so a step may be repeated, doubled or killed anywhere.
    """
    with transaction.atomic():
        campaign = _launching(campaign_id)
        if campaign is None:
            return False
        launch = Launch.objects.get(pk=campaign_id)
        page = _read_page(Writer(campaign), launch, launch.cursor, lock=True)
        return _write_page(campaign, page) and page.is_full


def _launch_ahead(launch: Launch, stops: Callable[[], bool]) -> bool:
    """Write the pages of a launch while a thread of its own reads those that follow; whether there is more to do.

    Reading and writing in turn reached half of a raw COPY's speed. A page counts only if the launch still stands where
    it was read from.
    """
    writer = Writer(Campaign.objects.get(pk=launch.pk))
    with read_ahead(_pages(writer, launch), PAGES_AHEAD) as pages:
        for page in pages:
            with transaction.atomic():
                campaign = _launching(launch.pk)
                if campaign is None:
                    return False
                is_next = _write_page(campaign, page)
            if stops() or not is_next:
                return True
    return False


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of the customers after one id up to another; one that is not full is the last."""

    after: int
    up_to: int
    is_full: bool
    rows: Rows


def _pages(writer: Writer, launch: Launch) -> Iterator[Page]:
    after, more = launch.cursor, True
    while more:
        page = _read_page(writer, launch, after, lock=False)
        yield page
        after, more = page.up_to, page.is_full


def _read_page(writer: Writer, launch: Launch, after: int, *, lock: bool) -> Page:
    letters = list(writer.page(after=after, up_to=launch.last_customer_id, limit=PAGE, lock=lock))
    up_to = letters[-1].customer_id if letters else launch.last_customer_id
    return Page(after, up_to, len(letters) == PAGE, rows.compose(launch.pk, letters, batch=batch_size(len(letters))))


def _write_page(campaign: Campaign, page: Page) -> bool:
    """Write the page, in the transaction that holds the campaign; false, with nothing done, when it is not the next."""
    here = Launch.objects.filter(pk=campaign.pk, cursor=page.after)
    if not (here.update(cursor=page.up_to, written_at=Now()) if page.is_full else here.delete()[0]):
        return False
    rows.write(page.rows, route(campaign))
    if not page.is_full:
        Campaign.objects.filter(pk=campaign.pk).update(launching=False)
    bells.on_commit(lambda: bells.ring_delivery(len(page.rows.batches)))
    return True


def _launching(campaign_id: int) -> Campaign | None:
    """The campaign, locked; None when it is done, cancelled or deleted, or when somebody else is at it."""
    launching = Campaign.objects.filter(pk=campaign_id, launching=True)
    return launching.select_for_update(skip_locked=True, no_key=True).first()


def route(campaign: Campaign) -> str:
    """The alias of the account by which it goes out: its own, or its channel's default.

    Raises `InvalidAudience` where that is none, or one that is not enabled or does not serve the channel.
    """
    alias = campaign.sender or accounts.default(campaign.channel)
    if alias is None:
        sentence = _("No sender is the default for %(channel)s: choose one.")
        raise InvalidAudience("no_sender", sentence % {"channel": campaign.get_channel_display()}, "sender")
    if not accounts.serves(alias, campaign.channel):
        sentence = _("Sender “%(alias)s” does not send %(channel)s, or is not enabled: choose another one.")
        names = {"alias": alias, "channel": campaign.get_channel_display()}
        raise InvalidAudience("sender_unusable", sentence % names, "sender")
    return alias


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
    for first in range(0, len(audience.ids), PAGE):
        letters = list(writer.listed(audience.ids[first : first + PAGE]))
        written = rows.compose(campaign.pk, letters, batch=batch_size(len(letters)))
        rows.write(written, route(campaign))
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


def batch_size(messages: int) -> int:
    """How many messages a batch has where so many are written together. Pure."""
    return min(BATCH, max(LEAST_BATCH, -(-messages // BATCHES)))


def _batches(messages: int) -> int:
    return -(-messages // batch_size(messages))
