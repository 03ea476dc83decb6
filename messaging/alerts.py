"""Tells people what needs a person, once for each campaign and cause."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import structlog
from django.conf import settings
from django.core.mail import mail_admins
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from messaging.models import Alert

log = structlog.get_logger(__name__)


class Code(StrEnum):
    """The causes."""

    NO_AUDIENCE = "no_audience"
    RETRIES_EXHAUSTED = "retries_exhausted"
    PROVIDER_STOPPED = "provider_stopped"


# A hook of ALERT_HOOKS takes the campaign, the code and the sentence; what it returns is ignored.
Hook: TypeAlias = Callable[[Campaign, Code, str], object]


def tell(campaign_id: int, code: Code) -> bool:
    """Log, e-mail ADMINS and call each of ALERT_HOOKS, if this was not told before; whether it was told now.

    Call it outside any transaction: it leaves the house. What fails is logged and keeps nobody else from being told.
    """
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        return False  # deleted meanwhile
    _row, is_new = Alert.objects.get_or_create(campaign=campaign, code=code)
    if not is_new:
        return False
    sentence = _sentence(campaign, code)
    log.error("alert", campaign=campaign.pk, code=code.value)
    for name, tells in _channels(campaign, code, sentence).items():
        try:
            tells()
        except Exception:
            log.exception("alert_not_delivered", campaign=campaign.pk, code=code.value, by=name)
    return True


def _channels(campaign: Campaign, code: Code, sentence: str) -> dict[str, Callable[[], object]]:
    def call(path: str) -> Callable[[], object]:
        return lambda: import_string(path)(campaign, code, sentence)

    subject = _("Clarion: campaign %(id)d needs you") % {"id": campaign.pk}
    return {"e-mail": lambda: mail_admins(subject, sentence)} | {path: call(path) for path in settings.ALERT_HOOKS}


def _sentence(campaign: Campaign, code: Code) -> str:
    values = {"id": campaign.pk, "name": campaign.name}
    match code:
        case Code.NO_AUDIENCE:
            return (
                _("The time of campaign %(id)d “%(name)s” came, but it has no audience: it is a draft again.") % values
            )
        case Code.RETRIES_EXHAUSTED:
            return (
                _(
                    "Campaign %(id)d “%(name)s” has messages that the provider refused for the moment more often than"
                    " the retry limit allows. They are failed; their last errors say why."
                )
                % values
            )
        case Code.PROVIDER_STOPPED:
            return (
                _(
                    "Campaign %(id)d “%(name)s” paused itself: the provider's account is not working. Look at its"
                    " credentials and balance, then resume."
                )
                % values
            )
