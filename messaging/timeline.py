"""What happened between one customer and us: messages and what became of them, replies, and consent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from customers import consent
from customers.models import Customer
from messaging.arrivals import Reply
from messaging.models import OutboundMessage, Status
from messaging.reasons import Reason

# Of each kind the newest, and of all together: what a page can show.
MOST = 200
PERMISSIONS = (
    "customers.view_customer", "customers.view_consentevent", "messaging.view_outboundmessage", "messaging.view_reply",
)  # fmt: skip
# What a message ended as is told at the time of its last change; the others have times of their own.
ENDS = frozenset({Status.READ, Status.FAILED, Status.UNKNOWN, Status.SKIPPED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: `what` is a stable word, `sentence` for people, `reason` a code where there is one."""

    at: datetime
    what: str
    sentence: str
    reason: str = ""
    campaign: int | None = None
    message: int | None = None
    text: str = ""


def of(customer: Customer) -> list[Moment]:
    """The newest moments, the latest first; three small queries, each by an index."""
    moments = [*_messages(customer), *_replies(customer), *_consent(customer)]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:MOST]


def _messages(customer: Customer) -> Iterator[Moment]:
    newest = OutboundMessage.objects.filter(customer=customer).select_related("campaign").order_by("-id")[:MOST]
    for message in newest:
        name = {"campaign": message.campaign.name}
        about: dict[str, Any] = {"campaign": message.campaign_id, "message": message.pk}
        yield Moment(
            message.created_at, "written", _("A message of “%(campaign)s” was written.") % name,
            text=message.rendered_content, **about,
        )  # fmt: skip
        if message.sent_at:
            yield Moment(message.sent_at, "sent", _("The provider accepted that of “%(campaign)s”.") % name, **about)
        if message.delivered_at:
            yield Moment(message.delivered_at, "delivered", _("That of “%(campaign)s” was delivered.") % name, **about)
        if message.status in ENDS:
            ended = name | {"status": message.get_status_display(), "why": _why(message.reason)}
            sentence = _("That of “%(campaign)s” is %(status)s. %(why)s") % ended
            yield Moment(message.updated_at, message.status, sentence.strip(), message.reason or "", **about)


def _why(reason: str | None) -> str:
    return str(dict(Reason.choices).get(reason, reason)) if reason else ""


def _replies(customer: Customer) -> Iterator[Moment]:
    for reply in Reply.objects.filter(phone=customer.phone).order_by("-id")[:MOST]:
        understood = {"wish": reply.get_wish_display(), "heard": reply.get_heard_display()}
        sentence = _("A reply: %(wish)s (%(heard)s).") % understood if reply.wish else _("A reply.")
        yield Moment(
            reply.at, "replied", sentence, campaign=reply.campaign_id, message=reply.message_id, text=reply.text
        )


def _consent(customer: Customer) -> Iterator[Moment]:
    for event in consent.history(customer.phone)[:MOST]:
        said = {"channel": event.get_channel_display(), "state": event.get_state_display(), "source": event.source}
        sentence = _("%(channel)s: %(state)s (%(source)s).") % said
        yield Moment(event.at, event.state, sentence, message=event.message_id, text=event.note or event.words)
