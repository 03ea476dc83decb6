"""A launch that reads ahead: with real threads and transactions, since the pages are read by another connection."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DataError, connections

from campaigns.audience import Everybody
from campaigns.models import Campaign
from campaigns.writing import Letter, Writer
from customers import consent
from customers.models import Customer
from messaging import delivery, dispatch, launching, rows, tasks
from messaging.models import Launch, MessageBatch, OutboundMessage
from messaging.providers.memory import Memory
from tests import factories
from tests.messaging.driving import deliver_due, stats

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def pages_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 10)
    monkeypatch.setattr(rows, "BATCH", 4)


def being_launched(count: int) -> Campaign:
    """A campaign to this many new customers, none of whose rows is written."""
    factories.customers(count)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    return campaign


def never() -> bool:
    return False


def before_a_write(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Let something happen in another thread, and be committed, after that page was read and before it is written."""
    write, writes = launching._write_page, iter(range(1, 1000))

    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()

    def wrapped(*page: Any) -> bool:
        if next(writes) == number:
            other = threading.Thread(target=run)
            other.start()
            other.join(10)
            assert not other.is_alive()
        return write(*page)

    monkeypatch.setattr(launching, "_write_page", wrapped)


def customers_written(campaign: Campaign) -> list[int]:
    return list(OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("customer_id", flat=True))


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 20, 35, 100])
def test_everybody_gets_one_row_in_the_order_of_the_customers(count: int) -> None:
    campaign = being_launched(count)

    assert not launching.launch(campaign.pk, stops=never)

    campaign.refresh_from_db()
    assert (campaign.launching, Launch.objects.exists()) == (False, False)
    assert customers_written(campaign) == list(Customer.objects.order_by("id").values_list("id", flat=True))
    assert stats(campaign) == {"pending": count}
    assert reading_threads() == []


def test_what_was_launched_is_delivered(outbox: Memory) -> None:
    campaign = being_launched(35)
    launching.launch(campaign.pk, stops=never)

    deliver_due()

    assert len({envelope.reference for envelope in outbox.outbox}) == len(outbox.outbox) == 35
    assert not MessageBatch.objects.exists()


def test_a_launch_that_is_stopped_goes_on_where_it_stood() -> None:
    campaign = being_launched(100)
    asked = itertools.count()

    assert launching.launch(campaign.pk, stops=lambda: next(asked) >= 3)
    stood = Launch.objects.get(pk=campaign.pk).cursor

    written = customers_written(campaign)
    assert 0 < len(written) < 100
    assert written[-1] == stood
    assert reading_threads() == []
    assert not launching.launch(campaign.pk, stops=never)
    assert customers_written(campaign) == list(Customer.objects.order_by("id").values_list("id", flat=True))


def test_a_launch_that_is_stopped_at_once_writes_nothing() -> None:
    campaign = being_launched(20)

    assert launching.launch(campaign.pk, stops=lambda: True)

    assert stats(campaign) == {}


@pytest.mark.parametrize("page", [1, 2, 10])
def test_a_customer_deleted_after_the_page_was_read_is_left_out_and_nobody_else_is(
    monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    campaign = being_launched(100)
    everybody = list(Customer.objects.order_by("id").values_list("id", flat=True))
    gone = everybody[page * 10 - 3]
    before_a_write(monkeypatch, page, lambda: Customer.objects.filter(pk=gone).delete())

    assert not launching.launch(campaign.pk, stops=never)

    assert customers_written(campaign) == [pk for pk in everybody if pk != gone]
    assert stats(campaign) == {"pending": 99}
    assert reading_threads() == []


def test_customers_deleted_all_along_do_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = being_launched(100)
    everybody = list(Customer.objects.order_by("id").values_list("id", flat=True))
    gone = everybody[::3]
    other = threading.Thread(target=_delete_each, args=[gone])
    other.start()

    assert not launching.launch(campaign.pk, stops=never)

    other.join(30)
    assert not other.is_alive()
    assert customers_written(campaign) == [pk for pk in everybody if pk not in gone]


def _delete_each(ids: list[int]) -> None:
    try:
        for pk in ids:
            Customer.objects.filter(pk=pk).delete()
    finally:
        connections.close_all()


def test_an_opt_out_after_the_page_was_read_is_honoured_when_it_is_delivered(
    monkeypatch: pytest.MonkeyPatch, outbox: Memory
) -> None:
    campaign = being_launched(30)
    phone = Customer.objects.order_by("id")[14].phone
    before_a_write(monkeypatch, 2, lambda: consent.opt_out(phone=phone, channel="sms", source="reply"))
    launching.launch(campaign.pk, stops=never)
    assert stats(campaign) == {"pending": 30}

    deliver_due()

    assert phone not in {envelope.to for envelope in outbox.outbox}
    assert stats(campaign) == {"sent": 29, "skipped": 1}


def test_a_page_that_somebody_else_wrote_meanwhile_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = being_launched(100)
    step, write = launching.launch_step, launching._write_page
    taken: list[launching.Page] = []

    def overtaken(locked: Campaign, page: launching.Page) -> bool:
        # The other one had the lock a moment ago: the launch stands further than this page knows.
        if len(taken) < 2:
            taken.append(page)
            monkeypatch.setattr(launching, "_write_page", write)
            step(campaign.pk)
            monkeypatch.setattr(launching, "_write_page", overtaken)
        return write(locked, page)

    monkeypatch.setattr(launching, "_write_page", overtaken)

    assert not launching.launch(campaign.pk, stops=never)

    assert customers_written(campaign) == list(Customer.objects.order_by("id").values_list("id", flat=True))
    assert len(taken) == 2


def test_parallel_launches_write_every_row_once() -> None:
    campaign = being_launched(300)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            while Launch.objects.exists():
                launching.launch(campaign.pk, stops=never)
        except BaseException as fault:  # noqa: BLE001 (told to the test)
            raised.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert raised == []
    assert customers_written(campaign) == list(Customer.objects.order_by("id").values_list("id", flat=True))
    assert reading_threads() == []


def test_a_cancel_between_two_pages_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = being_launched(100)
    lock, locks = launching._launching, iter(range(1, 1000))

    def cancelled(campaign_id: int) -> Campaign | None:
        if next(locks) == 4:
            Campaign.objects.get(pk=campaign_id).cancel()
        return lock(campaign_id)

    monkeypatch.setattr(launching, "_launching", cancelled)

    assert not launching.launch(campaign.pk, stops=never)

    assert stats(campaign) == {"pending": 30}
    assert reading_threads() == []


def test_a_fault_of_the_reader_is_raised_and_what_was_written_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = being_launched(100)
    letters, calls = Writer._letters, iter(range(1, 1000))

    def broken(self: Writer, found: Any) -> Iterator[Letter]:
        if next(calls) == 4:
            raise DataError("the fourth page")
        return letters(self, found)

    monkeypatch.setattr(Writer, "_letters", broken)

    with pytest.raises(DataError, match="the fourth page"):
        launching.launch(campaign.pk, stops=never)

    assert stats(campaign) == {"pending": 30}
    assert reading_threads() == []
    assert not launching.launch(campaign.pk, stops=never)
    assert stats(campaign) == {"pending": 100}


def test_a_fault_of_the_writer_takes_back_its_page_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = being_launched(100)
    write, calls = rows.write, iter(range(1, 1000))

    def broken(made: rows.Rows, provider: str) -> None:
        write(made, provider)
        if next(calls) == 3:
            raise DataError("the third page")

    monkeypatch.setattr(rows, "write", broken)

    with pytest.raises(DataError, match="the third page"):
        launching.launch(campaign.pk, stops=never)

    assert stats(campaign) == {"pending": 20}
    assert Launch.objects.get(pk=campaign.pk).cursor == customers_written(campaign)[-1]
    assert reading_threads() == []


def test_customers_who_come_later_are_not_part_of_it_however_far_it_reads() -> None:
    campaign = being_launched(25)
    factories.customers(30)

    launching.launch(campaign.pk, stops=never)

    assert stats(campaign) == {"pending": 25}


def test_a_launch_whose_customers_are_all_gone_ends() -> None:
    campaign = being_launched(35)
    Customer.objects.all().delete()

    assert not launching.launch(campaign.pk, stops=never)

    campaign.refresh_from_db()
    assert (campaign.launching, stats(campaign)) == (False, {})


def test_a_task_whose_worker_is_stopping_rings_for_another(monkeypatch: pytest.MonkeyPatch, outbox: Memory) -> None:
    campaign = being_launched(35)
    rung: list[int] = []
    monkeypatch.setattr("messaging.bells.ring_launch", rung.append)
    delivery.stopping.set()

    tasks.launch(campaign_id=campaign.pk)

    assert rung == [campaign.pk]
    assert stats(campaign) == {}


def one_page(campaign_id: int, **_: object) -> bool:
    return launching.launch_step(campaign_id)


def test_several_launches_in_one_process_get_on_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = being_launched(40), being_launched(40)
    rung: list[int] = []
    monkeypatch.setattr("messaging.bells.ring_launch", rung.append)
    # A turn of one page each.
    monkeypatch.setattr(launching, "launch", one_page)

    tasks.launch(campaign_id=first.pk)
    tasks.launch(campaign_id=rung[-1])
    tasks.launch(campaign_id=rung[-1])

    assert rung == [second.pk, first.pk, second.pk]


def test_a_second_launch_in_the_same_process_waits_for_a_sweep() -> None:
    campaign = being_launched(5)
    with tasks._launching:
        tasks.launch(campaign_id=campaign.pk)
    assert not OutboundMessage.objects.exists()
