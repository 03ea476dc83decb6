"""One text to one number at once, outside the ledger, to see on a phone how it looks and whether a sender works."""

from collections.abc import Sequence

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import parts
from campaigns.models import Campaign
from customers import consent
from customers.models import Channel
from messaging import providers, routing, throttle, vendor_opt_outs
from messaging.providers.base import Envelope, OptedOut, Outcome, SlowDown, Template
from messaging.reasons import Reason

log = structlog.get_logger(__name__)

# How long a person who presses “test send” waits for the account's limit.
PATIENCE_SECONDS = 10.0


def send_test(campaign: Campaign, *, phone: str, text: str, reference: str, variables: Sequence[str] = ()) -> Outcome:
    """Hand one text to the campaign's provider at once, outside the ledger; the provider's outcome. Leaves the house.

    `reference` names it at the vendor: a repeated one may be refused there. A number that must not be written to gets
    nothing. It goes before all that waits for the account's limit; `SlowDown` when even so its turn does not come soon.
    `variables` fill the campaign's WhatsApp template. Raises `InvalidAudience` as `routing.route` does.
    """
    template = (
        Template(campaign.whatsapp_template, campaign.whatsapp_language, tuple(variables))
        if campaign.whatsapp_template
        else None
    )
    return try_account(
        routing.route(campaign),
        channel=campaign.channel,
        phone=phone,
        text=text,
        reference=reference,
        template=template,
    )


def try_account(
    alias: str, *, channel: str, phone: str, text: str, reference: str, template: Template | None = None
) -> Outcome:
    """Hand one text to this account at once, outside the ledger, as `send_test`; raises `UnknownAlias`.

    What the vendor says of an opt-out is kept as consent, as for any message.
    """
    if refusal := consent.refusal(phone, channel):
        return OptedOut(str(Reason(refusal).label))
    count = parts.count(text).parts if channel == Channel.SMS else 1
    envelope = Envelope(f"test-{reference}", channel, phone, text, count, template=template)
    if not throttle.acquire_urgently(alias, count, seconds=PATIENCE_SECONDS):
        return SlowDown(_("The account is at its limit; try again in a moment."))
    asked_at = timezone.now()
    [outcome] = providers.submit(alias, [envelope])
    if isinstance(outcome, OptedOut):
        vendor_opt_outs.note_number(phone, channel, alias, asked_at=asked_at)
    log.info("test_sent", provider=alias, outcome=type(outcome).__name__)
    return outcome
