"""What came of a test message is told in words, never by the name of a class."""

from typing import get_args

import pytest

from messaging import outcome_words
from messaging.providers.base import Accepted, GiveUp, Outcome, Unknown


@pytest.mark.parametrize("kind", [each for each in get_args(Outcome) if each is not Accepted])
def test_every_refusal_has_its_own_words_and_what_the_vendor_said(kind: type[GiveUp]) -> None:
    told = outcome_words.refusal(kind("21211: not a number"))
    assert told.endswith("Reason given: 21211: not a number")
    assert kind.__name__ not in told
    others = {outcome_words.refusal(other("")) for other in get_args(Outcome) if other not in (Accepted, kind)}
    assert outcome_words.refusal(kind("")) not in others


def test_what_may_have_been_sent_is_not_told_as_not_sent() -> None:
    assert "Not sent" not in outcome_words.refusal(Unknown("no answer in 30 s"))
    assert "may have been sent" in outcome_words.refusal(Unknown(""))


def test_what_was_accepted_is_no_refusal() -> None:
    assert outcome_words.refusal(Accepted("SM1")) == ""
