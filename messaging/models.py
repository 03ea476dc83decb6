"""The ledger: one row a message, and the few rows that hand ranges of them to workers."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.indexes import LongNamedIndex
from campaigns.models import Campaign
from customers.models import Customer
from messaging.account_changes import AccountChange
from messaging.arrivals import HookEvent, Reply, UnmatchedReceipt
from messaging.sender_models import Sender, SenderPrice, SenderState

__all__ = [
    "AccountChange", "Alert", "HookEvent", "Launch", "MessageBatch", "OutboundMessage", "Reply", "Sender",
    "SenderPrice", "SenderState", "Status", "UnmatchedReceipt",
]  # fmt: skip


class Status(models.TextChoices):
    """Where a message stands."""

    PENDING = "pending", _("pending")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    READ = "read", _("read")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")
    SKIPPED = "skipped", _("skipped")
    CANCELLED = "cancelled", _("cancelled")


EXPLAINED = (Status.SKIPPED, Status.FAILED, Status.UNKNOWN, Status.CANCELLED)
SELF_EXPLANATORY = (Status.SENDING, Status.SENT, Status.DELIVERED, Status.READ)


class OutboundMessage(models.Model):
    """One campaign's text for one customer.

    ::

        pending ──► sending ──► sent ──► delivered ──► read
          │  ▲         │ ├────► unknown ──► sent │ failed │ pending (its owner resends it)
          │  └─────────┘ ├────► failed ──► pending (its owner retries it)
          ▼  known not   └────► skipped (opted out) │ cancelled (never left)
        skipped │ failed │ cancelled

    Receipts move what was sent, or may have been, further to the right, or to failed (`receipts.py`). Rows are written
    and moved by set: see `rows.py` (written), `delivery.py` (claimed), `settling.py`, `recovery.py`, `look_ups.py` and
    `second_chances.py`.
    """

    # Deleting is the database's: ON DELETE CASCADE stands in the migration, because DO_NOTHING keeps Django from
    # loading a million rows and Django 5.2 has no DB_CASCADE yet.
    campaign = models.ForeignKey(
        Campaign, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("campaign")
    )
    customer = models.ForeignKey(
        Customer, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("customer")
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.PENDING, db_default=Status.PENDING
    )
    reason = models.CharField(_("reason"), max_length=64, null=True, help_text=_("A code of `Reason`."))
    address = models.CharField(_("address"), max_length=32, help_text=_("The number as it was at launch."))
    rendered_content = models.TextField(_("text"))
    parts = models.PositiveSmallIntegerField(_("parts"), default=1, db_default=1)
    retry_count = models.IntegerField(_("retries"), default=0, db_default=0)
    retries_before = models.IntegerField(
        _("retries before"), default=0, db_default=0,
        help_text=_("What the count was at the owner's last retry: the limit counts from there."),
    )  # fmt: skip
    stops = models.PositiveSmallIntegerField(
        _("stops"), default=0, db_default=0,
        help_text=_("How often the provider refused it as if the account were broken, and took others."),
    )  # fmt: skip
    last_error = models.TextField(_("last error"), default="", db_default="")
    provider = models.CharField(_("provider"), max_length=64, default="", db_default="")
    provider_message_id = models.CharField(_("provider's id"), max_length=255, default="", db_default="")
    due_at = models.DateTimeField(_("due at"), null=True, help_text=_("Not before this time; null: at once."))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    variables = models.JSONField(
        _("variables"), null=True,
        help_text=_("What fills the blanks of the campaign's WhatsApp template, in their order; else null."),
    )  # fmt: skip
    sent_at = models.DateTimeField(_("sent at"), null=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "outbound_messages"
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            # A campaign's messages newest first, at any depth.
            LongNamedIndex(fields=["campaign", "id"], name="idx_outbound_messages_campaign_id"),
            LongNamedIndex(fields=["customer"], name="idx_outbound_messages_customer_id"),
            # “The failed ones of this campaign”, newest first, in a campaign of a million.
            LongNamedIndex(fields=["status", "campaign", "id"], name="idx_outbound_messages_status"),
            LongNamedIndex(
                fields=["provider_message_id"],
                name="idx_outbound_messages_provider_message_id",
                condition=~Q(provider_message_id=""),
            ),
            # The few whose outcome the provider is still to be asked for.
            LongNamedIndex(
                fields=["provider", "due_at"],
                name="idx_outbound_messages_look_up",
                condition=Q(status=Status.UNKNOWN, due_at__isnull=False),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["campaign", "customer"], name="outbound_messages_campaign_customer_key"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="outbound_messages_status"),
            models.CheckConstraint(
                condition=(Q(status__in=EXPLAINED) & Q(reason__isnull=False))
                | (Q(status__in=SELF_EXPLANATORY) & Q(reason__isnull=True))
                | Q(status=Status.PENDING),
                name="outbound_messages_reason",
            ),
            models.CheckConstraint(condition=Q(retry_count__gte=0), name="outbound_messages_retry_count"),
            models.CheckConstraint(condition=Q(retries_before__gte=0), name="outbound_messages_retries_before"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class MessageBatch(models.Model):
    """A range of one campaign's messages that a worker takes on together, and its lease while it does.

    There are a few rows for thousands of messages, so that finding work never walks past dead entries of the big table.
    A row goes when nothing in its range is pending or sending. Ranges of one campaign never overlap (an exclusion
    constraint of the migration): who holds a lease moves everything that is `sending` in its range.
    """

    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, db_constraint=False, related_name="+")
    provider = models.CharField(max_length=64)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    due_at = models.DateTimeField(db_default=Now(), help_text="The earliest due time of its pending messages.")
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=255, default="", db_default="", help_text="Who holds or last held the lease.")

    class Meta:
        db_table = "message_batches"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(lease__isnull=True, leased_until__isnull=True)
                | Q(lease__isnull=False, leased_until__isnull=False),
                name="message_batches_lease",
            ),
            models.CheckConstraint(condition=Q(first_id__lte=models.F("last_id")), name="message_batches_range"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.first_id}-{self.last_id}"


class Launch(models.Model):
    """How far the writing of a campaign's messages has come, for an audience too large for one transaction.

    Deleted with the last step.
    """

    campaign = models.OneToOneField(
        Campaign, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="+"
    )
    cursor = models.BigIntegerField(default=0, help_text="The highest customer id whose message is written.")
    last_customer_id = models.BigIntegerField(help_text="The highest customer id when the launch began.")
    written_at = models.DateTimeField(db_default=Now(), help_text="When the last page was written, or it began.")

    class Meta:
        db_table = "launches"

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.cursor}/{self.last_customer_id}"


class Alert(models.Model):
    """Something that a person must be told about a campaign."""

    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, db_constraint=False, related_name="+")
    code = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    told = models.BooleanField(default=False, db_default=False)
    claimed_until = models.DateTimeField(null=True, help_text="Until then somebody is telling it.")

    class Meta:
        db_table = "campaign_alerts"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], name="campaign_alerts_waiting", condition=Q(told=False))
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["campaign", "code"], name="campaign_alerts_once", condition=Q(code="retries_exhausted")
            )
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.campaign_id}"
