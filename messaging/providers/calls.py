"""What adapters share whose vendors take several messages in one call: which go together, when, and what becomes of
all when the call is refused whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from messaging.providers import abreast
from messaging.providers.base import Envelope, GiveUp, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.providers.pacing import TOGETHER_SECONDS
from messaging.providers.reading import shown
from messaging.providers.web import THROTTLED, Heard

# Each adapter calls one address of a vendor's: where that is not found, or takes no such request, an option is wrong.
ACCOUNT_REFUSED = frozenset({401, 402, 403, 404, 405})
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor refused a call as a whole, and surely took nothing of it; `outcome` is what that means for one."""

    outcome: Outcome


Call: TypeAlias = Callable[[Sequence[Envelope], float], Awaitable[Sequence[Outcome] | Refused]]


async def submit(
    envelopes: Sequence[Envelope], *, most: int, alike: Callable[[Envelope], Hashable], call: Call
) -> list[Outcome]:
    """One outcome for each envelope, in their order; the calls of `most` at the most are on the wire together.

    `call` gets the envelopes of one call, which are `alike`, and when it may leave. What comes back `Refused` is handed
    over once more, each alone, so that a bad one fails and its neighbours do not. One `submit` may thus take the time
    of two requests.
    """
    groups = together(envelopes, asyncio.get_running_loop().time(), most=most, alike=alike)
    answers = await abreast.groups(
        [[envelopes[place] for place in group] for group in groups], lambda group: _hand_over(group, call)
    )
    outcomes = {
        place: outcome
        for group, answer in zip(groups, answers, strict=True)
        for place, outcome in zip(group, answer, strict=True)
    }
    return [outcomes[place] for place in range(len(envelopes))]


def together(
    envelopes: Sequence[Envelope], now: float, *, most: int, alike: Callable[[Envelope], Hashable]
) -> list[list[int]]:
    """The places of the envelopes that make each call: alike, due within `TOGETHER_SECONDS`, no number twice. Pure.

    An answer names numbers: two messages to one in the same call could not be told apart.
    """
    due = [max(envelope.not_before, now) for envelope in envelopes]
    groups: list[list[int]] = []
    latest: dict[Hashable, list[int]] = {}
    for place in sorted(range(len(envelopes)), key=due.__getitem__):
        kind, to = alike(envelopes[place]), envelopes[place].to
        group = latest.get(kind, [])
        is_late = bool(group) and due[place] - due[group[0]] > TOGETHER_SECONDS
        if not group or is_late or len(group) >= most or any(envelopes[other].to == to for other in group):
            group = latest[kind] = []
            groups.append(group)
        group.append(place)
    return groups


def by_status(heard: Heard, code: str = "") -> Outcome | Refused:
    """What the HTTP status means for all of a call that says nothing of each; `code` is the vendor's.

    429 and 503 were not accepted and may be repeated; some 4xx mean the account, any other refuses the call. A 2xx that
    cannot be read, a redirect and any other error tell nothing.
    """
    error = f"HTTP {heard.status}, code {shown(code)}" if code else f"HTTP {heard.status}"
    if heard.status == THROTTLED:
        return SlowDown(error, heard.retry_after)
    if heard.status == UNAVAILABLE:
        return TryLater(error)
    if heard.status in ACCOUNT_REFUSED:
        return StopAll(error)
    return Refused(GiveUp(error)) if 400 <= heard.status < 500 else Unknown(error)


def for_each(envelopes: Sequence[Envelope], answer: Outcome | Refused) -> Sequence[Outcome] | Refused:
    """The same for all of a call."""
    return answer if isinstance(answer, Refused) else [answer] * len(envelopes)


def check_size(option: str, value: Any, *, most: int) -> int:
    """How many messages an option lets into one call; raises `ValueError` unless that is from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{option} must be a number from 1 to {most}")
    return value


def check_word(option: str, value: Any) -> str:
    """What an option gives that goes into a header or a form; raises `ValueError` unless it is one word of ASCII."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"{option} must be given, in one word of ASCII")
    return value


async def _hand_over(envelopes: Sequence[Envelope], call: Call) -> Sequence[Outcome]:
    answer = await call(envelopes, max(envelope.not_before for envelope in envelopes))
    if not isinstance(answer, Refused):
        return answer
    if len(envelopes) == 1:
        return [answer.outcome]
    alone = await abreast.groups([[envelope] for envelope in envelopes], lambda one: _hand_over(one, call))
    return [outcome for (outcome,) in alone]
