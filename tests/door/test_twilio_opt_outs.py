"""Twilio's own opt-out and ours beside each other: a person hears one confirmation, over real HTTP."""

import pytest
from django.conf import settings
from django.test import Client

from customers import consent
from messaging import accounts, answers, hooks, senders
from messaging.models import Reply
from messaging.providers.base import OptedOut
from tests.door.knocking import address
from tests.providers.answers import twilio
from tests.providers.conftest import Through, server, through
from tests.providers.server import Server

pytestmark = pytest.mark.django_db
__all__ = ["server", "through"]

PHONE = "+254712345671"


@pytest.fixture(autouse=True)
def _twilio(through: Through, server: Server) -> None:
    server.script = lambda _: twilio.EXAM.accepted
    through("twilio.Twilio", account_sid=twilio.ACCOUNT, auth_token=twilio.TOKEN, sender="+15005550006")
    senders.ensure()
    accounts.forget()


def says(text: str, **fields: str) -> Reply:
    """The person's words as Twilio posts them, signed for the address that it called."""
    path = address(settings.MESSAGE_ROUTES["sms"])
    more = {"From": PHONE, "To": "+15005550006", "Body": text, "MessageSid": f"SM{Reply.objects.count():032x}"}
    hook = twilio.hook(f"http://testserver{path}", **more, **fields)
    answer = Client().post(
        path,
        data=hook.body,
        content_type=hook.headers["content-type"],
        headers={"x-twilio-signature": hook.headers["x-twilio-signature"]},
    )
    assert (answer.status_code, answer.content) == (200, b"<Response/>")
    while hooks.work_off():
        pass
    return Reply.objects.latest("id")


@pytest.mark.parametrize(
    ("word", "kind", "wish", "state"),
    [
        ("STOP", "STOP", "opt_out", "opted_out"),
        ("acha", "stop", "opt_out", "opted_out"),
        ("START", "START", "opt_in", "opted_in"),
        ("HELP", "HELP", "help", None),
    ],
)
def test_what_advanced_opt_out_has_answered_we_do_not_answer_again(
    server: Server, word: str, kind: str, wish: str, state: str | None
) -> None:
    reply = says(word, OptOutType=kind)

    assert (reply.wish, reply.heard, reply.answer, reply.answer_status) == (wish, "vendor", "", "")
    assert consent.state(PHONE, "sms") == state
    assert answers.answer_due() == 0
    assert server.asked == []


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_without_it_we_answer_once(server: Server, word: str) -> None:
    reply = says(word)

    assert answers.answer_due() == 1
    assert answers.answer_due() == 0
    reply.refresh_from_db()
    assert reply.answer_status == "sent"
    assert len(server.asked) == 1


def test_a_confirmation_that_twilio_blocks_is_given_up_and_changes_no_consent(server: Server) -> None:
    server.script = lambda _: twilio.refused(OptedOut, 21610)
    reply = says("STOP")

    assert answers.answer_due() == 0
    assert answers.answer_due() == 0

    reply.refresh_from_db()
    assert (reply.answer_status, reply.answer_until) == ("failed", None)
    assert reply.answer_error == "code 21610: the person replied STOP"
    assert len(server.asked) == 1
    assert consent.state(PHONE, "sms") == "opted_out"


def test_who_comes_back_after_a_block_is_confirmed(server: Server) -> None:
    server.script = lambda _: twilio.refused(OptedOut, 21610)
    says("STOP")
    answers.answer_due()
    server.script = lambda _: twilio.EXAM.accepted

    reply = says("START")
    assert answers.answer_due() == 1

    reply.refresh_from_db()
    assert reply.answer_status == "sent"
    assert consent.state(PHONE, "sms") == "opted_in"
