"""A STOP counts each time it is said, and whichever way the vendor writes the number of whoever said it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from customers import consent
from customers.models import ConsentState
from messaging import accounts, hooks, inbound, senders
from messaging.models import HookEvent, Reply
from messaging.providers.base import Reply as Said
from messaging.purge import purge_received
from tests.door.knocking import address

pytestmark = pytest.mark.django_db

PHONE = "+254712345678"
KANNEL = {"url": "http://127.0.0.1:1/cgi-bin/sendsms", "username": "u", "password": "p", "sender": "CLARION"}
AFRICAS_TALKING = {"username": "clarion", "api_key": "k"}


@pytest.fixture
def vendors(settings: Any) -> None:
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {
        "gateway": {"BACKEND": "messaging.providers.kannel.Kannel", "OPTIONS": KANNEL},
        "talking": {"BACKEND": "messaging.providers.africas_talking.AfricasTalking", "OPTIONS": AFRICAS_TALKING},
    }
    senders.ensure()
    accounts.forget()


def tell(alias: str, **fields: str) -> None:
    if alias == "gateway":
        answer = Client().get(f"{address(alias)}?{urlencode(fields)}")
    else:
        kind = "application/x-www-form-urlencoded"
        answer = Client().post(address(alias), data=urlencode(fields), content_type=kind)
    assert answer.status_code == 200
    while hooks.work_off():
        pass


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize(
    ("alias", "fields"),
    [("talking", {"senderId": "CLARION", "phoneNumber": PHONE}), ("gateway", {"from": PHONE, "text": "STOP"})],
)
def test_who_stops_comes_back_and_stops_again_is_stopped(alias: str, fields: dict[str, str]) -> None:
    tell(alias, **fields)
    consent.opt_in(phone=PHONE, channel="sms", source="reply")

    tell(alias, **fields)

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


@pytest.mark.usefixtures("vendors")
def test_a_start_that_the_vendor_repeats_does_not_undo_the_stop_in_between() -> None:
    tell("gateway", **{"from": PHONE, "text": "START"})
    tell("gateway", **{"from": PHONE, "text": "STOP"})

    tell("gateway", **{"from": PHONE, "text": "START"})

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


def forget_requests() -> None:
    """As `manage.py purge` does when they are old."""
    HookEvent.objects.update(received_at=Now() - timedelta(days=91))
    assert sum(purge_received(timedelta(days=90))) > 0


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize("more", [{}, {"id": "1"}, {"at": "2026-11-20 08:00:00"}, {"at": "2999-01-01"}])
def test_an_old_start_replayed_when_its_request_is_purged_does_not_undo_the_stop(more: dict[str, str]) -> None:
    tell("gateway", **{"from": PHONE, "text": "START"} | more)
    tell("gateway", **{"from": PHONE, "text": "STOP"})
    forget_requests()

    tell("gateway", **{"from": PHONE, "text": "START"} | more)

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


@pytest.mark.usefixtures("vendors")
def test_a_start_that_may_be_old_is_left_to_a_person_and_not_answered() -> None:
    tell("gateway", **{"from": PHONE, "text": "START"})
    tell("gateway", **{"from": PHONE, "text": "STOP"})
    forget_requests()

    tell("gateway", **{"from": PHONE, "text": "START"})

    reply = Reply.objects.latest("id")
    assert (reply.wish, reply.heard, reply.answer_status) == ("opt_in", "among_others", "")


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"id": "1"}, {"id": "2"}),
        ({"text": "START"}, {"text": "Start!"}),
        ({"at": "2026-11-20 08:00:00"}, {"at": ""}),
    ],
)
def test_who_starts_anew_is_written_to_again(first: dict[str, str], again: dict[str, str]) -> None:
    """By a new id, in other words, or at a time of which the vendor says that it is later than the STOP."""
    start = {"from": PHONE, "text": "START"}
    tell("gateway", **start | first)
    tell("gateway", **{"from": PHONE, "text": "STOP"})
    if "at" in again:
        again = {"at": str(timezone.now())}

    tell("gateway", **start | again)

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_IN


@pytest.mark.usefixtures("vendors")
def test_any_other_reply_without_an_id_is_kept_once() -> None:
    for _ in range(2):
        tell("gateway", **{"from": PHONE, "text": "asante"})

    assert Reply.objects.count() == 1


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize(
    "written", [PHONE, "254712345678", "0712345678", "712345678", "00254712345678", "0712 345-678", " +254 712 345678"]
)
@pytest.mark.parametrize("alias", ["gateway", "talking"])
def test_a_stop_counts_however_the_carrier_writes_the_number(alias: str, written: str) -> None:
    tell(alias, **{"from": written, "text": "STOP", "id": "1", "to": "12345"})

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


@pytest.mark.parametrize(
    ("whatsapp", "number"), [("+5215512345678", "+525512345678"), ("+551187654321", "+5511987654321")]
)
def test_a_stop_under_an_old_whatsapp_id_counts_for_the_number_we_write_to(whatsapp: str, number: str) -> None:
    inbound.take("memory", [Said("whatsapp", whatsapp, "STOP", timezone.now())])

    assert consent.state(number, "whatsapp") == ConsentState.OPTED_OUT


@pytest.mark.parametrize("number", ["+254712345678", "+5491123456789", "+551123456789", "+12025550123"])
def test_a_valid_number_stays_as_it_is(number: str) -> None:
    inbound.take("memory", [Said("whatsapp", number, "STOP", timezone.now())])

    assert Reply.objects.get().phone == number


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize("at", ["25/11/2026 08:00", "yesterday", "99999999999999999999"])
def test_a_stop_counts_also_when_its_time_cannot_be_read(at: str) -> None:
    tell("gateway", **{"from": PHONE, "text": "STOP", "at": at})

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


@pytest.mark.parametrize("minutes", [1, 300])
def test_a_stop_beats_what_somebody_else_wrote_down_whatever_the_vendors_clock_says(minutes: int) -> None:
    consent.opt_in(phone=PHONE, channel="sms", source="api")

    inbound.take("memory", [Said("sms", PHONE, "STOP", timezone.now() - timedelta(minutes=minutes))])

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT


def test_a_stop_that_comes_late_leaves_alone_what_the_person_wrote_later() -> None:
    now = timezone.now()
    inbound.take("memory", [Said("sms", PHONE, "START", now - timedelta(minutes=1))])

    inbound.take("memory", [Said("sms", PHONE, "STOP", now - timedelta(minutes=2))])

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_IN


def test_a_stop_of_somebody_else_under_an_id_that_the_vendor_used_before_counts() -> None:
    now = timezone.now()
    inbound.take("memory", [Said("sms", "+254712345670", "hello", now, provider_message_id="7")])

    inbound.take("memory", [Said("sms", PHONE, "STOP", now, provider_message_id="7")])

    assert consent.state(PHONE, "sms") == ConsentState.OPTED_OUT
