"""What a provider's answer to a single message means, for the person who pressed the button."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.providers.base import GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown

_MEANINGS: Mapping[type, Any] = {
    TryLater: gettext_lazy("Not sent: the provider could not take it at this moment. Try again later."),
    SlowDown: gettext_lazy("Not sent: too much goes out by this sender at this moment. Try again soon."),
    GiveUp: gettext_lazy("Not sent: the provider refuses this message, and would refuse it again."),
    OptedOut: gettext_lazy("Not sent: this number may not be written to on this channel."),
    Unknown: gettext_lazy("No clear answer came: it may have been sent. Look at the phone before you try again."),
    StopAll: gettext_lazy("Not sent: the sender's account does not work, and would send nothing else either."),
}


def refusal(outcome: Outcome) -> str:
    """What it means that the message was not accepted, and the error as it was told; empty when it was accepted."""
    if type(outcome) not in _MEANINGS:
        return ""
    error = getattr(outcome, "error", "")
    meaning = str(_MEANINGS[type(outcome)])
    return _("%(meaning)s Reason given: %(error)s") % {"meaning": meaning, "error": error} if error else meaning
