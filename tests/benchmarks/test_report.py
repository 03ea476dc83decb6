"""What people and programs read of a run."""

import json

from benchmarks import report
from benchmarks.ratios import Figure, Result, Run

REACHED = Result(
    Figure("fast", "ours", "theirs", "rows/s", at_least=0.9),
    (Run(60_000, 80_000, 200_000), Run(76_000, 80_000, 200_000), Run(80_000, 80_000, 200_000)),
)
MISSED = Result(Figure("slim", "ours", "theirs", "ms", at_most=1.1, digits=2), (Run(3.0, 2.0, 100),))
TOLD = Result(Figure("bytes", "ours", "theirs", "bytes"), (Run(3.0, 2.0, 100),))


def test_the_table_has_a_line_a_figure_with_both_numbers_and_whether_it_is_reached() -> None:
    heading, *lines = report.table([REACHED, MISSED, TOLD]).splitlines()

    assert heading.split() == list(report.HEADINGS)
    assert [line.split() for line in lines] == [
        ["fast", "0.95", "≥", "0.9", "yes", "76,000", "80,000", "rows/s", "0.75–1", "200,000"],
        ["slim", "1.5", "≤", "1.1", "NO", "3.00", "2.00", "ms", "1.5–1.5", "100"],
        ["bytes", "1.5", "3", "2", "bytes", "1.5–1.5", "100"],
    ]


def test_the_columns_stand_below_their_headings() -> None:
    heading, *lines = report.table([REACHED, MISSED]).splitlines()

    for line in lines:
        assert line[heading.index("reached") :].split()[0] in {"yes", "NO"}


def test_the_json_holds_every_run_and_what_could_not_be_measured() -> None:
    told = json.loads(report.as_json([REACHED, MISSED], {"scale": "Stuck: why"}, {"rows": 7}))

    assert told["rows"] == 7
    assert told["missing"] == {"scale": "Stuck: why"}
    fast = told["figures"]["fast"]
    assert (fast["ratio"], fast["ours"], fast["yardstick"], fast["at_least"], fast["at_most"]) == (
        0.95, 76_000, 80_000, 0.9, None,
    )  # fmt: skip
    assert (fast["spread"], fast["is_reached"]) == ([0.75, 1.0], True)
    assert [run["ours"] for run in fast["runs"]] == [60_000, 76_000, 80_000]
    assert told["figures"]["slim"]["is_reached"] is False
