"""Hands several over at once, so that what breaks for one costs none of the others their outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from messaging.providers.base import Envelope, Outcome, Unknown

Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(envelopes: Sequence[Envelope], submit: Callable[[Envelope], Awaitable[Outcome]]) -> list[Outcome]:
    """One outcome for each, in their order; `Unknown` where `submit` raises: it may have left by then."""
    return await abreast(envelopes, submit, broken=lambda _, error: Unknown(error))


async def groups(
    together: Sequence[Sequence[Envelope]], submit: Callable[[Sequence[Envelope]], Awaitable[Sequence[Outcome]]]
) -> list[Sequence[Outcome]]:
    """The outcomes of each group, in their order; `Unknown` for all of a group for which `submit` raises, or does not
    answer for every message.
    """

    async def whole(group: Sequence[Envelope]) -> Sequence[Outcome]:
        outcomes = await submit(group)
        if len(outcomes) != len(group):
            return [Unknown("the adapter did not answer for every message")] * len(group)
        return outcomes

    return await abreast(together, whole, broken=lambda group, error: [Unknown(error)] * len(group))


async def abreast(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, broken: Callable[[Item, str], Result]
) -> list[Result]:
    """What `work` made of each item, all at once, in their order; `broken` says what stands for one for which it
    raised, by what is told of it.

    A plain `asyncio.gather` raises with the first that breaks, and the others go on: they would still hand messages
    over when nobody writes down any more what became of them. Cancelled, all are.
    """
    items = list(items)
    results = await asyncio.gather(*map(work, items), return_exceptions=True)
    return [
        broken(item, f"the adapter failed: {type(result).__name__}") if isinstance(result, BaseException) else result
        for item, result in zip(items, results, strict=True)
    ]
