"""What came in is applied once, in one transaction with its mark, whatever befalls whoever applies it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models.functions import Now

from customers import consent
from messaging import bells, delivery, hooks, inbound, leases, providers, receipts, recovery, settling, tasks, unmatched
from messaging.models import HookEvent, OutboundMessage, Reply, Status, UnmatchedReceipt
from messaging.providers import base
from messaging.providers.base import Malformed, Receipt
from messaging.providers.memory import Memory
from messaging.providers.simulated_receipts import HearsReceipts
from messaging.verdicts import Verdict
from tests.door.knocking import ALIAS, NOON, knock, said
from tests.messaging.driving import deliver_due, sending_campaign, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]


def sent_messages(count: int) -> list[OutboundMessage]:
    """Messages that the simulator's account sent, as far as the ledger knows."""
    campaign = sending_campaign(count)
    deliver_due()
    messages = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    messages.update(provider=ALIAS)
    return list(messages)


def wait_is_over() -> None:
    UnmatchedReceipt.objects.filter(next_try_at__isnull=False).update(next_try_at=Now())


def work_off_all() -> int:
    done = 0
    while count := hooks.work_off():
        done += count
    return done


def in_threads(*work: Callable[[], Any]) -> None:
    """Run these at once, each with a connection of its own; raises what the first raised that did."""
    faults: list[Exception] = []
    gate = threading.Barrier(len(work))

    def run(each: Callable[[], Any]) -> None:
        try:
            gate.wait()
            each()
        except Exception as fault:  # noqa: BLE001 (raised by who waits)
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def test_receipts_of_many_requests_are_applied_together() -> None:
    first, second, third = sent_messages(3)
    knock(said(first.pk, "delivered"), said(second.pk, "failed", error="switched off"))
    knock(said(third.pk, "read"))

    assert hooks.work_off() == 2

    assert statuses(first.campaign) == ["delivered", "failed", "read"]
    assert not HookEvent.objects.filter(done_at=None).exists()
    assert not HookEvent.objects.exclude(fault="").exists()
    assert hooks.work_off() == 0


@pytest.mark.parametrize("order", [["sent", "delivered", "read"], ["read", "delivered", "sent"]])
def test_receipts_in_any_order_and_repeated_end_the_same(order: list[str]) -> None:
    [message] = sent_messages(1)
    for status in order * 2:
        knock(said(message.pk, status, minutes={"sent": 0, "delivered": 1, "read": 2}[status]))
        work_off_all()

    message.refresh_from_db()
    assert message.status == "read"
    assert HookEvent.objects.count() == 3


def test_a_transaction_takes_one_account_and_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_EVENTS", 2)
    monkeypatch.setattr(hooks, "read", lambda _event: [])
    for n, alias in enumerate(["a", "b", "a", "a"]):
        HookEvent.objects.create(alias=alias, method="GET", query=str(n), body=b"", digest=str(n).encode())

    taken: list[set[tuple[str, str]]] = []
    while hooks.work_off():
        done = set(HookEvent.objects.exclude(done_at=None).values_list("alias", "query"))
        taken.append(done.difference(*taken))

    assert taken == [{("a", "0"), ("a", "2")}, {("b", "1")}, {("a", "3")}]


def test_large_requests_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "read", lambda _event: [])
    for n in range(3):
        HookEvent.objects.create(
            alias="a", method="POST", body=b"x" * hooks.MOST_BYTES, digest=str(n).encode()
        )  # fmt: skip

    assert [hooks.work_off() for _ in range(4)] == [1, 1, 1, 0]


def test_one_that_cannot_be_read_is_kept_with_its_fault_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sent_messages(2)
    read = HearsReceipts.read

    def reading(self: Any, hook: Any) -> Any:
        if b"broken" in hook.body:
            raise KeyError("+254712345678")
        if b"senseless" in hook.body:
            raise Malformed("there is nothing in it")
        return read(self, hook)

    knock(said(first.pk, "delivered"))
    knock(said("1", "delivered", error="broken"))
    knock(said("1", "delivered", error="senseless"))
    knock(said(second.pk, "read"))
    with monkeypatch.context() as broken:
        broken.setattr(HearsReceipts, "read", reading)
        assert work_off_all() == 4

    assert statuses(first.campaign) == ["delivered", "read"]
    faults = list(HookEvent.objects.exclude(fault="").order_by("id").values_list("fault", flat=True))
    assert faults[0].startswith("KeyError at test_hooks.py:")
    assert faults[1] == "Malformed: there is nothing in it"
    assert hooks.again(ALIAS) == 2
    assert work_off_all() == 2
    assert not HookEvent.objects.exclude(fault="").exists()
    assert hooks.again(ALIAS) == 0


def test_one_that_cannot_be_applied_costs_its_neighbours_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    [message] = sent_messages(1)
    reply = base.Reply("sms", "+2547", "x", NOON, wish="opt_out")
    reply_of_nowhere = base.Reply("sms", "+" + "7" * 40, "x", NOON)
    read = HearsReceipts.read

    def reading(self: Any, hook: Any) -> Any:
        return [reply_of_nowhere] if b"nowhere" in hook.body else [*read(self, hook), reply]

    knock(said("1", "delivered", error="nowhere"))
    knock(said(message.pk, "delivered"))
    monkeypatch.setattr(HearsReceipts, "read", reading)

    assert work_off_all() == 2

    assert statuses(message.campaign) == ["delivered"]
    assert [
        fault.split()[0] for fault in HookEvent.objects.order_by("id").values_list("fault", flat=True) if fault
    ] == ["DataError"]
    assert Reply.objects.get().phone == "+2547"


def test_a_sender_that_is_gone_leaves_its_requests_to_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    [message] = sent_messages(1)
    knock(said(message.pk, "delivered"))
    with monkeypatch.context() as gone:
        gone.setattr(providers, "get", lambda alias: (_ for _ in ()).throw(providers.UnknownAlias(alias)))
        hooks.work_off()
    assert HookEvent.objects.get().fault == "UnknownSender: its sender hears nothing here any more"

    hooks.again(ALIAS)
    hooks.work_off()

    assert statuses(message.campaign) == ["delivered"]


def test_a_fault_of_the_database_leaves_everything_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    [message] = sent_messages(1)
    knock(said(message.pk, "delivered"))

    def away(*_: object) -> NoReturn:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as broken:
        broken.setattr(inbound, "take", away)
        broken.setattr(unmatched, "keep", away)
        with pytest.raises(OperationalError):
            hooks.work_off()

    assert (statuses(message.campaign), HookEvent.objects.filter(done_at=None).count()) == (["sent"], 1)
    assert hooks.work_off() == 1
    assert statuses(message.campaign) == ["delivered"]


def test_the_task_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_EVENTS", 1)
    messages = sent_messages(3)
    for message in messages:
        knock(said(message.pk, "delivered"))
    delivery.stopping.clear()

    tasks.work_off()

    assert statuses(messages[0].campaign) == ["delivered"] * 3


def test_the_task_rings_for_what_its_turn_did_not_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(bells, "ring_hooks", lambda: heard.append("hooks"))
    monkeypatch.setattr(tasks, "HOOKS_TURN_SECONDS", 0.0)
    knock(said("1", "delivered"))

    tasks.work_off()
    tasks.work_off()

    assert heard == ["hooks"]


def test_the_sweep_rings_for_what_no_bell_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(bells, "ring_hooks", lambda: heard.append("hooks"))

    assert recovery.sweep().hooks == 0
    knock(said("1", "delivered"))
    assert recovery.sweep().hooks == 1
    assert heard == ["hooks"]


def test_a_receipt_that_is_an_opt_out_opts_the_person_out_in_the_same_transaction() -> None:
    [message, other] = sent_messages(2)
    knock(said(message.pk, "failed", opted_out=True), said(other.pk, "failed"))

    work_off_all()

    assert [consent.state(each.address, "sms") for each in (message, other)] == ["opted_out", None]
    assert consent.state(message.address, "whatsapp") is None


def test_an_opt_out_counts_also_for_a_message_that_does_not_move() -> None:
    [message] = sent_messages(1)
    receipts.apply(ALIAS, [Receipt("failed", NOON, reference=str(message.pk))])

    applied = receipts.apply(ALIAS, [Receipt("failed", NOON, reference=str(message.pk), opted_out=True)])

    assert applied.moved == 0
    assert consent.state(message.address, "sms") == "opted_out"


# --- early and unmatched ---


def test_an_early_receipt_waits_for_its_message() -> None:
    [message] = sent_messages(1)
    OutboundMessage.objects.filter(pk=message.pk).update(provider_message_id="")
    knock(said("", "delivered", id="SM1"))
    work_off_all()

    waiting = UnmatchedReceipt.objects.get()
    assert (waiting.alias, waiting.provider_message_id, waiting.status, waiting.at) == (ALIAS, "SM1", "delivered", NOON)
    wait_is_over()
    assert unmatched.try_again() == 0
    OutboundMessage.objects.filter(pk=message.pk).update(provider_message_id="SM1")
    assert unmatched.try_again() == 0, "its next try is later"
    wait_is_over()
    assert recovery.sweep().matched == 1

    assert statuses(message.campaign) == ["delivered"]
    assert not UnmatchedReceipt.objects.exists()


def test_what_is_tried_again_keeps_all_that_was_said() -> None:
    [message] = sent_messages(1)
    knock(said("", "failed", id="SM\x002", error="switched\x00 off", opted_out=True))
    work_off_all()
    OutboundMessage.objects.filter(pk=message.pk).update(provider_message_id="SM2")
    wait_is_over()

    unmatched.try_again()

    message.refresh_from_db()
    assert (message.status, message.last_error) == ("failed", "switched off")
    assert consent.state(message.address, "sms") == "opted_out"


def test_it_waits_as_long_again_as_it_has_waited_and_a_minute_at_most() -> None:
    knock(said("", "sent", id="SM1"))
    work_off_all()
    for age, wait in [(4, 4), (30, 30), (300, 60)]:
        UnmatchedReceipt.objects.update(received_at=Now() - timedelta(seconds=age), next_try_at=Now())
        unmatched.try_again()
        row = UnmatchedReceipt.objects.get()
        assert row.next_try_at is not None
        assert (row.next_try_at - row.tried_at).total_seconds() == pytest.approx(wait, abs=1)


def test_after_ten_minutes_it_is_kept_and_tried_no_more(caplog: pytest.LogCaptureFixture) -> None:
    knock(said("999999999", "sent"))
    work_off_all()
    UnmatchedReceipt.objects.update(received_at=Now() - timedelta(minutes=10), next_try_at=Now())

    assert unmatched.try_again() == 0

    assert UnmatchedReceipt.objects.get().next_try_at is None
    assert "receipts_unmatched" in caplog.text
    assert unmatched.counts(10) == (0, 1)


def test_another_accounts_message_is_not_matched() -> None:
    [message] = sent_messages(1)
    OutboundMessage.objects.filter(pk=message.pk).update(provider="other")
    knock(said(message.pk, "delivered"))

    work_off_all()

    assert statuses(message.campaign) == ["sent"]
    assert UnmatchedReceipt.objects.count() == 1


def test_many_are_tried_some_at_a_time_one_account_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmatched, "MOST", 2)
    calls: list[tuple[str, int]] = []

    def apply(alias: str, given: list[Receipt]) -> receipts.Applied:
        calls.append((alias, len(given)))
        return receipts.Applied(0, [])

    monkeypatch.setattr(receipts, "apply", apply)
    for n, alias in enumerate(["a", "a", "a", "b", "b", "a"]):
        unmatched.keep(alias, [Receipt("sent", NOON, reference=str(n))])
    wait_is_over()

    assert unmatched.try_again() == 6

    assert sorted(calls) == [("a", 2), ("a", 2), ("b", 2)]


# --- several at once ---


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_the_requests_and_apply_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_EVENTS", 3)
    messages = sent_messages(20)
    for message in messages:
        for status in ("sent", "delivered", "read"):
            knock(said(message.pk, status))
    applied = HookEvent.objects.count()
    counts: list[int] = []

    def work() -> None:
        while count := hooks.work_off():
            counts.append(count)

    in_threads(work, work, work)
    # A worker that found all others' requests locked has gone; what is left is the next bell's.
    counts.append(work_off_all())

    assert sum(counts) == applied == 60
    assert statuses(messages[0].campaign) == ["read"] * 20


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_leaves_it_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    [message] = sent_messages(1)
    knock(said(message.pk, "delivered"), said("999999999", "read"))
    mark = hooks._mark
    killed = threading.Event()

    def kill_us(*given: Any, **named: Any) -> None:
        mark(*given, **named)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [own] = cursor.fetchone()
        with transaction.get_connection().cursor() as cursor:
            killed.set()
            cursor.execute("SELECT pg_terminate_backend(%s)", [own])

    def die() -> None:
        monkeypatch.setattr(hooks, "_mark", kill_us)
        with pytest.raises(DatabaseError):
            hooks.work_off()

    in_threads(die)
    assert killed.is_set()
    assert (statuses(message.campaign), UnmatchedReceipt.objects.count()) == (["sent"], 0)
    monkeypatch.setattr(hooks, "_mark", mark)

    assert hooks.work_off() == 1
    assert (statuses(message.campaign), UnmatchedReceipt.objects.count()) == (["delivered"], 1)


@pytest.mark.django_db(transaction=True)
def test_receipts_that_come_while_the_answer_is_still_out_and_delivery_agree(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor names its own ids in receipts, and posts them before the worker has written those ids down."""
    campaign = sending_campaign(200)
    outbox.answer = lambda envelope: base.Accepted(f"SM{envelope.reference}")
    monkeypatch.setattr(outbox, "capabilities", base.Capabilities(in_flight=10))
    ids = list(OutboundMessage.objects.filter(campaign=campaign).values_list("pk", flat=True))
    done = threading.Event()

    def deliver() -> None:
        deliver_due()
        done.set()

    def tell() -> None:
        at = datetime.now(UTC)
        for pk in ids:
            for receipt in (
                Receipt("read", at, provider_message_id=f"SM{pk}"),
                Receipt("delivered", at, reference=str(pk)),
            ):
                with transaction.atomic():
                    unmatched.keep("memory", receipts.apply("memory", [receipt]).unmatched)

    def try_again() -> None:
        while not done.is_set():
            wait_is_over()
            unmatched.try_again()

    in_threads(deliver, tell, try_again)
    # What was `pending` when its receipt came by reference has been matched and could not move; the other says `read`.
    wait_is_over()
    unmatched.try_again()

    assert statuses(campaign) == ["read"] * 200
    assert not UnmatchedReceipt.objects.exists()


def test_the_providers_id_is_written_down_also_when_a_receipt_by_reference_was_faster() -> None:
    campaign = sending_campaign(3)
    early = OutboundMessage.objects.filter(campaign=campaign).earliest("id")
    lease = leases.take()
    assert lease is not None
    rows = delivery._mark(lease, after=0, limit=3)
    receipts.apply("memory", [Receipt("delivered", NOON, reference=str(early.pk))])
    settling.settle(
        lease, [row[0] for row in rows], [Verdict(Status.SENT, provider_message_id=f"SM{row[0]}") for row in rows]
    )

    assert statuses(campaign) == ["delivered", "sent", "sent"]
    assert receipts.apply("memory", [Receipt("read", NOON, provider_message_id=f"SM{early.pk}")]).moved == 1


# --- replies ---


def test_replies_are_kept_once_by_the_vendors_id(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = base.Reply("whatsapp", "+254712345678", "STOP\x00", NOON, "wamid.1", to="254700", wish="opt_out")

    inbound.take("a", [reply, reply])
    inbound.take("a", [reply])
    inbound.take("b", [reply])
    inbound.take("a", [base.Reply("sms", "+254712345678", "hi", NOON)] * 2)

    kept = Reply.objects.filter(provider_message_id="wamid.1").order_by("alias")
    assert [each.alias for each in kept] == ["a", "b"]
    assert (kept[0].text, kept[0].to, kept[0].wish, kept[0].at) == ("STOP", "254700", "opt_out", NOON)
    assert Reply.objects.filter(provider_message_id="").count() == 2


# --- opt-outs of nobody knows whom ---


def opt_out_of(**fields: Any) -> Receipt:
    return Receipt("failed", NOON, **{"opted_out": True} | fields)


def test_an_opt_out_that_names_no_message_but_a_number_counts_at_once() -> None:
    hit = opt_out_of(provider_message_id="SM1", to="+254712345678", channel="whatsapp")

    for _ in range(2):
        assert receipts.apply(ALIAS, [hit]).unmatched == [hit]

    assert consent.state("+254712345678", "whatsapp") == "opted_out"
    assert consent.state("+254712345678", "sms") is None
    [event] = consent.history("+254712345678")
    assert (event.source, event.note, event.at, event.message_id) == ("provider", ALIAS, NOON, None)


def test_a_receipt_that_is_no_opt_out_opts_nobody_out_whatever_number_it_names() -> None:
    receipts.apply(ALIAS, [Receipt("failed", NOON, provider_message_id="SM1", to="+254712345678")])

    assert consent.state("+254712345678", "sms") is None


@pytest.mark.parametrize("number", ["CLARION", "40404", "+2547\x00", ""])
def test_a_number_that_is_none_costs_no_other_receipt_its_effect(number: str) -> None:
    [message] = sent_messages(1)

    applied = receipts.apply(
        ALIAS, [opt_out_of(provider_message_id="SM1", to=number), Receipt("delivered", NOON, reference=str(message.pk))]
    )

    assert (applied.moved, len(applied.unmatched)) == (1, 1)


def test_the_number_of_a_known_message_is_the_one_that_we_wrote_to() -> None:
    [message] = sent_messages(1)

    receipts.apply(ALIAS, [opt_out_of(reference=str(message.pk), to="+254700000000")])

    assert consent.state(message.address, "sms") == "opted_out"
    assert consent.state("+254700000000", "sms") is None


def test_an_opt_out_that_answers_to_our_answer_is_that_of_who_had_written() -> None:
    reply = Reply.objects.create(alias=ALIAS, channel="sms", phone="+254712345678", text="HELP", at=NOON)
    other = Reply.objects.create(alias="other", channel="sms", phone="+254712345679", text="HELP", at=NOON)

    applied = receipts.apply(ALIAS, [opt_out_of(reference=f"reply-{each.pk}") for each in (reply, other)])

    assert consent.state("+254712345678", "sms") == "opted_out"
    assert consent.state("+254712345679", "sms") is None
    assert [each.reference for each in applied.unmatched] == [f"reply-{other.pk}"]


def test_a_tests_opt_out_of_nobody_knows_whom_is_kept_to_be_looked_at_and_any_other_receipt_of_it_is_not() -> None:
    knock(said("test-1", "failed", opted_out=True), said("test-2", "failed"), said("reply-99", "delivered"))

    work_off_all()

    row = UnmatchedReceipt.objects.get()
    assert (row.reference, row.opted_out) == ("test-1", True)


def test_an_opt_out_finds_its_message_also_when_it_is_known_days_later() -> None:
    [message] = sent_messages(1)
    OutboundMessage.objects.filter(pk=message.pk).update(provider_message_id="")
    knock(said("", "failed", id="SM1", opted_out=True), said("", "delivered", id="SM2"))
    work_off_all()
    UnmatchedReceipt.objects.update(received_at=Now() - timedelta(days=3), next_try_at=Now())
    unmatched.try_again()
    assert list(UnmatchedReceipt.objects.filter(next_try_at=None).values_list("opted_out", flat=True)) == [False]
    wish = UnmatchedReceipt.objects.get(opted_out=True)
    assert wish.next_try_at is not None
    assert (wish.next_try_at - wish.tried_at).days in (2, 3), "as long again as it has waited"

    OutboundMessage.objects.filter(pk=message.pk).update(provider_message_id="SM1")
    wait_is_over()
    assert unmatched.try_again() == 1

    assert consent.state(message.address, "sms") == "opted_out"


def test_an_opt_out_that_nobody_knows_after_a_week_stays_in_the_list_as_what_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    knock(said("", "failed", id="SM1", opted_out=True), said("", "sent", id="SM2"))
    work_off_all()
    UnmatchedReceipt.objects.update(received_at=Now() - timedelta(days=8), next_try_at=Now())

    unmatched.try_again()

    assert UnmatchedReceipt.objects.filter(next_try_at=None, opted_out=True).count() == 1
    [line] = [record.msg for record in caplog.records if "receipts_unmatched" in str(record.msg)]
    assert isinstance(line, dict)
    assert (line["receipts"], line["opted_out"]) == (2, 1)
