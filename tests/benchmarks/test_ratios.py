"""The arithmetic of a figure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ratios import Figure, Result, Run, fullest_second, median_second

AT_LEAST = Figure("speed", "ours", "theirs", "rows/s", at_least=0.9)
AT_MOST = Figure("memory", "ours", "theirs", "MiB", at_most=1.1)


def result(figure: Figure, *ratios: float) -> Result:
    return Result(figure, tuple(Run(ratio * 200, 200, 10) for ratio in ratios))


def test_a_ratio_is_ours_by_the_yardsticks_and_infinite_to_nothing() -> None:
    assert Run(30, 40, 1).ratio == 0.75
    assert Run(30, 0, 1).ratio == math.inf


@pytest.mark.parametrize(("ratio", "is_reached"), [(0.8999, False), (0.9, True), (2.0, True)])
def test_at_least_includes_the_limit(ratio: float, is_reached: bool) -> None:
    assert AT_LEAST.is_reached(ratio) is is_reached


@pytest.mark.parametrize(("ratio", "is_reached"), [(1.1001, False), (1.1, True), (0.5, True)])
def test_at_most_includes_the_limit(ratio: float, is_reached: bool) -> None:
    assert AT_MOST.is_reached(ratio) is is_reached


def test_a_figure_without_a_reach_is_neither_reached_nor_missed() -> None:
    figure = Figure("bytes", "ours", "theirs", "bytes")
    assert (figure.reach, figure.is_reached(7)) == ("", None)
    assert (AT_LEAST.reach, AT_MOST.reach) == ("≥ 0.9", "≤ 1.1")


def test_the_median_is_a_run_with_both_its_numbers_and_the_spread_the_worst_and_the_best() -> None:
    found = result(AT_LEAST, 1.0, 0.7, 0.95)

    assert (found.median.ours, found.median.yardstick) == (190, 200)
    assert found.spread == (0.7, 1.0)
    assert found.is_reached


def test_one_bad_run_of_three_decides_nothing_and_two_do() -> None:
    assert result(AT_LEAST, 0.1, 0.9, 0.9).is_reached
    assert not result(AT_LEAST, 0.1, 0.1, 0.9).is_reached


def test_of_two_runs_the_lower_ratio_counts() -> None:
    assert result(AT_LEAST, 1.0, 0.7).median.ratio == pytest.approx(0.7)


def test_a_figure_that_was_never_measured_has_no_result() -> None:
    with pytest.raises(ValueError, match="speed was never measured"):
        Result(AT_LEAST, ())


def test_the_fullest_second_begins_anywhere_and_its_end_is_outside() -> None:
    grants = [(0.0, 1), (0.6, 50), (1.5, 50), (1.6, 7)]

    assert fullest_second(grants) == 100
    assert fullest_second([(0.0, 50), (1.0, 50)]) == 50
    assert fullest_second([]) == 0


def test_a_grant_larger_than_all_others_is_a_second_of_its_own() -> None:
    assert fullest_second([(0.0, 600), (5.0, 10)]) == 600


@given(st.lists(st.tuples(st.integers(0, 60).map(lambda tenth: tenth / 8), st.integers(1, 9)), max_size=30))
def test_the_fullest_second_is_that_of_all_that_begin_with_a_grant(grants: list[tuple[float, int]]) -> None:
    windows = [sum(parts for at, parts in grants if begin <= at < begin + 1) for begin, _ in grants]
    assert fullest_second(grants) == max(windows, default=0)


def test_the_median_second_leaves_out_the_first_and_the_last() -> None:
    grants = [(10.0, 900), (11.2, 480), (12.1, 500), (13.7, 490), (14.0, 3)]

    assert median_second(grants) == 490


def test_a_second_without_any_grant_counts_as_nothing() -> None:
    assert median_second([(0.0, 5), (1.0, 500), (4.5, 5)]) == 0


def test_two_seconds_leave_nothing_to_take_a_median_of() -> None:
    with pytest.raises(ValueError, match="2 seconds"):
        median_second([(0.0, 5), (1.5, 5)])
