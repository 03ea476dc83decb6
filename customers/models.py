"""Customers, the names of their attributes, and the ledger of who may be written to."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.attributes import validate_attributes
from customers.phones import E164_PATTERN, validate_e164
from customers.places import validate_language, validate_time_zone
from customers.plain import PlainField

E164_REGEX = rf"^{E164_PATTERN}$"


class Channel(models.TextChoices):
    """The ways to reach a phone number."""

    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Questions about many customers."""

    def opted_out(self, channel: str) -> "CustomerQuerySet":
        """Those who asked not to be written to on `channel`."""
        return self.filter(_said(channel, ConsentState.OPTED_OUT))

    def without_consent(self, channel: str) -> "CustomerQuerySet":
        """Those who never said anything about `channel`: with REQUIRE_OPT_IN they are not written to either."""
        return self.exclude(_said(channel, ConsentState.OPTED_OUT)).exclude(_said(channel, ConsentState.OPTED_IN))


def _said(channel: str, state: "ConsentState") -> models.Exists:
    return models.Exists(Consent.objects.filter(phone=models.OuterRef("phone"), channel=channel, state=state))


class Customer(models.Model):
    """A person with one phone number in E.164."""

    phone = models.CharField(
        _("phone"),
        max_length=32,
        validators=[validate_e164],
        help_text=_("In international form, for example +254712345678."),
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True, default="", db_default="")
    last_name = models.CharField(_("last name"), max_length=150, blank=True, default="", db_default="")
    location = models.CharField(_("location"), max_length=150, blank=True, default="", db_default="")
    preferred_product = models.CharField(_("preferred product"), max_length=150, blank=True, default="", db_default="")
    attributes = models.JSONField(
        _("attributes"),
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        validators=[validate_attributes],
        help_text=_("Any further fields, usable in templates; names in snake_case."),
    )
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        default="",
        db_default="",
        validators=[validate_language],
        help_text=_("A BCP 47 tag such as “sw” or “en-KE”."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[validate_time_zone],
        help_text=_("An IANA name such as “Africa/Nairobi”, if the customer gave one."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        db_table = "customers"
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # One index, not three: `unique=True` would add its own and one for LIKE.
            models.UniqueConstraint(
                fields=["phone"],
                name="idx_customers_phone",
                violation_error_message=_("Another customer already has this phone number."),
                violation_error_code="phone_taken",
            ),
            models.CheckConstraint(
                condition=models.Q(phone__regex=E164_REGEX),
                name="customers_phone_e164",
                violation_error_message=_("The phone number is not in E.164."),
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.first_name, self.last_name])) or self.phone

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row; the database's clock notes when a new one is made, and ours when one is changed."""
        if not self._state.adding:
            self.updated_at = timezone.now()
        super().save(*args, **kwargs)


class CustomerAttribute(models.Model):
    """A name that some customer's `attributes` has or had: what templates may ask for.

    A trigger on `customers` keeps the table, so that a template is compiled without reading every customer
    (`SELECT DISTINCT jsonb_object_keys(…)` over a million rows takes about a second).
    """

    name = models.CharField(primary_key=True, max_length=150)

    class Meta:
        db_table = "customer_attributes"

    def __str__(self) -> str:
        return self.name


class ConsentState(models.TextChoices):
    """What somebody last said about being written to."""

    OPTED_OUT = "opted_out", _("opted out")
    OPTED_IN = "opted_in", _("opted in")


class ConsentSource(models.TextChoices):
    """Where Clarion itself learns of it; other words may stand there too, for instance of an older ledger."""

    REPLY = "reply", _("reply")
    PROVIDER = "provider", _("provider")
    ADMIN = "admin", _("admin")
    API = "api", _("API")
    IMPORT = "import", _("import")
    COMMAND = "command", _("command")


class ConsentEvent(models.Model):
    """That somebody said whether a number may be written to on a channel: who, when, how, in which words.

    Keyed by phone, without foreign keys, so it outlives the customer, the message and the user. Only ever added to:
    triggers refuse everything else, and keep `Consent` in the transaction that adds.
    """

    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    phone = models.CharField(_("phone"), max_length=32, validators=[RegexValidator(E164_REGEX)])
    state = models.CharField(_("state"), max_length=16, choices=ConsentState)
    source = models.CharField(_("source"), max_length=64, help_text=_("How we learnt of it, e.g. “reply”."))
    words = models.TextField(_("words"), blank=True, default="", db_default="", help_text=_("What the person wrote."))
    message_id = models.BigIntegerField(_("message"), null=True, blank=True)
    user_id = models.BigIntegerField(_("user"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True, default="", db_default="")
    at = models.DateTimeField(_("said at"), db_default=Now(), editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        db_table = "consent_events"
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["phone"], name="consent_events_phone")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A provider may say it of one message twice: in its answer and in receipts.
            models.UniqueConstraint(
                fields=["message_id"],
                condition=models.Q(source=ConsentSource.PROVIDER.value),
                name="consent_events_once_a_message",
            ),
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="consent_events_channel"),
            models.CheckConstraint(condition=models.Q(state__in=ConsentState.values), name="consent_events_state"),
            models.CheckConstraint(condition=models.Q(phone__regex=E164_REGEX), name="consent_events_phone_e164"),
        ]

    def __str__(self) -> str:
        return f"{self.phone} ({self.get_channel_display()}): {self.get_state_display()}"


class Consent(models.Model):
    """What counts now for a number on a channel: the event that was said last. Written by the trigger alone.

    `at` is when that was said and `event` breaks a tie, so an older fact that is recorded later changes nothing;
    `changed_at` is since when it counts here.
    """

    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    phone = models.CharField(_("phone"), max_length=32)
    state = models.CharField(_("state"), max_length=16, choices=ConsentState)
    event = models.ForeignKey(
        ConsentEvent, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField(_("said at"))
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    class Meta:
        db_table = "consents"
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The state is in the index, so that who has said something is answered from it as well.
            models.UniqueConstraint(fields=["phone", "channel"], include=["state"], name="consents_phone_channel_key")
        ]

    def __str__(self) -> str:
        return f"{self.phone} ({self.get_channel_display()}): {self.get_state_display()}"


class ConsentUpload(models.Model):
    """A list of numbers that somebody uploaded, with what an import would do or did; `consent_uploads` has its verbs.

    `refusals` is the CSV file of the lines that were refused. It holds phones: only `user_id` is shown it.
    """

    user_id = models.BigIntegerField()
    name = models.CharField(max_length=200)
    channel = models.CharField(max_length=16, choices=Channel)
    state = models.CharField(max_length=16, choices=ConsentState)
    region = models.CharField(max_length=2)
    note = models.CharField(max_length=500)
    content = models.BinaryField()
    refusals = models.BinaryField(default=b"")
    outcome = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    begun_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "consent_uploads"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Wish(models.TextChoices):
    """What a reply can ask for."""

    OPT_OUT = "opt_out", _("opt out")
    OPT_IN = "opt_in", _("opt in")
    HELP = "help", _("help")


class ConsentWord(models.Model):
    """A word that asks for something when a person replies with nothing else."""

    language = models.CharField(_("language"), max_length=35, validators=[validate_language])
    word = models.CharField(
        _("word"), max_length=64, help_text=_("Case, accents, blanks around it and punctuation do not matter.")
    )
    plain = PlainField(editable=False)
    wish = models.CharField(_("wish"), max_length=16, choices=Wish)

    class Meta:
        db_table = "consent_words"
        verbose_name = _("consent word")
        verbose_name_plural = _("consent words")
        ordering: ClassVar[list[str]] = ["language", "wish", "word"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # In whatever language: of two that are the same only one could be heard.
            models.UniqueConstraint(fields=["plain"], name="consent_words_plain_key"),
            models.CheckConstraint(condition=~models.Q(plain=""), name="consent_words_plain_says_something"),
            models.CheckConstraint(condition=models.Q(wish__in=Wish.values), name="consent_words_wish"),
        ]

    def __str__(self) -> str:
        return f"{self.word} ({self.language})"


class ConsentAnswer(models.Model):
    """What a person who asked for something is answered, once, in the language of the word."""

    language = models.CharField(_("language"), max_length=35, validators=[validate_language])
    wish = models.CharField(_("wish"), max_length=16, choices=Wish)
    text = models.TextField(_("text"), max_length=1000)

    class Meta:
        db_table = "consent_answers"
        verbose_name = _("consent answer")
        verbose_name_plural = _("consent answers")
        ordering: ClassVar[list[str]] = ["language", "wish"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["language", "wish"], name="consent_answers_language_wish_key"),
            models.CheckConstraint(condition=models.Q(wish__in=Wish.values), name="consent_answers_wish"),
        ]

    def __str__(self) -> str:
        return f"{self.get_wish_display()} ({self.language})"
