"""Aliases to adapters, as Django's `caches`: made once a process, called on the process's own event loop."""

import asyncio
import math
import threading
from collections.abc import Sequence
from functools import cache
from typing import cast

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    LooksUp,
    Outcome,
    Provider,
    SlowDown,
    Unknown,
)

log = structlog.get_logger(__name__)
_lock = threading.Lock()


class UnknownAlias(LookupError):
    """No provider of this alias stands in MESSAGE_PROVIDERS."""


@cache
def _make(alias: str) -> Provider:
    try:
        entry = settings.MESSAGE_PROVIDERS[alias]
    except KeyError:
        raise UnknownAlias(alias) from None
    return cast(Provider, import_string(entry["BACKEND"])(**entry.get("OPTIONS", {})))


@cache
def _start_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="providers", daemon=True).start()
    return loop


def get(alias: str) -> Provider:
    """The adapter of this alias; raises `UnknownAlias`."""
    with _lock:  # `cache` alone lets two threads make two
        return _make(alias)


def capabilities(alias: str) -> Capabilities:
    """What the adapter of this alias says of itself; raises `UnknownAlias`."""
    return get(alias).capabilities


def submit(alias: str, envelopes: Sequence[Envelope]) -> list[Outcome]:
    """Hand the envelopes to the provider and wait: one outcome each, in their order. Leaves the house.

    Never raises for what happens outside: an adapter that breaks or does not answer in time leaves `Unknown`, because
    nobody can say then what the vendor took.
    """
    provider = get(alias)
    with _lock:
        loop = _start_loop()
    return asyncio.run_coroutine_threadsafe(_call(provider, envelopes), loop).result()


def look_up(alias: str, references: Sequence[str]) -> list[Accepted | GiveUp | None]:
    """Ask the provider what became of these messages: one answer each, in their order. Leaves the house; repeatable.

    None where that cannot be told now. Never raises for what happens outside: an adapter that breaks, does not answer
    in time, or cannot look up, tells None of all.
    """
    provider = get(alias)
    with _lock:
        loop = _start_loop()
    return asyncio.run_coroutine_threadsafe(_ask(provider, references), loop).result()


async def _ask(provider: Provider, references: Sequence[str]) -> list[Accepted | GiveUp | None]:
    nothing: list[Accepted | GiveUp | None] = [None] * len(references)
    if not isinstance(provider, LooksUp):
        return nothing
    try:
        async with asyncio.timeout(provider.capabilities.timeout_seconds):
            answers = await provider.look_up(references)
        if len(answers) != len(references):
            raise ValueError("the adapter did not answer for every message")  # noqa: TRY301
    except Exception as fault:  # noqa: BLE001  (it is asked again later, whatever befell it)
        log.warning("look_up_failed", fault=type(fault).__name__, references=len(references))
        return nothing
    return [answer if isinstance(answer, Accepted | GiveUp) and _is_sound(answer) else None for answer in answers]


async def _call(provider: Provider, envelopes: Sequence[Envelope]) -> list[Outcome]:
    paced = max(0.0, envelopes[-1].not_before - asyncio.get_running_loop().time())
    try:
        async with asyncio.timeout(paced + provider.capabilities.timeout_seconds):
            outcomes = await provider.submit(envelopes)
    except TimeoutError:
        return [Unknown(f"no answer within {provider.capabilities.timeout_seconds:g} s")] * len(envelopes)
    except Exception as fault:  # noqa: BLE001  (a broken adapter must not leave its messages without a verdict)
        return [Unknown(f"the adapter failed: {type(fault).__name__}")] * len(envelopes)
    if len(outcomes) != len(envelopes):
        return [Unknown("the adapter did not answer for every message")] * len(envelopes)
    return [outcome if _is_sound(outcome) else Unknown("the adapter gave no outcome") for outcome in outcomes]


def _is_sound(outcome: object) -> bool:
    """Whether it is one of the port's outcomes, holding what it should: one that is not must not cost its neighbours
    theirs.
    """
    if not isinstance(outcome, Outcome):
        return False
    if isinstance(outcome, SlowDown) and not (outcome.seconds is None or math.isfinite(outcome.seconds)):
        return False
    return isinstance(outcome.provider_message_id if isinstance(outcome, Accepted) else outcome.error, str)
