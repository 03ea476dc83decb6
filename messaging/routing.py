"""Which account a campaign goes out by."""

from django.utils.translation import gettext as _

from campaigns.audience import InvalidAudience
from campaigns.models import Campaign
from messaging import accounts


def route(campaign: Campaign) -> str:
    """The alias of the account by which it goes out: its own, or its channel's default.

    Raises `InvalidAudience` where that is none, or one that is not enabled or does not serve the channel.
    """
    alias = campaign.sender or accounts.default(campaign.channel)
    if alias is None:
        sentence = _("No sender is the default for %(channel)s: choose one.")
        raise InvalidAudience("no_sender", sentence % {"channel": campaign.get_channel_display()}, "sender")
    if not accounts.serves(alias, campaign.channel):
        sentence = _("Sender “%(alias)s” does not send %(channel)s, or is not enabled: choose another one.")
        names = {"alias": alias, "channel": campaign.get_channel_display()}
        raise InvalidAudience("sender_unusable", sentence % names, "sender")
    return alias
