"""The replies of the simulator: which numbers write back, in which words, and how they are read at our door.

====  ====================================================================
9980  STOP: opts out, and is told so once
9981  some words that ask for nothing
9982  HELP: gets the answer to that
9983  START: opts in, and is told so once
9984  a wish among other words, which a person has to read
====  ====================================================================
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from messaging.providers.base import Envelope, Malformed, Reply

# By the last four digits of the number.
WORDS = {
    "9980": "STOP",
    "9981": "Asante sana! 🙏",
    "9982": "HELP",
    "9983": "START",
    "9984": "Please stop writing to me",
}
OUR_NUMBER = "CLARION"


def words_of(envelope: Envelope) -> str:
    """What whoever gets it writes back; empty when nothing.

    A campaign's message is named by its number. What answers a reply, or tries a sender, is not: nobody answers that,
    or two machines would go on talking.
    """
    return WORDS.get(envelope.to[-4:], "") if envelope.reference.isdecimal() else ""


def write(envelopes: Sequence[Envelope], at: datetime) -> list[dict[str, Any]]:
    """The replies to these messages as they are posted; of one message twice the same."""
    return [
        {
            "id": f"sim-reply-{each.reference}", "from": each.to, "to": OUR_NUMBER, "channel": each.channel,
            "text": words, "at": at.isoformat(),
        }
        for each in envelopes if (words := words_of(each))
    ]  # fmt: skip


def read(said: Any) -> Reply:
    """One of them; raises `Malformed`."""
    try:
        return Reply(
            said["channel"],
            said["from"],
            said["text"],
            datetime.fromisoformat(said["at"]),
            provider_message_id=str(said.get("id", "")),
            to=str(said.get("to", "")),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise Malformed("one of its replies makes no sense") from None
