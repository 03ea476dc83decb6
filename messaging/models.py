"""The ledger: one row a message, and the few rows that hand ranges of them to workers."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.core.validators import MinValueValidator, RegexValidator, validate_slug
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.indexes import LongNamedIndex
from campaigns.models import Campaign
from customers.models import Channel, Customer
from messaging.arrivals import HookEvent, Reply, UnmatchedReceipt
from messaging.secrets import Sealed, SealedField

__all__ = [
    "Alert", "HookEvent", "Launch", "MessageBatch", "OutboundMessage", "Reply", "Sender", "SenderPrice", "SenderState",
    "Status", "UnmatchedReceipt",
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


# Parts a second.
LOWEST_RATE = 0.01

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
    and moved by set: see `dispatch.py` (written), `delivery.py` (claimed, settled), `recovery.py`, `look_ups.py` and
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


class Kind(models.TextChoices):
    """What an account is registered for; countries have rules for each."""

    PROMOTIONAL = "promotional", _("promotional")
    TRANSACTIONAL = "transactional", _("transactional")


def _unless(flag: str, *needed: str) -> Q:
    return Q(**{flag: False}) | Q(**dict.fromkeys(needed, True))


class Sender(models.Model):
    """An account of a provider, as people set it up.

    An alias of MESSAGE_PROVIDERS has a row without a `backend`: of it people set rate, kind and prices, and the rest is
    the settings'. `accounts.py` says what an alias is in the end.
    """

    alias = models.CharField(
        _("alias"), max_length=64, validators=[validate_slug],
        help_text=_("Its name here: letters, digits, - and _. It cannot be changed later."),
    )  # fmt: skip
    backend = models.CharField(
        _("vendor"), max_length=64, blank=True, default="", db_default="",
        help_text=_("It cannot be changed later: what was sent is known by this account."),
    )  # fmt: skip
    options = models.JSONField(
        _("options"), default=dict, db_default=models.Value({}, models.JSONField()), blank=True, editable=False
    )
    sealed = SealedField(_("credentials"), default=Sealed, db_default=models.Value(""), editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=False, db_default=False)
    sends_sms = models.BooleanField(_("sends SMS"), default=False, db_default=False)
    sends_whatsapp = models.BooleanField(_("sends WhatsApp"), default=False, db_default=False)
    is_default_sms = models.BooleanField(
        _("default for SMS"), default=False, db_default=False, help_text=_("For campaigns that name no sender.")
    )
    is_default_whatsapp = models.BooleanField(
        _("default for WhatsApp"), default=False, db_default=False, help_text=_("For campaigns that name no sender.")
    )
    kind = models.CharField(
        _("kind"), max_length=16, choices=Kind, default=Kind.PROMOTIONAL, db_default=Kind.PROMOTIONAL,
        help_text=_("What the vendor registered it for."),
    )  # fmt: skip
    rate = models.FloatField(
        _("rate"), null=True, blank=True, validators=[MinValueValidator(LOWEST_RATE)],
        help_text=_("Parts a second, over all workers; empty: as MESSAGE_PROVIDERS says, or without a limit."),
    )  # fmt: skip
    hook_token = models.UUIDField(
        _("secret of its address"), db_default=RandomUUID(), editable=False,
        help_text=_("Who knows it may knock at the door for this account's receipts."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    class Meta:
        db_table = "senders"
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering: ClassVar[list[str]] = ["alias"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["alias"], name="senders_alias_key"),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gte=LOWEST_RATE),
                name="senders_rate",
                violation_error_message=_("The rate must be at least one part in a hundred seconds."),
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="senders_kind"),
            models.UniqueConstraint(
                fields=["is_default_sms"], name="senders_default_sms", condition=Q(is_default_sms=True),
                violation_error_message=_("Another sender is the default for SMS: take that from it first."),
            ),
            models.UniqueConstraint(
                fields=["is_default_whatsapp"], name="senders_default_whatsapp", condition=Q(is_default_whatsapp=True),
                violation_error_message=_("Another sender is the default for WhatsApp: take that from it first."),
            ),
            models.CheckConstraint(
                condition=_unless("is_default_sms", "sends_sms", "is_enabled"), name="senders_default_sms_serves",
                violation_error_message=_("The default for SMS must be enabled and send SMS."),
            ),
            models.CheckConstraint(
                condition=_unless("is_default_whatsapp", "sends_whatsapp", "is_enabled"),
                name="senders_default_whatsapp_serves",
                violation_error_message=_("The default for WhatsApp must be enabled and send WhatsApp."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.alias

    @property
    def channels(self) -> frozenset[str]:
        """The channels that people let it serve."""
        return frozenset(channel for channel in Channel.values if getattr(self, f"sends_{channel}"))

    @property
    def default_channels(self) -> frozenset[str]:
        """The channels whose default it is."""
        return frozenset(channel for channel in Channel.values if getattr(self, f"is_default_{channel}"))


class SenderPrice(models.Model):
    """What a part costs at an account, to numbers that begin so; of several that fit the longest counts."""

    sender = models.ForeignKey(Sender, models.CASCADE, related_name="prices", verbose_name=_("sender"))
    prefix = models.CharField(
        _("numbers that begin with"), max_length=16, blank=True, default="", db_default="",
        validators=[RegexValidator(r"^(\+[1-9][0-9]{0,14})?$", _("Write it as +254, or leave it empty for all."))],
        help_text=_("For example +254; empty: all others."),
    )  # fmt: skip
    price = models.DecimalField(_("price a part"), max_digits=12, decimal_places=6, validators=[MinValueValidator(0)])
    currency = models.CharField(
        _("currency"), max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$", _("Three capitals, for example KES."))]
    )

    class Meta:
        db_table = "sender_prices"
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering: ClassVar[list[str]] = ["sender", "prefix"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["sender", "prefix"], name="sender_prices_prefix",
                violation_error_message=_("There is already a price for these numbers."),
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="sender_prices_price"),
            models.CheckConstraint(condition=Q(prefix__regex=r"^(\+[1-9][0-9]{0,14})?$"), name="sender_prices_numbers"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="sender_prices_currency"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.prefix or '+…'}: {self.price} {self.currency}"


class SenderState(models.Model):
    """Where an account stands now: what its limiter, its breaker and the provider's wish to slow down say.

    A table of its own, because it is written many times a second while the account is at its limit.
    """

    alias = models.CharField(max_length=64, primary_key=True)
    free_at = models.DateTimeField(db_default=Now(), help_text="Before this time the limiter lets nothing more out.")
    urgent_until = models.DateTimeField(null=True, help_text="Until then a test or a reply goes first.")
    held_until = models.DateTimeField(null=True, help_text="Before this time nobody takes its batches.")
    hold = models.CharField(max_length=16, default="", db_default="", help_text="throttled, breaker or empty.")
    failures = models.IntegerField(default=0, db_default=0, help_text="Messages in a row that came to nothing.")
    holds = models.IntegerField(default=0, db_default=0, help_text="How often in a row the breaker has opened.")

    class Meta:
        db_table = "sender_states"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(hold__in=["", "throttled", "breaker"]), name="sender_states_hold"),
        ]

    def __str__(self) -> str:
        return self.alias


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
