"""The arithmetic of a figure: ratios of runs, their median, the reach they should have, and windows of a second."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement beside its yardstick, in the figure's unit, over this many messages."""

    ours: float
    yardstick: float
    rows: int

    @property
    def ratio(self) -> float:
        """Ours by the yardstick's; infinite when the yardstick is nothing."""
        return self.ours / self.yardstick if self.yardstick else math.inf


@dataclass(frozen=True, slots=True)
class Figure:
    """What is measured, against what, and the ratio that it should reach: at least that much, or at most.

    Without a reach it is told for what it is; `digits` are those of the two absolute numbers.
    """

    key: str
    what: str
    yardstick: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 0

    @property
    def reach(self) -> str:
        """The reach as people write it."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    def is_reached(self, ratio: float) -> bool | None:
        """Whether this ratio reaches it; None when there is nothing to reach."""
        if self.at_least is not None:
            return ratio >= self.at_least
        return None if self.at_most is None else ratio <= self.at_most


@dataclass(frozen=True, slots=True)
class Result:
    """A figure's runs; raises `ValueError` for none."""

    figure: Figure
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        """Refuse a result of nothing."""
        if not self.runs:
            raise ValueError(f"{self.figure.key} was never measured")

    @property
    def median(self) -> Run:
        """The run with the median ratio; of an even number the lower of the two."""
        runs = sorted(self.runs, key=lambda run: run.ratio)
        return runs[(len(runs) - 1) // 2]

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio."""
        ratios = [run.ratio for run in self.runs]
        return min(ratios), max(ratios)

    @property
    def is_reached(self) -> bool | None:
        """Whether the median reaches what the figure should; None when there is nothing to reach."""
        return self.figure.is_reached(self.median.ratio)


# What one round of a group of figures yields: each figure's key and its run.
Round: TypeAlias = dict[str, Run]
# When, in seconds, and how many parts.
Grant: TypeAlias = tuple[float, int]


def fullest_second(grants: Sequence[Grant]) -> int:
    """The most parts in any window of one second, wherever it begins; its end does not belong to it."""
    ordered = sorted(grants)
    most = held = first = 0
    for at, parts in ordered:
        held += parts
        while at - ordered[first][0] >= 1:
            held -= ordered[first][1]
            first += 1
        most = max(most, held)
    return most


def median_second(grants: Sequence[Grant]) -> float:
    """The median of parts in whole seconds counted from the first grant, without the first second and the last.

    A second in which nothing was granted counts as nothing. Raises `ValueError` when no second is left.
    """
    begin = min(at for at, _ in grants)
    counts = [0] * (int(max(at for at, _ in grants) - begin) + 1)
    for at, parts in grants:
        counts[int(at - begin)] += parts
    if len(counts) < 3:
        raise ValueError(f"{len(counts)} seconds leave none between the first and the last")
    return statistics.median(counts[1:-1])
