"""One text to one number, outside the ledger."""

import pytest

from customers import consent
from messaging import dispatch
from messaging.models import OutboundMessage
from messaging.providers.base import Accepted, OptedOut
from messaging.providers.memory import Memory
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_test_send_goes_out_at_once_and_leaves_no_row(outbox: Memory) -> None:
    campaign = factories.CampaignFactory.create()

    outcome = dispatch.send_test(campaign, phone="+254712345678", text="Hi", reference="a1")

    assert isinstance(outcome, Accepted)
    [sent] = outbox.outbox
    assert (sent.to, sent.text, sent.reference) == ("+254712345678", "Hi", "test-a1")
    assert not OutboundMessage.objects.exists()


def test_a_number_that_opted_out_gets_no_test(outbox: Memory) -> None:
    consent.opt_out(phone="+254712345678", channel="sms", source="reply")

    outcome = dispatch.send_test(factories.CampaignFactory.create(), phone="+254712345678", text="Hi", reference="a1")

    assert isinstance(outcome, OptedOut)
    assert outbox.outbox == []
