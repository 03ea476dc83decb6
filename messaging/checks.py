"""System checks: bad configuration stops the process with a sentence."""

import math
import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string
from phonenumbers import SUPPORTED_REGIONS

from customers.models import Channel
from messaging.models import LOWEST_RATE


@register()
def every_channel_has_a_provider(**_: Any) -> list[CheckMessage]:
    """Each channel is routed to an alias of MESSAGE_PROVIDERS whose class can be made with its options."""
    problems: list[CheckMessage] = []
    for channel in Channel.values:
        alias = settings.MESSAGE_ROUTES.get(channel)
        if alias not in settings.MESSAGE_PROVIDERS:
            problems.append(
                Error(
                    f"MESSAGE_ROUTES sends {channel} to {alias!r}, which is no alias of MESSAGE_PROVIDERS.",
                    hint="Set for example MESSAGE_ROUTES=sms=simulator,whatsapp=simulator. "
                    f"Known aliases: {', '.join(sorted(settings.MESSAGE_PROVIDERS))}.",
                    id="messaging.E001",
                )
            )
    return problems + [
        Error(f"MESSAGE_ROUTES names {channel!r}; the channels are {', '.join(Channel.values)}.", id="messaging.E002")
        for channel in sorted(settings.MESSAGE_ROUTES.keys() - set(Channel.values))
    ]


@register()
def every_provider_can_be_made(**_: Any) -> list[CheckMessage]:
    """The class behind each alias in use can be imported and takes its options."""
    problems: list[CheckMessage] = []
    for alias in sorted(set(settings.MESSAGE_ROUTES.values()) & settings.MESSAGE_PROVIDERS.keys()):
        entry = settings.MESSAGE_PROVIDERS[alias]
        try:
            import_string(entry["BACKEND"])(**entry.get("OPTIONS", {}))
        except Exception as mistake:  # noqa: BLE001  (whatever a third party's class raises is told as a sentence)
            problems.append(Error(f"MESSAGE_PROVIDERS[{alias!r}] cannot be made: {mistake}", id="messaging.E003"))
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
