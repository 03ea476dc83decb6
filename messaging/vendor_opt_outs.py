"""What a provider knows of people who do not want to be written to becomes consent that holds for every provider."""

from collections.abc import Mapping
from datetime import datetime

from customers import consent
from customers.consent import Fact
from customers.models import ConsentSource, ConsentState
from messaging.models import OutboundMessage


def note_number(phone: str, channel: str, alias: str, *, asked_at: datetime) -> bool:
    """Record that this account said of a number (E.164) that it opted out of the channel, when it was handed something
    that is no message of a campaign; true when that is new.

    It counts from `asked_at`: who opts in while the vendor answers has said so later. May be repeated: another line in
    the ledger of consent.
    """
    return consent.opt_out(phone=phone, channel=channel, source=ConsentSource.PROVIDER, note=alias, at=asked_at)


def note(wishes: Mapping[int, datetime | None]) -> int:
    """Record that the numbers of these messages opted out of their channels; how many that are new to the ledger.

    `wishes` has when the provider says that it was, or None for now, by the message's id: a late receipt undoes no
    opt-in. Two statements, none when there is nobody. Call it in the transaction that writes the outcomes; may be
    repeated: what a provider says of one message is kept once.
    """
    if not wishes:
        return 0
    told = OutboundMessage.objects.filter(pk__in=wishes).order_by("pk")
    return consent.record(
        [
            Fact(
                phone,
                channel,
                ConsentState.OPTED_OUT,
                ConsentSource.PROVIDER,
                message_id=pk,
                note=provider,
                at=wishes[pk],
            )
            for pk, phone, channel, provider in told.values_list("pk", "address", "campaign__channel", "provider")
        ]
    )
