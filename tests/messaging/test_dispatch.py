"""The send verb, the launch in steps, and the start of what was scheduled."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from campaigns.audience import CustomerList, Everybody, InvalidAudience, listed
from campaigns.models import Campaign, IllegalTransition
from customers import consent
from customers.models import Customer
from messaging import dispatch, launching, rows
from messaging.models import Alert, Launch, MessageBatch, OutboundMessage
from messaging.providers.memory import Memory
from tests import factories
from tests.messaging.driving import deliver_due, send_to_everybody, sending_campaign, stats

pytestmark = pytest.mark.django_db


def later(**delta: float) -> Campaign:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(**delta))
    return campaign


def let_its_time_come(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=timezone.now() - timedelta(seconds=1))


def test_a_list_becomes_one_pending_row_for_each_customer_with_the_rendered_text() -> None:
    anna = factories.CustomerFactory.create(first_name="Anna")
    juma = factories.CustomerFactory.create(first_name="Juma")
    campaign = factories.CampaignFactory.create(base_template="Hi {FirstName}")

    queued = dispatch.send(campaign, listed([juma.pk, anna.pk, juma.pk]), by=None)

    assert (queued.messages_queued, queued.skipped, queued.launching, queued.expected) == (2, 0, False, 2)
    rows = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    assert [(row.customer_id, row.rendered_content, row.address, row.status) for row in rows] == [
        (anna.pk, "Hi Anna", anna.phone, "pending"),
        (juma.pk, "Hi Juma", juma.phone, "pending"),
    ]
    assert campaign.status == "sending"
    assert campaign.started_at is not None


def test_a_customer_who_opted_out_is_skipped_with_the_reason() -> None:
    customer = factories.CustomerFactory.create()
    consent.opt_out(phone=customer.phone, channel="sms", source="reply")
    campaign = factories.CampaignFactory.create()

    queued = dispatch.send(campaign, listed([customer.pk]), by=None)

    assert (queued.messages_queued, queued.skipped) == (0, 1)
    row = OutboundMessage.objects.get(campaign=campaign)
    assert (row.status, row.reason) == ("skipped", "opted_out")


def test_an_opt_out_of_the_other_channel_does_not_count() -> None:
    customer = factories.CustomerFactory.create()
    consent.opt_out(phone=customer.phone, channel="whatsapp", source="reply")

    queued = dispatch.send(factories.CampaignFactory.create(), listed([customer.pk]), by=None)

    assert queued.messages_queued == 1


def test_a_text_that_comes_out_empty_is_skipped_with_the_reason() -> None:
    customer = factories.CustomerFactory.create(location="")
    campaign = factories.CampaignFactory.create(base_template="{Location}")

    dispatch.send(campaign, listed([customer.pk]), by=None)

    row = OutboundMessage.objects.get(campaign=campaign)
    assert (row.status, row.reason) == ("skipped", "empty_text")


def test_a_text_that_comes_out_longer_than_any_provider_takes_is_skipped_with_the_reason() -> None:
    customer = factories.CustomerFactory.create(attributes={"story": "x" * 15_000})
    campaign = factories.CampaignFactory.create(base_template="{Story}{Story}")

    dispatch.send(campaign, listed([customer.pk]), by=None)

    row = OutboundMessage.objects.get(campaign=campaign)
    assert (row.status, row.reason, row.rendered_content) == ("skipped", "too_long", "")


def test_parts_are_counted_for_sms_and_are_one_on_whatsapp() -> None:
    customer = factories.CustomerFactory.create()
    for channel, parts in (("sms", 2), ("whatsapp", 1)):
        campaign = factories.CampaignFactory.create(channel=channel, base_template="a" * 161)
        dispatch.send(campaign, listed([customer.pk]), by=None)
        assert OutboundMessage.objects.get(campaign=campaign).parts == parts


def test_unknown_customers_are_named_and_nothing_is_written() -> None:
    customer = factories.CustomerFactory.create()
    campaign = factories.CampaignFactory.create()

    with pytest.raises(dispatch.UnknownCustomers) as refused:
        dispatch.send(campaign, CustomerList((customer.pk, customer.pk + 1, 2**70)), by=None)

    assert refused.value.ids == [customer.pk + 1, 2**70]
    assert (refused.value.code, refused.value.field) == ("unknown_customers", "customers")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == ("draft", None)
    assert not OutboundMessage.objects.exists()


def test_at_most_a_hundred_unknown_customers_are_named() -> None:
    with pytest.raises(dispatch.UnknownCustomers) as refused:
        dispatch.send(factories.CampaignFactory.create(), CustomerList(tuple(range(10**9, 10**9 + 250))), by=None)

    assert (len(refused.value.ids), refused.value.count) == (100, 250)
    assert "150" in str(refused.value)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_text_is_refused_and_the_campaign_stays_a_draft(text: str) -> None:
    campaign = factories.CampaignFactory.create(base_template=text)

    with pytest.raises(InvalidAudience) as refused:
        dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)

    assert (refused.value.code, refused.value.field) == ("empty_text", "base_template")
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_an_audience_of_nobody_is_refused() -> None:
    with pytest.raises(InvalidAudience) as refused:
        dispatch.send(factories.CampaignFactory.create(), Everybody(), by=None)

    assert refused.value.code == "nobody"
    assert not Launch.objects.exists()


def test_an_audience_is_given_once_also_to_a_scheduled_campaign() -> None:
    customer = factories.CustomerFactory.create()
    campaign = later(hours=1)
    dispatch.send(campaign, listed([customer.pk]), by=None)

    with pytest.raises(IllegalTransition):
        dispatch.send(campaign, listed([customer.pk]), by=None)

    assert stats(campaign) == {"pending": 1}


def test_everybody_is_written_in_steps_that_continue_where_the_last_one_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "PAGE", 4)
    factories.customers(10)
    campaign = factories.CampaignFactory.create()

    queued = dispatch.send(campaign, Everybody(), by=None)
    assert (queued.launching, queued.expected, queued.messages_queued) == (True, 10, 0)
    assert launching.launch_step(campaign.pk)
    assert stats(campaign) == {"pending": 4}
    assert launching.launch_step(campaign.pk)
    assert not launching.launch_step(campaign.pk)
    assert not launching.launch_step(campaign.pk)

    campaign.refresh_from_db()
    assert not campaign.launching
    assert stats(campaign) == {"pending": 10}
    assert not Launch.objects.exists()


def test_everybody_is_who_was_there_when_the_launch_began() -> None:
    factories.customers(3)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    factories.customers(2)

    launching.launch_step(campaign.pk)

    assert stats(campaign) == {"pending": 3}


def test_a_cancelled_launch_writes_no_further_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 4)
    factories.customers(10)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    launching.launch_step(campaign.pk)

    campaign.cancel()

    assert not launching.launch_step(campaign.pk)
    assert stats(campaign) == {"pending": 4}


def test_the_rows_of_a_list_wait_for_the_campaigns_time(outbox: Memory) -> None:
    campaign = later(hours=1)
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)
    assert campaign.status == "scheduled"

    deliver_due()
    assert outbox.outbox == []

    let_its_time_come(campaign)
    assert dispatch.start_due() == [campaign.pk]
    deliver_due()
    assert len(outbox.outbox) == 1
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_everybody_is_drawn_when_the_time_comes() -> None:
    campaign = later(hours=1)
    factories.customers(2)
    dispatch.send(campaign, Everybody(), by=None)
    assert not campaign.launching
    factories.customers(3)

    let_its_time_come(campaign)
    dispatch.start_due()
    launching.launch_step(campaign.pk)

    assert stats(campaign) == {"pending": 5}


def test_an_old_bell_starts_nothing() -> None:
    campaign = later(hours=1)
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)

    assert dispatch.start_due() == []
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"


def test_starting_twice_starts_once() -> None:
    campaign = later(hours=1)
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)
    let_its_time_come(campaign)

    assert dispatch.start_due() == [campaign.pk]
    assert dispatch.start_due() == []


def test_a_campaign_whose_time_comes_without_an_audience_is_a_draft_again_and_somebody_is_told() -> None:
    campaign = later(hours=1)
    let_its_time_come(campaign)

    assert dispatch.start_due() == []

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason, campaign.scheduled_at) == ("draft", "no_audience", None)
    assert Alert.objects.filter(campaign=campaign, code="no_audience").count() == 1


def test_unscheduling_removes_the_rows_and_the_campaign_can_be_sent_again() -> None:
    customer = factories.CustomerFactory.create()
    campaign = later(hours=1)
    dispatch.send(campaign, listed([customer.pk]), by=None)

    assert dispatch.unschedule(campaign) == 1

    assert (campaign.status, campaign.scheduled_at, campaign.audience) == ("draft", None, None)
    assert stats(campaign) == {}
    assert not MessageBatch.objects.exists()
    assert dispatch.send(campaign, listed([customer.pk]), by=None).messages_queued == 1


def test_a_sending_campaign_cannot_be_unscheduled() -> None:
    campaign = sending_campaign(1)

    with pytest.raises(IllegalTransition):
        dispatch.unschedule(campaign)

    assert stats(campaign) == {"pending": 1}


def test_a_paused_campaign_whose_time_came_goes_on_when_resumed(outbox: Memory) -> None:
    campaign = later(hours=1)
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)
    campaign.pause()
    let_its_time_come(campaign)
    assert dispatch.start_due() == []

    campaign.resume()
    assert (campaign.status, campaign.started_at is None) == ("sending", False)
    assert dispatch.start_due() == []
    deliver_due()
    assert len(outbox.outbox) == 1


def test_everybody_is_drawn_when_a_paused_campaign_whose_time_came_is_resumed() -> None:
    campaign = later(hours=1)
    factories.customers(2)
    dispatch.send(campaign, Everybody(), by=None)
    campaign.pause()
    let_its_time_come(campaign)
    campaign.resume()

    assert dispatch.start_due() == [campaign.pk]
    launching.launch_step(campaign.pk)
    assert stats(campaign) == {"pending": 2}


def test_a_scheduled_audience_of_nobody_is_refused() -> None:
    campaign = later(hours=1)

    with pytest.raises(InvalidAudience, match="no customer"):
        dispatch.send(campaign, Everybody(), by=None)

    campaign.refresh_from_db()
    assert campaign.audience is None


def test_a_campaign_whose_audience_is_gone_when_its_time_comes_says_so() -> None:
    campaign = later(hours=1)
    customer = factories.CustomerFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    customer.delete()
    let_its_time_come(campaign)

    dispatch.start_due()
    launching.launch_step(campaign.pk)
    deliver_due()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == ("failed", "no_audience")


def test_a_paused_campaign_whose_time_is_still_to_come_is_scheduled_again_when_resumed() -> None:
    campaign = later(hours=1)
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)
    campaign.pause()

    campaign.resume()

    assert campaign.status == "scheduled"


def test_an_attribute_that_others_have_is_known_and_one_that_nobody_has_stays_as_written() -> None:
    factories.CustomerFactory.create(attributes={"loyalty_points": 12})
    factories.CustomerFactory.create()
    campaign = factories.CampaignFactory.create(base_template="{LoyaltyPoints} {Shoe} {LoyaltyPoints|none}")

    send_to_everybody(campaign)

    texts = OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("rendered_content", flat=True)
    assert list(texts) == ["12 {Shoe} 12", "{Shoe} none"]


def test_an_estimate_counts_recipients_and_opt_outs_and_writes_nothing() -> None:
    first, *_ = factories.customers(3)
    consent.opt_out(phone=first.phone, channel="sms", source="reply")
    campaign = factories.CampaignFactory.create()

    assert dispatch.estimate(campaign, Everybody()) == dispatch.Estimate(3, 1)
    assert dispatch.estimate(campaign, listed([first.pk])) == dispatch.Estimate(1, 1)
    assert not OutboundMessage.objects.exists()


def test_a_launch_takes_a_few_queries_a_page_however_many_rows(
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    ids = [customer.pk for customer in factories.customers(500)]
    campaign = factories.CampaignFactory.create()

    with django_assert_max_num_queries(14):
        dispatch.send(campaign, listed(ids), by=None)


def together(count: int, call: Callable[[], None]) -> list[Exception | None]:
    """Call it in this many threads at the same moment; what each raised."""
    barrier = threading.Barrier(count)
    raised: list[Exception | None] = [None] * count

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            call()
        except Exception as fault:  # noqa: BLE001 (told to the test)
            raised[number] = fault
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("everybody", [False, True])
def test_of_parallel_sends_one_wins(scheduled: bool, everybody: bool) -> None:
    ids = [customer.pk for customer in factories.customers(50)]
    campaign = later(hours=1) if scheduled else factories.CampaignFactory.create()

    def send() -> None:
        own = Campaign.objects.get(pk=campaign.pk)
        dispatch.send(own, Everybody() if everybody else listed(ids), by=None)

    raised = together(4, send)

    assert raised.count(None) == 1
    assert all(isinstance(fault, IllegalTransition) for fault in raised if fault)
    assert OutboundMessage.objects.count() == (0 if everybody else 50)


@pytest.mark.django_db(transaction=True)
def test_parallel_launch_steps_write_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 7)
    factories.customers(100)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)

    def launch() -> None:
        while Launch.objects.exists():
            launching.launch_step(campaign.pk)

    assert together(3, launch) == [None] * 3
    assert stats(campaign) == {"pending": 100}


@pytest.mark.django_db(transaction=True)
def test_customers_deleted_during_a_launch_do_not_abort_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 10)
    ids = [customer.pk for customer in factories.customers(100)]
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)

    def delete() -> None:
        for pk in ids[::3]:
            Customer.objects.filter(pk=pk).delete()

    def launch() -> None:
        while launching.launch_step(campaign.pk):
            pass

    calls = iter([delete, launch])
    lock = threading.Lock()

    def next_call() -> None:
        with lock:
            call = next(calls)
        call()

    assert together(2, next_call) == [None, None]
    assert stats(campaign) == {"pending": 100 - len(ids[::3])}


@pytest.mark.django_db(transaction=True)
def test_a_send_that_is_rolled_back_leaves_the_draft_and_rings_nobody() -> None:
    campaign = factories.CampaignFactory.create()
    customer = factories.CustomerFactory.create()

    class Abort(Exception):
        pass

    def send_and_abort() -> None:
        with transaction.atomic():
            dispatch.send(campaign, listed([customer.pk]), by=None)
            raise Abort

    with pytest.raises(Abort):
        send_and_abort()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == ("draft", None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbound_messages")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("messages", "size"), [(1, 250), (250, 250), (1_250, 250), (3_500, 700), (10_000, 2_000), (100_000, 2_000)]
)
def test_a_small_campaign_is_shared_among_some_threads_and_a_large_one_has_large_batches(
    messages: int, size: int
) -> None:
    assert rows.batch_size(messages) == size
