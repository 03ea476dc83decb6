"""Aliases to adapters, as Django's `caches`: made once a process, called on the process's own event loop.

An adapter whose account was changed is made anew; the old one finishes its calls and is then closed.
"""

import asyncio
import inspect
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import structlog

from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    Hears,
    LooksUp,
    Outcome,
    Provider,
    SlowDown,
    StopAll,
    Unknown,
)

if TYPE_CHECKING:
    from messaging.accounts import Account

log = structlog.get_logger(__name__)
_lock = threading.Lock()


class UnknownAlias(LookupError):
    """No account has this alias: it stands neither in MESSAGE_PROVIDERS nor among the senders."""


class Unusable:
    """Stands for an account by which nothing can be sent: campaigns pause and say why, and no worker falls.

    `ear` is the adapter of a sender that is only not enabled: what it sent is still told of, and people still say STOP.
    """

    capabilities = Capabilities()

    def __init__(self, error: str, ear: Provider | None = None) -> None:
        self.error = error
        self.ear = ear

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """`StopAll` for each: nothing left the house."""
        return [StopAll(self.error)] * len(envelopes)


@dataclass(slots=True, eq=False)
class _Made:
    """An adapter, the account of which it was made, and how many calls are under way in it."""

    account: "Account"
    provider: Provider
    calls: int = 0
    is_retired: bool = False


_made: dict[str, _Made] = {}


@cache
def _start_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="providers", daemon=True).start()
    return loop


def get(alias: str) -> Provider:
    """The adapter of this alias, one that stops everything where none can be made or its account went; raises
    `UnknownAlias`.
    """
    with _current(alias) as provider:
        return provider


@contextmanager
def _current(alias: str) -> Iterator[Provider]:
    """The adapter as its account is now, which is not closed while this lasts."""
    # Adapters are imported through this package, by programs without models too.
    from messaging import accounts

    try:
        account = accounts.get(alias)
    except UnknownAlias:
        if alias not in _made:
            raise
        # It went while a batch of it was under way here: what is marked must get a verdict.
        account = accounts.Account(alias, "")
    with _lock:
        before = made = _made.get(alias)
        if made is None or made.account != account:
            made = _made[alias] = _Made(account, _make(account))
        made.calls += 1
    if before and before is not made:
        _retire(before)
    try:
        yield made.provider
    finally:
        with _lock:
            made.calls -= 1
            is_last = made.is_retired and not made.calls
        if is_last:
            _close(made.provider)


def ear(alias: str) -> Hears | None:
    """What hears at our door for this alias, also while its sender is not enabled; None where nothing does."""
    try:
        provider = get(alias)
    except UnknownAlias:
        return None
    hearing: object = provider.ear if isinstance(provider, Unusable) else provider
    return hearing if isinstance(hearing, Hears) else None


def _make(account: "Account") -> Provider:
    from messaging import accounts

    try:
        return accounts.make(account)
    except accounts.Unusable as unusable:
        if not account.is_enabled:
            return Unusable(str(unusable), _ear(account))
        # Without the traceback, whose lines may hold what the sentence leaves out.
        log.error("sender_unusable", alias=account.alias, error=str(unusable))  # noqa: TRY400
        return Unusable(str(unusable))


def _ear(account: "Account") -> Provider | None:
    """The adapter of an account that is not enabled; None where it is not filled in, which is nobody's fault yet."""
    from messaging import accounts

    try:
        return accounts.make(replace(account, is_enabled=True))
    except accounts.Unusable as unusable:
        log.info("sender_hears_nothing", alias=account.alias, error=str(unusable))
        return None


def _retire(made: _Made) -> None:
    with _lock:
        made.is_retired = True
        is_idle = not made.calls
    if is_idle:
        _close(made.provider)


def _close(provider: Provider) -> None:
    """Close it, and what it holds, on the loop that it was called on; nobody waits for that."""
    with _lock:
        loop = _start_loop()
    asyncio.run_coroutine_threadsafe(_end(provider), loop)


async def _end(provider: Provider) -> None:
    for part in [provider, *getattr(provider, "__dict__", {}).values()]:
        if inspect.iscoroutinefunction(close := getattr(part, "close", None)):
            try:
                await close()
            except Exception as fault:  # noqa: BLE001  (it is done with, whatever it says)
                log.warning("adapter_not_closed", fault=type(fault).__name__)


def capabilities(alias: str) -> Capabilities:
    """What the adapter of this alias says of itself; raises `UnknownAlias`."""
    return get(alias).capabilities


def submit(alias: str, envelopes: Sequence[Envelope]) -> list[Outcome]:
    """Hand the envelopes to the provider and wait: one outcome each, in their order. Leaves the house.

    Never raises for what happens outside: an adapter that breaks or does not answer in time leaves `Unknown`, because
    nobody can say then what the vendor took.
    """
    with _current(alias) as provider:
        with _lock:
            loop = _start_loop()
        return asyncio.run_coroutine_threadsafe(_call(provider, envelopes), loop).result()


def look_up(alias: str, references: Sequence[str]) -> list[Accepted | GiveUp | None]:
    """Ask the provider what became of these messages: one answer each, in their order. Leaves the house; repeatable.

    None where that cannot be told now. Never raises for what happens outside: an adapter that breaks, does not answer
    in time, or cannot look up, tells None of all.
    """
    with _current(alias) as provider:
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
