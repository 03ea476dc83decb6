"""System checks: bad configuration stops the process with a sentence."""

import math
import re
from collections.abc import Collection
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's name)
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError
from phonenumbers import SUPPORTED_REGIONS

from customers.models import Channel
from messaging import accounts
from messaging.models import Sender
from messaging.sender_models import LOWEST_RATE


@register()
def every_channel_has_a_provider(**_: Any) -> list[CheckMessage]:
    """Each channel of MESSAGE_ROUTES leads to an account; a channel without a route needs a default of the admin."""
    problems: list[CheckMessage] = []
    for channel in Channel.values:
        alias = settings.MESSAGE_ROUTES.get(channel)
        if alias is None:
            problems.append(
                Warning(
                    f"MESSAGE_ROUTES names no account for {channel}: campaigns of it go out by the sender that is the"
                    " default there, or that they name.",
                    hint="Set for example MESSAGE_ROUTES=sms=simulator,whatsapp=simulator, or make a sender in the"
                    " admin and silence this with SILENCED_SYSTEM_CHECKS.",
                    id="messaging.W001",
                )
            )
        elif alias not in settings.MESSAGE_PROVIDERS and not _is_sender(alias):
            problems.append(
                Error(
                    f"MESSAGE_ROUTES sends {channel} to {alias!r}: no alias of MESSAGE_PROVIDERS, and no sender.",
                    hint=f"Known aliases: {', '.join(sorted(settings.MESSAGE_PROVIDERS))}.",
                    id="messaging.E001",
                )
            )
    return problems + [
        Error(f"MESSAGE_ROUTES names {channel!r}; the channels are {', '.join(Channel.values)}.", id="messaging.E002")
        for channel in sorted(settings.MESSAGE_ROUTES.keys() - set(Channel.values))
    ]


def _is_sender(alias: str) -> bool:
    """Whether people set it up; also when the database cannot be asked, since it may be away or still to be made."""
    try:
        return alias in accounts.known()
    except (DatabaseError, InterfaceError):
        return True


@register()
def every_provider_can_be_made(**_: Any) -> list[CheckMessage]:
    """The class behind each alias of the settings in use can be imported and takes its options, read credentials
    included.
    """
    problems: list[CheckMessage] = []
    for alias in sorted(set(settings.MESSAGE_ROUTES.values()) & settings.MESSAGE_PROVIDERS.keys()):
        try:
            accounts.make(accounts.get(alias))
        except accounts.Unusable as mistake:
            problems.append(Error(f"MESSAGE_PROVIDERS[{alias!r}] cannot be made: {mistake}", id="messaging.E003"))
    return problems


@register(Tags.database)
def every_sender_can_be_made(*, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Each enabled sender's credentials can be read and its adapter takes its options. A warning: what does not use it
    must not be kept from starting, and what does use it pauses.
    """
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    problems: list[CheckMessage] = []
    try:
        senders = list(Sender.objects.filter(is_enabled=True).exclude(backend=""))
    except (DatabaseError, InterfaceError):
        return []  # before the first migration
    for sender in senders:
        try:
            accounts.make(accounts.of(sender))
        except accounts.Unusable as mistake:
            problems.append(Warning(str(mistake), id="messaging.W002"))
    return problems


@register()
def every_key_is_one(**_: Any) -> list[CheckMessage]:
    """SECRETS_KEYS holds keys."""
    problems: list[CheckMessage] = []
    for number, key in enumerate(settings.SECRETS_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            problems.append(
                Error(
                    f"Number {number} of SECRETS_KEYS is no key: 32 bytes in URL-safe base64 are one.",
                    hint="docs/senders.md says how to make one.",
                    id="messaging.E011",
                )
            )
    return problems


@register()
def every_rate_is_a_number(**_: Any) -> list[CheckMessage]:
    """RATE of MESSAGE_PROVIDERS, where it is given, is parts a second."""
    rates = {alias: entry["RATE"] for alias, entry in settings.MESSAGE_PROVIDERS.items() if "RATE" in entry}
    return [
        Error(
            f"MESSAGE_PROVIDERS[{alias!r}] has the RATE {rate!r}; it must be a number of parts a second.",
            hint=f"At least {LOWEST_RATE}; leave it out for no limit.",
            id="messaging.E010",
        )
        for alias, rate in sorted(rates.items())
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not LOWEST_RATE <= rate < math.inf
    ]


@register()
def our_address_is_one(**_: Any) -> list[CheckMessage]:
    """PUBLIC_URL, where it is set, is what vendors can put a path behind."""
    if not settings.PUBLIC_URL or re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", settings.PUBLIC_URL):
        return []
    hint = "For instance https://clarion.example.com."
    return [Error(f"PUBLIC_URL is {settings.PUBLIC_URL!r}, which is no address.", hint=hint, id="messaging.E020")]


@register()
def numbers_make_sense(**_: Any) -> list[CheckMessage]:
    """Limits and waits are positive, and the phone region is one that libphonenumber knows."""
    least = {
        "MESSAGE_RETRY_LIMIT": 1,
        "MESSAGE_RETRY_BASE_SECONDS": 0,
        "MESSAGE_RETRY_CAP_SECONDS": 0,
        "SWEEP_SECONDS": 0.1,
    }
    problems: list[CheckMessage] = [
        Error(f"{name} is {getattr(settings, name)}; it must be at least {limit}.", id="messaging.E004")
        for name, limit in least.items()
        if getattr(settings, name) < limit
    ]
    if settings.DEFAULT_PHONE_REGION not in SUPPORTED_REGIONS:
        hint = "Set a country's two letters, such as KE."
        problems.append(
            Error(f"DEFAULT_PHONE_REGION is {settings.DEFAULT_PHONE_REGION!r}.", hint=hint, id="messaging.E005")
        )
    return problems
