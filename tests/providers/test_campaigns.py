"""Whole campaigns through adapters that batch: from the ledger to the vendor's server, and its word back into it."""

import pytest

from messaging import receipts
from messaging.models import OutboundMessage
from messaging.providers.base import Accepted, GiveUp, Hears, Receipt
from tests.messaging.driving import deliver_due, sending_campaign, stats
from tests.providers.answers import africas_talking, infobip
from tests.providers.conftest import Through
from tests.providers.exam import Said
from tests.providers.server import Asked, Server
from tests.providers.test_africas_talking import numbers
from tests.providers.test_infobip import references

pytestmark = pytest.mark.django_db


def test_one_text_to_a_hundred_and_twenty_people_takes_three_calls_and_the_receipts_find_them_by_the_vendors_id(
    through: Through, server: Server
) -> None:
    at = through("africas_talking.AfricasTalking", username="duka", api_key=africas_talking.KEY)

    def answer(asked: Asked) -> Said:
        listed = [
            {**africas_talking.recipient(number, 101, "Success"), "messageId": f"ATXid_{number[1:]}"}
            for number in numbers(asked)
        ]
        return Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})

    server.script = answer
    campaign = sending_campaign(120, base_template="Duka limefunguliwa")
    deliver_due()
    assert stats(campaign) == {"sent": 120}
    assert sorted(len(numbers(asked)) for asked in server.asked) == [20, 50, 50]

    assert isinstance(at, Hears)
    one = OutboundMessage.objects.first()
    assert one
    hook = africas_talking.hook(id=f"ATXid_{one.address[1:]}", status="Success", phoneNumber=one.address)
    (receipt,) = at.read(hook)
    assert isinstance(receipt, Receipt)
    assert receipts.apply(one.provider, [receipt]).moved == 1
    assert stats(campaign) == {"sent": 119, "delivered": 1}


def test_a_bad_number_among_many_fails_alone_and_nobody_is_written_to_twice(through: Through, server: Server) -> None:
    through("infobip.Infobip", api_key=infobip.KEY, sender="DUKA")
    accepted: list[str] = []
    campaign = sending_campaign(30, base_template="Hi {FirstName|there}")
    bad = str(OutboundMessage.objects.order_by("id")[11].pk)

    def answer(asked: Asked) -> Said:
        if bad in references(asked):
            return Said(GiveUp, 400, {"errorCode": "E400"})
        accepted.extend(references(asked))
        return infobip.EXAM.accepted

    server.script = answer
    deliver_due()
    assert stats(campaign) == {"sent": 29, "failed": 1}
    assert len(accepted) == len(set(accepted)) == 29
