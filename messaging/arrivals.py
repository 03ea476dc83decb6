"""What comes in at the door: vendors' requests as they came, receipts that name no message yet, and replies."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from customers.models import Channel, Wish

LONGEST_NAME = 255
HEARD = [
    ("exact", _("the word itself")),
    ("typo", _("the word with a slip")),
    ("vendor", _("the provider told us")),
    ("among_others", _("among other words: to be read")),
]
RECEIPT_STATUSES = [("sent", _("sent")), ("delivered", _("delivered")), ("read", _("read")), ("failed", _("failed"))]


class HookEvent(models.Model):
    """A vendor's request that was taken, kept raw until it is purged.

    It waits while `done_at` is empty; `fault` says why nothing of it was applied. Of two with the same `digest` only
    the first is kept: the others are the vendor's repeats, or somebody's replays.
    """

    alias = models.CharField(_("sender"), max_length=64)
    method = models.CharField(_("method"), max_length=8)
    query = models.TextField(_("query"), default="", db_default="", help_text=_("What stood behind the “?”."))
    headers = models.JSONField(_("headers"), default=dict, help_text=_("The few that reading needs."))
    body = models.BinaryField(_("body"))
    digest = models.BinaryField(_("digest"), max_length=32, help_text=_("SHA-256 of all that it said."))
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    done_at = models.DateTimeField(_("done at"), null=True)
    fault = models.CharField(_("fault"), max_length=LONGEST_NAME, default="", db_default="")

    class Meta:
        db_table = "hook_events"
        verbose_name = _("received request")
        verbose_name_plural = _("received requests")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], name="hook_events_waiting", condition=Q(done_at__isnull=True)),
            models.Index(
                fields=["alias", "id"], name="hook_events_waiting_of_alias", condition=Q(done_at__isnull=True)
            ),
            models.Index(fields=["id"], name="hook_events_faulty", condition=~Q(fault="")),
            models.Index(fields=["received_at"], name="hook_events_received_at"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["digest"], name="hook_events_digest_key"),
        ]

    def __str__(self) -> str:
        return f"{self.alias}: {self.pk}"


class UnmatchedReceipt(models.Model):
    """A receipt that names no message of its account. It is tried again while `next_try_at` is set, and then stays."""

    alias = models.CharField(_("sender"), max_length=64)
    reference = models.CharField(_("reference"), max_length=LONGEST_NAME, default="", db_default="")
    provider_message_id = models.CharField(_("provider's id"), max_length=LONGEST_NAME, default="", db_default="")
    status = models.CharField(_("status"), max_length=16, choices=RECEIPT_STATUSES)
    at = models.DateTimeField(_("at"), help_text=_("When it happened, as the provider says."))
    error = models.TextField(_("error"), default="", db_default="")
    opted_out = models.BooleanField(_("opted out"), default=False, db_default=False)
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    tried_at = models.DateTimeField(_("tried at"), db_default=Now())
    next_try_at = models.DateTimeField(_("next try at"), null=True)

    class Meta:
        db_table = "unmatched_receipts"
        verbose_name = _("unmatched receipt")
        verbose_name_plural = _("unmatched receipts")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_try_at"], name="unmatched_receipts_due", condition=Q(next_try_at__isnull=False)),
            models.Index(fields=["received_at"], name="unmatched_receipts_received_at"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(status__in=[status for status, _words in RECEIPT_STATUSES]),
                name="unmatched_receipts_status",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alias}: {self.pk}"


class AnswerStatus(models.TextChoices):
    """Where the answer to a reply stands; empty for a reply that gets none."""

    DUE = "due", _("due")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")
    EXPIRED = "expired", _("expired")


class Reply(models.Model):
    """What a person wrote to one of our numbers; whose number it is today is asked of the customers.

    `heard` says how its `wish` was known: `exact`, `typo` and `vendor` were acted on, `among_others` is for a person to
    read. `campaign` and `message` are the last ones to that number on that channel before it came.

    The answer, where it gets one: due ──► sending ──► sent │ failed │ unknown (never again); sending ──► due (known not
    accepted); due ──► expired.
    """

    alias = models.CharField(_("sender"), max_length=64)
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    phone = models.CharField(_("phone"), max_length=32)
    text = models.TextField(_("text"))
    at = models.DateTimeField(_("at"), help_text=_("When it was written, as the provider says."))
    provider_message_id = models.CharField(_("provider's id"), max_length=LONGEST_NAME, default="", db_default="")
    to = models.CharField(_("to"), max_length=LONGEST_NAME, default="", db_default="")
    wish = models.CharField(_("wish"), max_length=16, choices=Wish, blank=True, default="", db_default="")
    heard = models.CharField(_("heard"), max_length=16, choices=HEARD, blank=True, default="", db_default="")
    campaign = models.ForeignKey(
        Campaign, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", null=True,
        verbose_name=_("campaign"),
    )  # fmt: skip
    message_id = models.BigIntegerField(_("message"), null=True)
    answer = models.TextField(_("answer"), default="", db_default="")
    answer_status = models.CharField(
        _("answer's status"), max_length=16, choices=AnswerStatus, blank=True, default="", db_default=""
    )
    answer_until = models.DateTimeField(null=True, help_text="Until then somebody is sending it.")
    answer_error = models.CharField(_("answer's error"), max_length=500, default="", db_default="")
    received_at = models.DateTimeField(_("received at"), db_default=Now())

    class Meta:
        db_table = "replies"
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["alias", "provider_message_id"],
                name="replies_provider_message_id_key",
                condition=~Q(provider_message_id=""),
            ),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="replies_channel"),
            models.CheckConstraint(condition=Q(wish__in=["", *Wish.values]), name="replies_wish"),
            models.CheckConstraint(
                condition=Q(answer_status__in=["", *AnswerStatus.values]), name="replies_answer_status"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["phone", "id"], name="replies_phone"),
            models.Index(fields=["campaign", "id"], name="replies_campaign", condition=Q(campaign__isnull=False)),
            models.Index(
                fields=["id"], name="replies_to_answer",
                condition=Q(answer_status__in=[AnswerStatus.DUE.value, AnswerStatus.SENDING.value]),
            ),
            models.Index(fields=["id"], name="replies_to_read", condition=Q(heard="among_others")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.pk)
