"""Decides, without touching anything, what a provider's outcome makes of a message."""

from collections.abc import Sequence
from dataclasses import dataclass

from messaging.models import Status
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.reasons import Reason

LONGEST_ERROR = 500
LONGEST_PROVIDER_ID = 255
# Also for a provider that says “slow down” and “at once” together.
LEAST_WAIT_SECONDS = 1.0
# A message that stopped its account so often, while the account took others, is failed: once may be credit that ended
# in the middle of a slice, and then its owner fills it up before they resume.
STOPS_LIMIT = 2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a message may be refused for the moment before it is failed, and how long it waits in between."""

    limit: int
    base_seconds: float
    cap_seconds: float

    def wait_seconds(self, failures: int, jitter: float) -> float:
        """How long to wait after this many failures: base × 2^(failures-1), capped, of which `jitter` (0 to 1) takes up
        to half away, so that those who failed together do not come back together.
        """
        full = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures - 1, 62))
        return full * (1 - jitter / 2)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be written: the new status, why, and, for one that waits, for how long.

    `failures` is how much `retry_count` rises, `stops` how much the row's `stops` does.
    """

    status: Status
    reason: Reason | None = None
    error: str | None = None
    failures: int = 0
    stops: int = 0
    wait_seconds: float | None = None
    provider_message_id: str = ""


def to_blame(outcomes: Sequence[Outcome], stops: Sequence[int], *, took_others: bool = False) -> list[bool]:
    """Which messages of a slice are to blame for their own `StopAll`: then it says nothing of the account. Pure.

    `stops` is how often each was to blame before. Where the account took others, it works. Where it took nobody, it is
    the account; only when nothing is left but messages that were to blame before, the first of them is once more, so
    that they come to an end, and an account that broke meanwhile costs one message a resume at the most. Of a slow
    account a slice may be one message: there `took_others` says that the account took some just before.
    """
    if any(isinstance(outcome, Accepted) for outcome in outcomes):
        return [isinstance(outcome, StopAll) for outcome in outcomes]
    are_left = all(isinstance(outcome, StopAll) for outcome in outcomes) and all(stops)
    is_alone = took_others and len(outcomes) == 1 and isinstance(outcomes[0], StopAll)
    return [(are_left or is_alone) and place == 0 for place in range(len(outcomes))]


def verdict(
    outcome: Outcome, retry_count: int, policy: RetryPolicy, jitter: float, *, stops: int = 0, is_to_blame: bool = False
) -> Verdict:
    """The verdict on one outcome of a message that was refused `retry_count` times before (or since its owner's last
    retry), and was to blame for `stops` stops of its account. Pure.
    """
    match outcome:
        case Accepted(provider_message_id):
            return Verdict(Status.SENT, provider_message_id=storable(provider_message_id)[:LONGEST_PROVIDER_ID])
        case TryLater(error):
            return _try_later(storable(error)[:LONGEST_ERROR], retry_count + 1, policy, jitter)
        case SlowDown(error, seconds):
            wait = (
                policy.wait_seconds(1, jitter)
                if seconds is None
                else min(max(seconds, LEAST_WAIT_SECONDS), policy.cap_seconds) + jitter
            )
            return Verdict(Status.PENDING, Reason.THROTTLED, storable(error)[:LONGEST_ERROR], wait_seconds=wait)
        case StopAll(error):
            return _stop(storable(error)[:LONGEST_ERROR], stops, is_to_blame=is_to_blame)
        case GiveUp(error):
            return Verdict(Status.FAILED, Reason.REJECTED, storable(error)[:LONGEST_ERROR])
        case OptedOut(error):
            return Verdict(Status.SKIPPED, Reason.OPTED_OUT, storable(error)[:LONGEST_ERROR])
        case Unknown(error):
            return Verdict(Status.UNKNOWN, Reason.NO_ANSWER, storable(error)[:LONGEST_ERROR])


def _try_later(error: str, failures: int, policy: RetryPolicy, jitter: float) -> Verdict:
    if failures >= policy.limit:
        return Verdict(Status.FAILED, Reason.RETRIES_EXHAUSTED, error, failures=1)
    wait = policy.wait_seconds(failures, jitter)
    return Verdict(Status.PENDING, Reason.TEMPORARY_FAILURE, error, failures=1, wait_seconds=wait)


def _stop(error: str, stops: int, *, is_to_blame: bool) -> Verdict:
    if is_to_blame and stops + 1 >= STOPS_LIMIT:
        return Verdict(Status.FAILED, Reason.STOPS_ACCOUNT, error, stops=1)
    return Verdict(Status.PENDING, Reason.PROVIDER_STOPPED, error, stops=int(is_to_blame))


def storable(text: str) -> str:
    """PostgreSQL refuses NUL and lone surrogates, and a vendor's words must never cost us the outcome."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode(errors="replace").decode()
