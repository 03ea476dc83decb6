"""What an outcome makes of a message, and how long it waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.models import EXPLAINED, Status
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.reasons import Reason
from messaging.verdicts import LONGEST_ERROR, RetryPolicy, verdict

POLICY = RetryPolicy(limit=3, base_seconds=10, cap_seconds=60)

outcomes = st.one_of(
    st.builds(Accepted, st.text()),
    *(st.builds(kind, st.text()) for kind in (TryLater, GiveUp, OptedOut, Unknown, StopAll)),
    st.builds(SlowDown, st.text(), st.none() | st.floats(0, 10**6)),
)


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 5, 10), (2, 10, 20), (3, 20, 40), (4, 30, 60), (900, 30, 60)]
)
def test_each_failure_doubles_the_wait_up_to_the_cap(failures: int, least: float, most: float) -> None:
    assert POLICY.wait_seconds(failures, jitter=0) == most
    assert POLICY.wait_seconds(failures, jitter=1) == least


def test_the_last_allowed_refusal_fails_the_message() -> None:
    assert verdict(TryLater("busy"), 1, POLICY, 0).status == Status.PENDING
    last = verdict(TryLater("busy"), 2, POLICY, 0)
    assert (last.status, last.reason, last.failures) == (Status.FAILED, Reason.RETRIES_EXHAUSTED, 1)


def test_a_throttled_message_is_not_failed_however_often() -> None:
    slow = verdict(SlowDown("429", 5), 10**6, POLICY, 0)
    assert (slow.status, slow.failures, slow.wait_seconds) == (Status.PENDING, 0, 5)


def test_a_provider_that_wants_us_to_wait_for_ever_is_not_believed() -> None:
    assert verdict(SlowDown("429", 10**9), 0, POLICY, 0).wait_seconds == POLICY.cap_seconds
    assert verdict(SlowDown("429", 0), 0, POLICY, 0).wait_seconds == 1


def test_an_unknown_outcome_is_never_tried_again() -> None:
    assert verdict(Unknown("no answer"), 0, POLICY, 0).status == Status.UNKNOWN


@given(outcomes, st.integers(0, 100), st.floats(0, 1))
def test_every_verdict_can_be_stored_and_explains_itself(outcome: Outcome, retries: int, jitter: float) -> None:
    found = verdict(outcome, retries, POLICY, jitter)

    assert (found.reason is not None) or found.status not in EXPLAINED
    assert (found.reason is None) == (found.status == Status.SENT)
    for text in (found.error or "", found.provider_message_id):
        assert len(text) <= LONGEST_ERROR
        assert "\0" not in text
        text.encode()
    assert found.wait_seconds is None or 0 <= found.wait_seconds <= POLICY.cap_seconds + 1
