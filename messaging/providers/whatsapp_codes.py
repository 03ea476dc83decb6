"""What the codes of Meta's WhatsApp Cloud API mean for us, in answers and in receipts.

Read on 2026-11-25 in Meta's page of error codes (of 2026-05-15) and in the open-source client pywa 4.5; none was met at
Meta itself. One that is not here is kept raw and means what the HTTP status says.
"""

from typing import TypeAlias

from messaging.providers.base import GiveUp, OptedOut, SlowDown, StopAll, TryLater

Refusal: TypeAlias = type[TryLater] | type[SlowDown] | type[GiveUp] | type[OptedOut] | type[StopAll]

# A template's fault is every message's of its campaign, so it stops instead of failing them one by one.
CODES: dict[int, tuple[Refusal, str]] = {
    0: (StopAll, "the access token is not valid"),
    1: (TryLater, "Meta failed without a known cause"),
    2: (TryLater, "Meta is down or overloaded"),
    3: (StopAll, "the app lacks a capability or permission"),
    4: (SlowDown, "the app calls too often"),
    10: (StopAll, "the app lacks a permission"),
    100: (GiveUp, "a parameter is not valid"),
    190: (StopAll, "the access token has expired"),
    368: (StopAll, "the account is blocked for a time for breaking a policy"),
    80007: (SlowDown, "the business account calls too often"),
    130429: (SlowDown, "more messages a second than the number may send"),
    130472: (GiveUp, "Meta keeps this person from marketing as part of an experiment"),
    130497: (GiveUp, "the business may not write to people in this country"),
    131000: (TryLater, "Meta failed without a known cause"),
    131005: (StopAll, "the access token lacks a permission"),
    131008: (GiveUp, "a parameter is missing"),
    131009: (GiveUp, "a parameter's value is not valid"),
    131016: (TryLater, "a service of Meta's is away"),
    131021: (GiveUp, "the number is the sender's own"),
    131026: (GiveUp, "the number is not on WhatsApp or cannot get the message"),
    131030: (GiveUp, "a test number only sends to numbers on its list"),
    131031: (StopAll, "the business account is locked"),
    131037: (StopAll, "the sender's display name is not approved"),
    131042: (StopAll, "something is wrong with the way of paying"),
    131044: (StopAll, "something is wrong with the way of paying"),
    131045: (StopAll, "the sender is not registered"),
    131047: (GiveUp, "WhatsApp takes a free text only within 24 hours of the person's last message"),
    131048: (SlowDown, "too many people blocked the sender or reported it as spam"),
    131049: (GiveUp, "WhatsApp lets this person get no more marketing now"),
    131050: (OptedOut, "the person stopped marketing of this business"),
    131051: (GiveUp, "the kind of message is not supported"),
    131053: (TryLater, "a medium could not be fetched"),
    131056: (SlowDown, "too many messages from this sender to this number"),
    131057: (TryLater, "the business account is in maintenance"),
    131062: (GiveUp, "a user without a number cannot get this message"),
    131063: (StopAll, "marketing templates are turned off for the Cloud API"),
    131064: (SlowDown, "the sender's messaging limit is reached"),
    132000: (StopAll, "the template has another number of variables"),
    132001: (StopAll, "there is no such approved template in this language"),
    132005: (GiveUp, "the template is too long with these variables"),
    132007: (StopAll, "the template is against a policy of WhatsApp's"),
    132008: (GiveUp, "a variable is not written as the template wants it"),
    132012: (GiveUp, "a variable is not written as the template wants it"),
    132015: (StopAll, "the template is paused for its low quality"),
    132016: (StopAll, "the template was paused too often and is disabled"),
    132068: (StopAll, "the template's flow is blocked"),
    132069: (SlowDown, "the template's flow is throttled"),
    # Unverified: in Meta's documentation, in none of the sources above.
    133010: (StopAll, "the sender is not registered"),
    133016: (SlowDown, "the sender was registered too often"),
    135000: (TryLater, "Meta failed without a known cause"),
    137000: (GiveUp, "the person's identity has changed"),
}
# "Permission is not granted or has been removed": a range of Meta's.
PERMISSIONS = range(200, 300)
# With a 5xx, what says no more than that something failed leaves open whether the message was taken.
DOUBTFUL = frozenset({1, 131000, 135000})
# A pair of numbers may exchange about one message in six seconds; the other limits last hours or a day.
SECONDS = {131056: 6.0, 131048: 3600.0, 131064: 3600.0, 132069: 600.0, 133016: 3600.0}


def meaning(code: int) -> tuple[Refusal, str] | None:
    """What a code means, and in words; None for one that is not known."""
    return (StopAll, "a permission is missing") if code in PERMISSIONS else CODES.get(code)
