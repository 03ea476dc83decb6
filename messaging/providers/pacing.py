"""Hands envelopes over at their times, for adapters that take several together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from messaging.providers import abreast
from messaging.providers.base import Envelope, Outcome

# What is due within this time goes together: the limiter allows so much at once.
TOGETHER_SECONDS = 0.02


async def paced(
    envelopes: Sequence[Envelope], submit: Callable[[Sequence[Envelope]], Awaitable[Sequence[Outcome]]]
) -> list[Outcome]:
    """The outcomes of all, in their order: `submit` gets those of each fiftieth of a second when the first of them is
    due, and none waits for the others' answers.
    """
    now = asyncio.get_running_loop().time()
    groups = [
        list(together)
        for _, together in groupby(envelopes, lambda each: max(0, int((each.not_before - now) / TOGETHER_SECONDS)))
    ]

    async def at_its_time(group: Sequence[Envelope]) -> Sequence[Outcome]:
        await asyncio.sleep(group[0].not_before - asyncio.get_running_loop().time())
        return await submit(group)

    return [outcome for outcomes in await abreast.groups(groups, at_its_time) for outcome in outcomes]
