"""What a provider knows of people who do not want to be written to becomes consent that holds for every provider."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

from customers import consent
from customers.consent import Fact
from customers.models import ConsentSource, ConsentState
from customers.phones import E164_PATTERN, heard_from
from messaging.arrivals import Reply
from messaging.models import OutboundMessage
from messaging.providers.base import Receipt

_ANSWER = re.compile(r"reply-([0-9]{1,18})", re.ASCII)
_PERSON = re.compile(E164_PATTERN)


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


def note_strays(alias: str, strays: Sequence[Receipt]) -> list[Receipt]:
    """Record the opt-outs that receipts tell of what is no message that we know; those of which nobody knows whose they
    are.

    The number is the receipt's own, or that of the reply to which we answered. Call it in the transaction that applies
    the receipts; may be repeated: what counts already is not written again.
    """
    if not strays:
        return []
    replied = _replied(alias, strays)
    whose = [replied.get(each.reference) or (_number(each), each.channel) for each in strays]
    told = [
        Fact(phone, channel, ConsentState.OPTED_OUT, ConsentSource.PROVIDER, note=alias, at=each.at)
        for each, (phone, channel) in zip(strays, whose, strict=True)
        if phone
    ]
    if told:
        consent.record(told, skip_known=True)
    return [each for each, (phone, _channel) in zip(strays, whose, strict=True) if not phone]


def _number(receipt: Receipt) -> str:
    """The number that the receipt names, as customers have it; empty for what is none."""
    number = heard_from(receipt.to, settings.DEFAULT_PHONE_REGION) if receipt.to else ""
    return number if _PERSON.fullmatch(number) else ""


def _replied(alias: str, receipts: Sequence[Receipt]) -> dict[str, tuple[str, str]]:
    """Number and channel of the replies to which these are receipts of the answers, by the answers' references."""
    ids = [int(found[1]) for each in receipts if (found := _ANSWER.fullmatch(each.reference))]
    replies = Reply.objects.filter(alias=alias, pk__in=ids) if ids else Reply.objects.none()
    return {f"reply-{pk}": (phone, channel) for pk, phone, channel in replies.values_list("pk", "phone", "channel")}
