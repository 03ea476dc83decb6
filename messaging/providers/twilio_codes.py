"""What Twilio's codes mean for us: its error dictionary as read on 2026-11-25, and how an open-source sender that
many use treats them. None was met at Twilio itself, so all are unverified in that sense; one that is not here is kept
raw and means what the HTTP status says.
"""

from typing import TypeAlias

from messaging.providers.base import GiveUp, OptedOut, SlowDown, StopAll, TryLater

Refusal: TypeAlias = type[TryLater] | type[SlowDown] | type[GiveUp] | type[OptedOut] | type[StopAll]

# What a code of an answer means for its message, and in words. A receipt's `ErrorCode` is of the same family. A
# template's fault is every message's of its campaign, so it stops instead of failing them one by one.
CODES: dict[int, tuple[Refusal, str]] = {
    14107: (SlowDown, "too many messages a second"),
    20003: (StopAll, "the credentials are wrong"),
    20404: (StopAll, "there is no such account"),
    20429: (SlowDown, "too many requests"),
    21211: (GiveUp, "the number is not valid"),
    21212: (StopAll, "the sender is not valid"),
    21408: (GiveUp, "the account may not send to this country"),
    21602: (GiveUp, "the text is empty"),
    21606: (StopAll, "the sender cannot send to this kind of number or is not of this account"),
    21608: (GiveUp, "a trial account only sends to numbers that were verified"),
    21610: (OptedOut, "the person replied STOP"),
    21611: (SlowDown, "the sender's queue is full"),
    21612: (GiveUp, "no route leads from this sender to the number"),
    21614: (GiveUp, "the number is no mobile phone"),
    21617: (GiveUp, "the text is longer than 1600 characters"),
    21703: (StopAll, "the messaging service has no sender"),
    21705: (StopAll, "there is no such messaging service"),
    30001: (SlowDown, "the queue is full"),
    30002: (StopAll, "the account is suspended"),
    30003: (TryLater, "the phone is off or out of reach"),
    30004: (GiveUp, "the message is blocked"),
    30005: (GiveUp, "nobody has this number"),
    30006: (GiveUp, "the number is a landline or its operator cannot be reached"),
    30007: (GiveUp, "the operator took it for spam"),
    30008: (TryLater, "it failed without a known cause"),
    30022: (SlowDown, "the registered US rate is exceeded"),
    30023: (SlowDown, "the registered US daily limit is exceeded"),
    30032: (StopAll, "the toll-free sender is not verified"),
    30036: (GiveUp, "it was not delivered in its time"),
    30410: (TryLater, "the operator did not answer in time"),
    60005: (TryLater, "the operator failed"),
    63001: (StopAll, "WhatsApp refused the sender's credentials"),
    63003: (GiveUp, "nobody has this number on WhatsApp"),
    63005: (GiveUp, "WhatsApp refused the message"),
    63007: (StopAll, "the sender is not on WhatsApp"),
    63013: (GiveUp, "it is against WhatsApp's policy"),
    63016: (GiveUp, "WhatsApp takes a free text only within 24 hours of the person's last message"),
    63017: (SlowDown, "WhatsApp's rate for the account is exceeded"),
    63018: (SlowDown, "WhatsApp's rate for the sender is exceeded"),
    63024: (GiveUp, "the number cannot get WhatsApp messages"),
    63027: (StopAll, "there is no such template in this language"),
    63028: (StopAll, "the template has another number of variables"),
    63032: (GiveUp, "WhatsApp does not let this person be written to now"),
    63038: (SlowDown, "the account's daily limit is exceeded"),
}
# How long to leave it alone where Twilio does not say: daily limits end at midnight, and an hour is soon enough to ask.
SECONDS = {30023: 3600.0, 63038: 3600.0}
