"""How fast a campaign goes and how long it will take, from one look at its counts to the next. Pure."""

from dataclasses import dataclass
from datetime import timedelta

# Looks nearer to each other than this say nothing about a rate.
SHORTEST_LOOK_SECONDS = 0.5
# How much of the newest rate goes into the one shown: it settles within some five looks and does not flicker.
WEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class Look:
    """How many messages were done at a time (seconds since the epoch), and how many a second that makes, if known."""

    done: int
    at: float
    rate: float | None = None

    def next(self, done: int, at: float) -> "Look":
        """The next look, its rate smoothed by the ones before it; a look too soon or into the past changes nothing."""
        seconds = at - self.at
        if seconds < SHORTEST_LOOK_SECONDS:
            return self
        newest = max(done - self.done, 0) / seconds
        rate = newest if self.rate is None else WEIGHT * newest + (1 - WEIGHT) * self.rate
        return Look(done, at, rate)

    def left(self, remaining: int) -> timedelta | None:
        """How long that many messages will take at this rate; unknown while nothing moves."""
        if remaining <= 0:
            return timedelta(0)
        if not self.rate or self.rate * 86_400 * 30 < remaining:
            return None
        return timedelta(seconds=round(remaining / self.rate))


def as_query(look: Look) -> dict[str, str]:
    """A look as query parameters, so that the page that polls is what remembers it."""
    return {"done": str(look.done), "at": f"{look.at:.3f}"} | ({"rate": f"{look.rate:.3f}"} if look.rate else {})


def from_query(query: dict[str, str]) -> Look | None:
    """The look of `as_query`; none when the parameters are missing or make no sense."""
    try:
        look = Look(int(query["done"]), float(query["at"]), float(query["rate"]) if "rate" in query else None)
    except (KeyError, ValueError, OverflowError):
        return None
    finite = 0 <= look.done < 1e15 and 0 <= look.at < 1e12 and (look.rate is None or 0 <= look.rate < 1e9)
    return look if finite else None
