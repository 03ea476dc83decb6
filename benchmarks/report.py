"""What people and programs read of a run: the table and the JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ratios import Figure, Result

HEADINGS = ("key", "ratio", "reach", "reached", "ours", "yardstick", "unit", "spread", "messages")


def table(results: Sequence[Result]) -> str:
    """One line a figure, in columns."""
    lines = [HEADINGS, *map(_cells, results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)  # fmt: skip


def _cells(result: Result) -> tuple[str, ...]:
    figure, run = result.figure, result.median
    reached = {None: "", True: "yes", False: "NO"}[result.is_reached]
    low, high = result.spread
    ours, yardstick = (f"{number:,.{figure.digits}f}" for number in (run.ours, run.yardstick))
    return (
        figure.key, f"{run.ratio:.3g}", figure.reach, reached, ours, yardstick, figure.unit, f"{low:.3g}–{high:.3g}",
        f"{run.rows:,}",
    )  # fmt: skip


def as_json(results: Sequence[Result], missing: Mapping[str, str], surroundings: Mapping[str, Any]) -> str:
    """The whole run for a program; `missing` are the figures that could not be measured, and why."""
    figures = {result.figure.key: _entry(result) for result in results}
    return (
        json.dumps({**surroundings, "figures": figures, "missing": dict(missing)}, indent=2, ensure_ascii=False) + "\n"
    )


def _entry(result: Result) -> dict[str, Any]:
    figure, run = result.figure, result.median
    return {
        **_told(figure),
        "ratio": run.ratio,
        "ours": run.ours,
        "yardstick": run.yardstick,
        "spread": list(result.spread),
        "is_reached": result.is_reached,
        "runs": [{"ours": run.ours, "yardstick": run.yardstick, "ratio": run.ratio, "rows": run.rows}
                 for run in result.runs],
    }  # fmt: skip


def _told(figure: Figure) -> dict[str, Any]:
    return {
        "what": figure.what,
        "against": figure.yardstick,
        "unit": figure.unit,
        "at_least": figure.at_least,
        "at_most": figure.at_most,
    }
