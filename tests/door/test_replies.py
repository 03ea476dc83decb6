"""What people write back: kept, understood, written down as consent in the same transaction, and answered once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from config import tokens
from customers import consent
from customers.models import ConsentAnswer, ConsentEvent
from messaging import answers, errands, inbound, receipts
from messaging.models import OutboundMessage, Reply
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, Receipt, StopAll, TryLater, Unknown
from messaging.providers.base import Reply as Said
from messaging.providers.memory import Memory
from tests import factories
from tests.admin.conftest import MARKETING, client_with
from tests.api.conftest import caller_with, user_with
from tests.messaging.driving import deliver_due, sending_campaign, statuses

pytestmark = pytest.mark.django_db

PHONE = "+254712345678"
ALIAS = "memory"


def said(text: str, phone: str = PHONE, **fields: Any) -> Said:
    return Said("sms", phone, text, **{"at": timezone.now()} | fields)


def hear(text: str, phone: str = PHONE, **fields: Any) -> Reply:
    inbound.take(ALIAS, [said(text, phone, **fields)])
    return Reply.objects.latest("id")


@pytest.mark.parametrize(
    ("text", "wish", "heard", "state"),
    [
        ("STOP", "opt_out", "exact", "opted_out"),
        (" stop!! 🙏", "opt_out", "exact", "opted_out"),
        ("Unsubscribbe", "opt_out", "typo", "opted_out"),
        ("قف", "opt_out", "exact", "opted_out"),
        ("ARRÊT", "opt_out", "exact", "opted_out"),
        ("please stop writing to me", "opt_out", "among_others", None),
        ("START", "opt_in", "exact", "opted_in"),
        ("HELP", "help", "exact", None),
        ("asante sana", "", "", None),
        ("", "", "", None),
    ],
)
def test_a_certain_wish_becomes_consent_and_an_uncertain_one_is_kept_for_a_person(
    text: str, wish: str, heard: str, state: str | None
) -> None:
    reply = hear(text)

    assert (reply.text, reply.wish, reply.heard) == (text, wish, heard)
    assert consent.state(PHONE, "sms") == state
    assert consent.state(PHONE, "whatsapp") is None


def test_a_wish_says_who_when_in_which_words_and_after_which_message(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    deliver_due()
    [message] = OutboundMessage.objects.all()
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)

    reply = hear("Stop.", message.address, at=at, provider_message_id="SM1")

    assert (reply.campaign_id, reply.message_id, reply.at) == (campaign.pk, message.pk, at)
    [event] = ConsentEvent.objects.all()
    assert (event.phone, event.words, event.message_id, event.at) == (message.address, "Stop.", message.pk, at)
    assert (event.source, event.state, event.channel) == ("reply", "opted_out", "sms")


def test_a_stop_in_mid_campaign_wins_over_what_is_still_pending(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    first, second = OutboundMessage.objects.order_by("id")
    hear("STOP", second.address)

    deliver_due()

    assert statuses(campaign) == ["sent", "skipped"]
    assert [envelope.to for envelope in outbox.outbox] == [first.address]


def test_a_reply_that_the_vendor_repeats_is_kept_once_and_adds_nothing_to_the_ledger() -> None:
    assert inbound.take(ALIAS, [said("STOP", provider_message_id="SM1")]) == 1
    assert inbound.take(ALIAS, [said("STOP", provider_message_id="SM1"), said("hi", provider_message_id="SM2")]) == 1

    assert Reply.objects.count() == 2
    assert ConsentEvent.objects.count() == 1


def test_what_the_vendor_understood_counts_and_is_answered_by_the_vendor() -> None:
    reply = hear("arrêtez tout de suite", wish="opt_out")

    assert (reply.wish, reply.heard, reply.answer, reply.answer_status) == ("opt_out", "vendor", "", "")
    assert consent.state(PHONE, "sms") == "opted_out"


@pytest.mark.parametrize("phone", ["+22141", "+254712345678901234567890"])
def test_a_short_code_that_writes_is_kept_and_gives_no_consent(phone: str) -> None:
    reply = hear("STOP", phone)

    assert (reply.phone, reply.wish, reply.answer) == (phone, "opt_out", "")
    assert not ConsentEvent.objects.exists()


def test_an_older_stop_that_comes_late_does_not_undo_a_newer_start() -> None:
    hear("START")
    hear("STOP", at=timezone.now() - timedelta(days=1))

    assert consent.state(PHONE, "sms") == "opted_in"


def test_a_deleted_campaign_leaves_the_reply() -> None:
    campaign = factories.CampaignFactory.create()
    reply = hear("hi")
    Reply.objects.filter(pk=reply.pk).update(campaign=campaign)

    campaign.remove()

    reply.refresh_from_db()
    assert reply.campaign_id is None


# --- answers ---


def test_one_confirmation_goes_out_also_to_who_has_just_opted_out(outbox: Memory) -> None:
    reply = hear("Acha")
    assert reply.answer_status == "due"

    assert answers.answer_due() == 1
    assert answers.answer_due() == 0

    [envelope] = outbox.outbox
    expected = ConsentAnswer.objects.get(language="sw", wish="opt_out").text
    assert (envelope.to, envelope.text, envelope.reference) == (PHONE, expected, f"reply-{reply.pk}")
    reply.refresh_from_db()
    assert (reply.answer_status, reply.answer_error) == ("sent", "")


def test_a_wish_that_is_known_already_is_not_confirmed_again(outbox: Memory) -> None:
    inbound.take(ALIAS, [said("STOP"), said("STOP")])
    hear("STOP")
    hear("START")

    answers.answer_due()

    assert [(reply.wish, bool(reply.answer)) for reply in Reply.objects.order_by("id")] == [
        ("opt_out", True),
        ("opt_out", False),
        ("opt_out", False),
        ("opt_in", True),
    ]
    assert len(outbox.outbox) == 2


def test_help_is_given_once_an_hour_so_that_two_machines_do_not_talk_for_ever(outbox: Memory) -> None:
    hear("HELP")
    hear("help")
    Reply.objects.update(received_at=timezone.now() - timedelta(hours=2))
    hear("INFO")

    assert [bool(reply.answer) for reply in Reply.objects.order_by("id")] == [True, False, True]


def test_no_text_in_the_list_of_answers_means_no_answer(outbox: Memory) -> None:
    ConsentAnswer.objects.all().delete()

    assert hear("STOP").answer_status == ""
    assert answers.answer_due() == 0


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Accepted("x"), "sent"),
        (TryLater("busy"), "due"),
        (StopAll("no credit"), "due"),
        (GiveUp("no such number"), "failed"),
        (Unknown("no answer"), "unknown"),
    ],
)
def test_an_answer_is_tried_again_only_when_it_was_surely_not_taken(
    outcome: Outcome, status: str, outbox: Memory
) -> None:
    outbox.answer = lambda _envelope: outcome
    reply = hear("STOP")

    answers.answer_due()
    answers.answer_due()

    reply.refresh_from_db()
    assert reply.answer_status == status
    assert len(outbox.outbox) == 1
    Reply.objects.update(answer_until=timezone.now() - timedelta(seconds=1))
    answers.answer_due()
    assert len(outbox.outbox) == (2 if status == "due" else 1)


def test_what_the_vendor_says_of_an_opt_out_when_it_is_handed_an_answer_is_kept(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: OptedOut("on the block list")
    reply = hear("HELP")

    answers.answer_due()

    reply.refresh_from_db()
    assert (reply.answer_status, reply.answer_error) == ("failed", "on the block list")
    event = ConsentEvent.objects.get()
    assert (event.phone, event.state, event.source, event.note) == (PHONE, "opted_out", "provider", ALIAS)


def test_a_confirmation_that_would_come_later_than_five_minutes_is_not_sent(outbox: Memory) -> None:
    reply = hear("STOP", at=timezone.now() - timedelta(minutes=6))

    answers.answer_due()

    reply.refresh_from_db()
    assert reply.answer_status == "expired"
    assert outbox.outbox == []


def test_an_answer_whose_worker_died_on_the_wire_is_unknown_and_never_repeated(outbox: Memory) -> None:
    reply = hear("STOP")
    assert answers._claim() is not None

    assert answers.answer_due() == 0
    Reply.objects.update(answer_until=timezone.now() - timedelta(seconds=1))
    assert answers.answer_due() == 0

    reply.refresh_from_db()
    assert reply.answer_status == "unknown"
    assert outbox.outbox == []


def test_the_errands_answer(outbox: Memory) -> None:
    hear("STOP")
    errands.run()
    assert len(outbox.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_answers(outbox: Memory) -> None:
    for number in range(20):
        hear("STOP", f"+2547123456{number:02}")

    def work() -> None:
        try:
            answers.answer_due()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outbox.outbox) == len({envelope.reference for envelope in outbox.outbox}) == 20


def test_who_says_start_and_then_stop_is_not_welcomed(outbox: Memory) -> None:
    hear("STOP")
    hear("START")
    hear("STOP")

    assert answers.answer_due() == 2

    welcome = Reply.objects.get(text="START")
    assert (welcome.answer_status, welcome.answer in {envelope.text for envelope in outbox.outbox}) == (
        "expired",
        False,
    )


def test_a_receipt_of_an_answer_or_a_test_is_no_unmatched_one() -> None:
    now = timezone.now()
    applied = receipts.apply(ALIAS, [Receipt("sent", now, reference=name) for name in ("reply-7", "test-a", "x9")])

    assert [receipt.reference for receipt in applied.unmatched] == ["x9"]


# --- where people look for it ---


def everything(outbox: Memory) -> OutboundMessage:
    """A customer who got a message, replied, opted out and in."""
    sending_campaign(1, name="Harambee", base_template="Hi")
    outbox.answer = lambda _envelope: Accepted("m1")
    deliver_due()
    [message] = OutboundMessage.objects.all()
    receipts.apply(ALIAS, [Receipt("delivered", timezone.now(), reference=str(message.pk))])
    hear("STOP", message.address)
    hear("START", message.address)
    return message


def test_a_customers_timeline_tells_it_all_the_latest_first(outbox: Memory) -> None:
    message = everything(outbox)
    api = caller_with(tokens.create(user_with(sorted(tokens.PERMISSIONS)), "test")[1])

    found = api.get(f"/api/v1/customers/{message.customer_id}/timeline").json()

    whats = [moment["what"] for moment in found]
    assert sorted(whats) == sorted(["written", "sent", "delivered", "replied", "replied", "opted_out", "opted_in"])
    assert [moment["at"] for moment in found] == sorted((moment["at"] for moment in found), reverse=True)
    assert {moment["message"] for moment in found} == {message.pk}
    assert api.get("/api/v1/customers/999999/timeline").status_code == 404
    assert (
        caller_with(tokens.create(user_with(["customers.view_customer"]), "less")[1])
        .get(f"/api/v1/customers/{message.customer_id}/timeline")
        .status_code
        == 403
    )


def test_a_message_that_was_not_sent_says_why_in_the_timeline(outbox: Memory) -> None:
    sending_campaign(1)
    outbox.answer = lambda _envelope: GiveUp("no such number")
    deliver_due()
    [message] = OutboundMessage.objects.all()
    api = caller_with(tokens.create(user_with(sorted(tokens.PERMISSIONS)), "test")[1])

    [latest, *_] = api.get(f"/api/v1/customers/{message.customer_id}/timeline").json()

    assert (latest["what"], latest["reason"]) == ("failed", "rejected")
    assert "The provider refused it for good." in latest["sentence"]


def test_replies_are_found_by_campaign_phone_and_wish(outbox: Memory) -> None:
    message = everything(outbox)
    hear("jambo", "+254700000001")
    api: APIClient = caller_with(tokens.create(user_with(sorted(tokens.PERMISSIONS)), "test")[1])

    def found(**query: Any) -> list[str]:
        return [reply["text"] for reply in api.get("/api/v1/replies", query).json()["results"]]

    assert found() == ["jambo", "START", "STOP"]
    assert found(campaign=message.campaign_id) == ["START", "STOP"]
    assert found(phone="+254700000001") == ["jambo"]
    assert found(wish="opt_out") == ["STOP"]
    assert api.get("/api/v1/replies", {"wish": "nonsense"}).status_code == 400


def test_the_admin_shows_replies_at_the_customer_and_the_campaign(outbox: Memory) -> None:
    message = everything(outbox)
    seen = (*MARKETING, "messaging.view_reply", "customers.view_consentevent")
    marketer: Client = client_with(tuple(dict.fromkeys(seen)))

    by_campaign = marketer.get(f"/admin/messaging/reply/?campaign__id__exact={message.campaign_id}")
    assert by_campaign.context["cl"].result_count == 2
    by_phone = marketer.get("/admin/messaging/reply/", {"phone__exact": message.address})
    assert by_phone.context["cl"].result_count == 2
    reply = Reply.objects.earliest("id")
    assert str(message.pk) in marketer.get(f"/admin/messaging/reply/{reply.pk}/change/").content.decode()
    page = marketer.get(f"/admin/customers/customer/{message.customer_id}/change/").content.decode()
    assert f"/admin/customers/customer/{message.customer_id}/timeline/" in page
    timeline = marketer.get(f"/admin/customers/customer/{message.customer_id}/timeline/").content.decode()
    assert "That of “Harambee” was delivered." in timeline
    assert "START" in timeline
    campaign = marketer.get(f"/admin/campaigns/campaign/{message.campaign_id}/change/").content.decode()
    assert f"/admin/messaging/reply/?campaign__id__exact={message.campaign_id}" in campaign


def test_who_may_not_see_replies_sees_no_timeline(outbox: Memory) -> None:
    message = everything(outbox)
    viewer = client_with(("customers.view_customer",))

    assert viewer.get(f"/admin/customers/customer/{message.customer_id}/timeline/").status_code == 403
    assert viewer.get("/admin/messaging/reply/").status_code == 403
