"""Envelopes are handed over at their times, together where the limiter allows it, and answered in their order."""

import asyncio
import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from messaging.providers.base import Accepted, Envelope, Outcome
from messaging.providers.pacing import TOGETHER_SECONDS, paced


def envelope(name: int, not_before: float) -> Envelope:
    return Envelope(str(name), "sms", "+254712345678", "Habari", not_before=not_before)


def hand_over(envelopes: Sequence[Envelope], seconds: float = 0.0) -> tuple[list[Outcome], list[tuple[float, int]]]:
    """The outcomes, and when how many were handed over together, by a vendor that takes so long to answer."""
    calls = []

    async def submit(group: Sequence[Envelope]) -> list[Outcome]:
        calls.append((asyncio.get_running_loop().time(), len(group)))
        await asyncio.sleep(seconds)
        return [Accepted(each.reference) for each in group]

    return asyncio.run(paced(envelopes, submit)), calls


@given(st.lists(st.floats(-0.05, 0.05), max_size=30))
def test_every_envelope_is_answered_once_in_its_order_and_never_before_its_time(offsets: list[float]) -> None:
    now = time.monotonic()
    envelopes = [envelope(name, now + offset) for name, offset in enumerate(sorted(offsets))]

    outcomes, calls = hand_over(envelopes)

    assert outcomes == [Accepted(each.reference) for each in envelopes]
    times = [at for at, count in calls for _ in range(count)]
    early = TOGETHER_SECONDS + 0.001
    assert all(at >= each.not_before - early for at, each in zip(times, envelopes, strict=True))


def test_what_is_due_goes_together_and_nobody_waits_for_anothers_answer() -> None:
    now = time.monotonic()
    due = [envelope(name, 0.0) for name in range(50)]
    later = [envelope(50 + name, now + 0.1 + 0.05 * name) for name in range(3)]

    begun = time.monotonic()
    _, calls = hand_over([*due, *later], seconds=0.3)

    assert [count for _, count in calls] == [50, 1, 1, 1]
    assert time.monotonic() - begun < 0.9
