"""The stable codes that say why a message was skipped, failed, cancelled, is unknown or waits."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reason(models.TextChoices):
    """Why a message stands where it stands; see docs/reasons.md."""

    OPTED_OUT = "opted_out", _("The number asked not to be written to on this channel.")
    NO_CONSENT = "no_consent", _("Nobody has recorded that the number wants to be written to, as is required here.")
    EMPTY_TEXT = "empty_text", _("With this customer's fields the text came out empty.")
    TOO_LONG = "too_long", _("With this customer's fields the text came out longer than any provider takes.")
    TEMPORARY_FAILURE = "temporary_failure", _("The provider did not accept it yet; it will be tried again.")
    THROTTLED = "throttled", _("The provider asked to slow down; it will be tried again and no try is counted.")
    PROVIDER_STOPPED = "provider_stopped", _("The provider's account is not working; the campaign was paused.")
    RETRIES_EXHAUSTED = "retries_exhausted", _("It was refused for the moment more often than the retry limit allows.")
    STOPS_ACCOUNT = (
        "stops_account",
        _("The provider took others, and twice refused this one as if the account itself were not working."),
    )
    REJECTED = "rejected", _("The provider refused it for good.")
    NO_ANSWER = "no_answer", _("It left us and no answer came, so it may have arrived; it is never repeated unasked.")
    WORKER_LOST = (
        "worker_lost",
        _("The worker that held it was lost before it wrote down the answer; it may have arrived."),
    )
    CAMPAIGN_CANCELLED = "campaign_cancelled", _("The campaign was cancelled before it left us.")
    EXPIRED = "expired", _("It could not go out before it expired.")
    NOT_ACCEPTED = "not_accepted", _("No answer had come, and the provider said later that it never took it.")
    UNDELIVERED = "undelivered", _("The provider took it, and said later that it did not reach the phone.")


# What a message that failed can say; the owner's retry chooses among them.
OF_FAILED = (
    Reason.RETRIES_EXHAUSTED,
    Reason.STOPS_ACCOUNT,
    Reason.REJECTED,
    Reason.EXPIRED,
    Reason.NOT_ACCEPTED,
    Reason.UNDELIVERED,
)
