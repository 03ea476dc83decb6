"""Tells people what needs a person: noted in the transaction of its cause, told afterwards, also when a worker died."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import structlog
from django.conf import settings
from django.core.mail import mail_admins
from django.db import connection
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
    PROVIDER_FAILING = "provider_failing"


# A hook of ALERT_HOOKS takes the campaign, the code and the sentence; what it returns is ignored.
Hook: TypeAlias = Callable[[Campaign, Code, str], object]


def note(campaign_id: int, code: Code) -> None:
    """Note that people must be told; call it in the transaction of the cause.

    `RETRIES_EXHAUSTED` is noted once a campaign, however many messages; the others each time that they happen.
    """
    Alert.objects.bulk_create([Alert(campaign_id=campaign_id, code=code)], ignore_conflicts=True)


def tell_waiting() -> int:
    """Tell what was noted and not yet told; how many alerts. Leaves the house: call it outside any transaction.

    Whoever begins to tell one has a minute for it; after that another may, so that none is lost with a worker.
    """
    count = 0
    while alert := _claim():
        _tell(alert)
        Alert.objects.filter(pk=alert.pk).update(told=True)
        count += 1
    return count


def _claim() -> Alert | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaign_alerts SET claimed_until = statement_timestamp() + interval '1 minute' WHERE id = ("
            " SELECT id FROM campaign_alerts WHERE NOT told"
            " AND (claimed_until IS NULL OR claimed_until < statement_timestamp())"
            " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
        )
        row = cursor.fetchone()
    return Alert.objects.select_related("campaign").filter(pk=row[0]).first() if row else None


def _tell(alert: Alert) -> None:
    """Log, e-mail ADMINS and call each of ALERT_HOOKS; what fails is logged and keeps nobody else from being told."""
    campaign, code = alert.campaign, Code(alert.code)
    sentence = _sentence(campaign, code)
    log.error("alert", campaign=campaign.pk, code=code.value)
    for name, tells in _channels(campaign, code, sentence).items():
        try:
            tells()
        except Exception:
            log.exception("alert_not_delivered", campaign=campaign.pk, code=code.value, by=name)


def _channels(campaign: Campaign, code: Code, sentence: str) -> dict[str, Callable[[], object]]:
    def call(path: str) -> Callable[[], object]:
        return lambda: import_string(path)(campaign, code, sentence)

    subject = _("Clarion: campaign %(id)d needs you") % {"id": campaign.pk}
    return {"e-mail": lambda: mail_admins(subject, sentence)} | {path: call(path) for path in settings.ALERT_HOOKS}


def _sentence(campaign: Campaign, code: Code) -> str:
    match code:
        case Code.NO_AUDIENCE:
            sentence = _("The time of campaign %(id)d “%(name)s” came, but it has no audience: it is a draft again.")
        case Code.RETRIES_EXHAUSTED:
            sentence = _(
                "Campaign %(id)d “%(name)s” has messages that the provider refused for the moment more often than"
                " the retry limit allows. They are failed; their last errors say why."
            )
        case Code.PROVIDER_STOPPED:
            sentence = _(
                "Campaign %(id)d “%(name)s” paused itself: the provider's account is not working or not configured."
                " Look at its credentials and balance, then resume."
            )
        case Code.PROVIDER_FAILING:
            sentence = _(
                "The provider of campaign %(id)d “%(name)s” answers nothing any more. Its messages wait, and it is"
                " tried again by itself, from every few seconds to every five minutes."
            )
    return sentence % {"id": campaign.pk, "name": campaign.name}
