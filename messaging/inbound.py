"""What people write back to our numbers: kept so that none is lost."""

from collections.abc import Sequence

from messaging.arrivals import LONGEST_NAME, Reply
from messaging.providers import base
from messaging.verdicts import storable


def take(alias: str, replies: Sequence[base.Reply]) -> int:
    """Keep them; how many. One whose provider's id is known already is kept once, so it may be repeated.

    Call it in the transaction that marks what they came from as done.
    """
    Reply.objects.bulk_create([_row(alias, reply) for reply in replies], ignore_conflicts=True)
    return len(replies)


def _row(alias: str, reply: base.Reply) -> Reply:
    return Reply(
        alias=alias,
        channel=reply.channel,
        phone=reply.phone,
        text=storable(reply.text),
        at=reply.at,
        provider_message_id=storable(reply.provider_message_id)[:LONGEST_NAME],
        to=storable(reply.to)[:LONGEST_NAME],
        wish=reply.wish,
    )
