"""By which senders a campaign may go out: what is built on campaigns knows them and plugs itself in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from customers.models import Channel


def _nobody(_channel: str) -> Sequence[str]:
    return ()


# The aliases that serve a channel, in their order; messaging replaces it when it starts.
serving: Callable[[str], Sequence[str]] = _nobody


@dataclass(frozen=True, slots=True)
class Choice:
    """A sender and the channels that it serves."""

    alias: str
    channels: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.alias} ({', '.join(str(Channel(each).label) for each in self.channels)})"


def choices() -> Sequence[Choice]:
    """Every sender that serves some channel."""
    by_channel = {channel: serving(channel) for channel in Channel.values}
    aliases = sorted({alias for known in by_channel.values() for alias in known})
    return [Choice(alias, tuple(each for each in by_channel if alias in by_channel[each])) for alias in aliases]


def mistake(sender: str, channel: str) -> str:
    """Why a campaign of this channel cannot go out by this sender, naming those that it can; empty when it can."""
    known = serving(channel) if channel in Channel.values else ()
    if not sender or sender in known:
        return ""
    names = {"alias": sender, "channel": Channel(channel).label, "known": ", ".join(known) or _("none")}
    return _("“%(alias)s” is no sender of %(channel)s; these are: %(known)s.") % names
