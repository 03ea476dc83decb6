"""One text to one number, outside the ledger."""

import pytest

from customers import consent
from customers.models import ConsentEvent, ConsentState
from messaging import providers, trial
from messaging.models import OutboundMessage
from messaging.providers.base import Accepted, OptedOut, Outcome
from messaging.providers.memory import Memory
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_test_send_goes_out_at_once_and_leaves_no_row(outbox: Memory) -> None:
    campaign = factories.CampaignFactory.create()

    outcome = trial.send_test(campaign, phone="+254712345678", text="Hi", reference="a1")

    assert isinstance(outcome, Accepted)
    [sent] = outbox.outbox
    assert (sent.to, sent.text, sent.reference) == ("+254712345678", "Hi", "test-a1")
    assert not OutboundMessage.objects.exists()


def test_a_number_that_opted_out_gets_no_test(outbox: Memory) -> None:
    consent.opt_out(phone="+254712345678", channel="sms", source="reply")

    outcome = trial.send_test(factories.CampaignFactory.create(), phone="+254712345678", text="Hi", reference="a1")

    assert isinstance(outcome, OptedOut)
    assert outbox.outbox == []


def test_what_the_vendor_says_of_an_opt_out_is_kept_and_holds_for_every_account(outbox: Memory) -> None:
    campaign = factories.CampaignFactory.create()
    outbox.answer = lambda _: OptedOut("21610")

    trial.send_test(campaign, phone="+254712345678", text="Hi", reference="a1")
    trial.send_test(campaign, phone="+254712345678", text="Hi", reference="a2")

    event = ConsentEvent.objects.get()
    assert (event.phone, event.channel, event.state) == ("+254712345678", "sms", "opted_out")
    assert (event.source, event.note, event.message_id) == ("provider", "memory", None)
    assert len(outbox.outbox) == 1


def test_who_opts_in_while_the_vendor_answers_has_said_so_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(_alias: str, _envelopes: object) -> list[Outcome]:
        consent.opt_in(phone="+254712345678", channel="sms", source="reply")
        return [OptedOut("21610")]

    monkeypatch.setattr(providers, "submit", submit)

    trial.send_test(factories.CampaignFactory.create(), phone="+254712345678", text="Hi", reference="a1")

    assert consent.state("+254712345678", "sms") == ConsentState.OPTED_IN
    assert consent.history("+254712345678").count() == 2
