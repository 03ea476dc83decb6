"""What a provider knows of people who do not want to be written to becomes consent that holds for every provider."""

from collections.abc import Sequence

from customers import consent
from customers.consent import Fact
from customers.models import ConsentSource, ConsentState
from messaging.models import OutboundMessage


def note(message_ids: Sequence[int]) -> int:
    """Record that the numbers of these messages opted out of their channels; how many that are new to the ledger.

    Two statements, none when there is nobody. Call it in the transaction that writes the outcomes; may be repeated:
    what a provider says of one message is kept once.
    """
    if not message_ids:
        return 0
    told = OutboundMessage.objects.filter(pk__in=message_ids).order_by("pk")
    return consent.record(
        [
            Fact(phone, channel, ConsentState.OPTED_OUT, ConsentSource.PROVIDER, message_id=pk, note=provider)
            for pk, phone, channel, provider in told.values_list("pk", "address", "campaign__channel", "provider")
        ]
    )
