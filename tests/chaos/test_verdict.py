"""What the comparison of the provider's log with the ledger says: every figure, in both directions."""

from typing import Any

import pytest

from tests.chaos.verdict import Evidence, Kill, Line, Resend, Window, judge

A, B = "host:1", "host:2"


def figures(rows: dict[int, str], accepted: list[tuple[float, int]] | None = None, **more: Any) -> dict[str, Any]:
    """The figures of an otherwise spotless run."""
    if accepted is None:
        accepted = [(1.0, message) for message in rows]
    return judge(Evidence(rows=rows, accepted=accepted, samples=1, **more)).figures


def problems(rows: dict[int, str], accepted: list[tuple[float, int]] | None = None, **more: Any) -> str:
    """The problems of an otherwise spotless run, in one text."""
    if accepted is None:
        accepted = [(1.0, message) for message in rows]
    return " ".join(judge(Evidence(rows=rows, accepted=accepted, **{"samples": 1} | more)).problems)


def test_a_run_in_which_all_went_well_has_no_problems() -> None:
    found = figures({1: "sent", 2: "delivered", 3: "read"})
    assert (found["messages"], found["lost"], found["doubled"], found["unknown"]) == (3, 0, 0, 0)
    assert found["equation_held"]
    assert problems({1: "sent", 2: "delivered", 3: "read"}) == ""


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_what_nobody_accepted_is_lost_when_the_ledger_says_otherwise(status: str) -> None:
    assert figures({1: status, 2: "sent"}, [(1.0, 2)])["lost"] == 1
    assert figures({1: status, 2: "sent"}, [(1.0, 2)])["lost_messages"] == [1]


@pytest.mark.parametrize("status", ["pending", "sending"])
def test_what_is_not_finished_is_lost_whether_or_not_it_was_accepted(status: str) -> None:
    assert figures({1: status}, [])["lost"] == 1
    assert figures({1: status}, [(1.0, 1)])["lost"] == 1
    assert "1 messages are lost" in problems({1: status}, [])


@pytest.mark.parametrize("status", ["failed", "skipped", "cancelled", "unknown"])
def test_what_nobody_accepted_is_not_lost_when_the_ledger_claims_no_more(status: str) -> None:
    assert figures({1: status}, [])["lost"] == 0


def test_rows_that_a_launch_promised_and_never_wrote_are_lost() -> None:
    assert figures({1: "sent"}, unwritten=3)["lost"] == 3


def test_one_reference_accepted_twice_is_doubled_once_however_often() -> None:
    found = figures({1: "sent", 2: "sent"}, [(1.0, 1), (2.0, 2), (3.0, 1), (4.0, 1)])
    assert found["doubled"] == 1
    assert found["doubled_messages"] == [1]


def test_a_resend_of_the_owner_in_between_makes_no_double() -> None:
    twice = [(1.0, 1), (3.0, 1)]
    assert figures({1: "sent"}, twice, resends=[Resend(2.0, {1})])["doubled"] == 0


@pytest.mark.parametrize("resend", [Resend(0.5, {1}), Resend(3.5, {1}), Resend(2.0, {2})])
def test_a_resend_before_or_after_both_or_of_another_message_excuses_nothing(resend: Resend) -> None:
    assert figures({1: "sent"}, [(1.0, 1), (3.0, 1)], resends=[resend])["doubled"] == 1


def test_one_resend_excuses_one_repetition_and_not_two() -> None:
    thrice = [(1.0, 1), (3.0, 1), (4.0, 1)]
    assert figures({1: "sent"}, thrice, resends=[Resend(2.0, {1})])["doubled"] == 1


def test_the_order_of_the_log_does_not_matter() -> None:
    assert figures({1: "sent"}, [(3.0, 1), (1.0, 1)], resends=[Resend(2.0, {1})])["doubled"] == 0


@pytest.mark.parametrize("status", ["failed", "skipped", "cancelled"])
def test_an_accepted_message_that_the_ledger_calls_refused_is_contradicted_unless_it_was_resent(status: str) -> None:
    assert figures({1: status})["contradicted"] == 1
    assert "1 accepted messages are failed" in problems({1: status})
    assert figures({1: status}, resends=[Resend(2.0, {1})])["contradicted"] == 0


def test_unknown_messages_of_a_killed_worker_are_explained_and_within_what_it_had_open() -> None:
    kill = Kill(1.0, "worker", open=2, in_flight=True, workers=[A])
    found = figures({1: "unknown", 2: "unknown"}, kills=[kill], lines=[Line(9.0, "worker_lost", A, {1, 2}, 2)])
    assert (found["unknown"], found["unknown_bound"], found["unknown_explained"]) == (2, 2, 2)
    assert (found["kills"], found["kills_in_flight"]) == (1, 1)


def test_more_unknown_messages_than_were_open_are_a_problem() -> None:
    kill = Kill(1.0, "worker", open=1, in_flight=True, workers=[A])
    lines = [Line(9.0, "worker_lost", A, {1, 2}, 2)]
    assert "no more than 1 may be" in problems({1: "unknown", 2: "unknown"}, kills=[kill], lines=lines)


@pytest.mark.parametrize("line", [Line(9.0, "worker_lost", B, {1}, 1), Line(0.5, "worker_lost", A, {1}, 1)])
def test_a_lost_worker_that_was_not_killed_or_only_later_explains_nothing(line: Line) -> None:
    kill = Kill(1.0, "worker", open=5, in_flight=True, workers=[A])
    assert figures({1: "unknown"}, kills=[kill], lines=[line])["unknown_explained"] == 0
    assert "1 unknown messages are explained by no line" in problems({1: "unknown"}, kills=[kill], lines=[line])


def test_an_unknown_message_that_no_line_names_is_not_explained() -> None:
    kill = Kill(1.0, "worker", open=5, in_flight=True, workers=[A])
    lines = [Line(9.0, "worker_lost", A, {1}, 1)]
    assert figures({1: "unknown", 2: "unknown"}, kills=[kill], lines=lines)["unknown_explained"] == 1


def test_a_slice_in_which_the_provider_kept_one_answer_back_explains_itself_and_raises_the_bound_by_its_size() -> None:
    found = figures({1: "unknown", 2: "unknown"}, mistreated={1}, lines=[Line(9.0, "no_answer", A, {1, 2}, 50)])
    assert (found["unknown_bound"], found["unknown_explained"]) == (50, 2)


def test_silence_of_a_provider_that_did_nothing_wrong_is_not_explained_and_raises_no_bound() -> None:
    found = figures({1: "unknown"}, mistreated={7}, lines=[Line(9.0, "no_answer", A, {1}, 50)])
    assert (found["unknown_bound"], found["unknown_explained"]) == (0, 0)


@pytest.mark.parametrize(
    ("what", "event", "explains"),
    [
        ("postgres", "worker_lost", True), ("stall", "worker_lost", True), ("away", "worker_lost", False),
        ("postgres", "no_answer", False), ("stall", "no_answer", True), ("away", "no_answer", True),
        ("twice", "no_answer", True), ("twice", "worker_lost", False),
    ],
)  # fmt: skip
def test_each_lasting_trouble_explains_what_it_can_have_done(what: str, event: str, explains: bool) -> None:
    windows = [Window(1.0, 3.0, what)]
    found = figures({1: "unknown"}, windows=windows, lines=[Line(2.0, event, A, {1}, 1)])
    assert found["unknown_explained"] == explains


@pytest.mark.parametrize(("at", "explained"), [(0.9, 0), (1.0, 1), (14.0, 1), (14.1, 0)])
def test_a_lasting_trouble_explains_until_its_leases_have_run_out(at: float, explained: int) -> None:
    lines = [Line(at, "worker_lost", A, {1}, 1)]
    found = figures({1: "unknown"}, windows=[Window(1.0, 3.0, "postgres")], lines=lines, lease_seconds=10.0)
    assert found["unknown_explained"] == explained


def test_a_worker_that_stood_still_explains_nothing_of_another() -> None:
    windows = [Window(1.0, 3.0, "stall", 50, [A])]
    found = figures({1: "unknown"}, windows=windows, lines=[Line(2.0, "worker_lost", B, {1}, 1)])
    assert (found["unknown_bound"], found["unknown_explained"]) == (50, 0)


def test_the_bound_is_the_sum_over_kills_outages_and_silences() -> None:
    found = figures(
        {1: "sent"},
        kills=[Kill(1.0, "worker", 10, workers=[A]), Kill(2.0, "all workers", 20, workers=[A, B]), Kill(3.0, "beat")],
        windows=[Window(4.0, 5.0, "postgres", 30)],
        mistreated={8},
        lines=[Line(6.0, "no_answer", A, {8}, 40)],
    )
    assert found["unknown_bound"] == 100


def test_fewer_than_half_of_the_kills_in_flight_are_too_few() -> None:
    hit, missed = Kill(1.0, "worker", 1, in_flight=True, workers=[A]), Kill(2.0, "beat")
    assert problems({1: "sent"}, kills=[hit, missed]) == ""
    assert "Only 1 of 3 kills" in problems({1: "sent"}, kills=[hit, missed, missed])


def test_a_broken_equation_is_told_and_so_is_one_that_was_never_looked_at() -> None:
    assert "campaign 3: 5 and 6" in problems({1: "sent"}, broken_equations=["campaign 3: 5 and 6"])
    assert "never looked at" in problems({1: "sent"}, samples=0)


def test_a_campaign_that_never_ended_is_a_problem() -> None:
    assert "never ended: 4, 5" in problems({1: "sent"}, unended=[4, 5])


def test_only_the_first_twenty_of_many_are_named() -> None:
    rows = dict.fromkeys(range(1, 31), "sent")
    found = figures(rows, [])
    assert found["lost"] == 30
    assert found["lost_messages"] == list(range(1, 21))
