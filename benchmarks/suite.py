"""Runs the groups of figures that were asked for: three rounds each, every figure beside its yardstick."""

import sys
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from benchmarks import stage
from benchmarks.figures import (
    costs,
    delivery,
    http,
    launching,
    limiter,
    memory,
    paging,
    receipts,
    scaling,
    schedule,
    seed,
    size,
)
from benchmarks.processes import beat
from benchmarks.ratios import Figure, Result, Round

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are measured together; `measure(rows)` yields a round whenever it is asked for one."""

    name: str
    figures: Sequence[Figure]
    measure: Callable[[int], Generator[Round, None, None]]

    @property
    def by_name_only(self) -> bool:
        """Whether it is left out unless it is asked for: all the others together take less than ten minutes."""
        return self.name == "size"


GROUPS = tuple(
    Group(module.__name__.rpartition(".")[2], module.FIGURES, module.measure)
    for module in (launching, delivery, http, receipts, seed, limiter, schedule, paging, memory, scaling, costs, size)
)


def chosen(names: Collection[str]) -> list[Group]:
    """The groups of these names or with figures of these names; for none all that need not be named.

    Raises `ValueError` naming others.
    """
    known = {name for group in GROUPS for name in _names(group)}
    if unknown := set(names) - known:
        raise ValueError(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}.")
    if not names:
        return [group for group in GROUPS if not group.by_name_only]
    return [group for group in GROUPS if _names(group) & set(names)]


def _names(group: Group) -> set[str]:
    return {group.name, *(figure.key for figure in group.figures)}


def run(groups: Sequence[Group], rows: int) -> tuple[list[Result], dict[str, str]]:
    """The results, and why figures are missing: one that breaks keeps none of the others from being measured."""
    results: list[Result] = []
    missing: dict[str, str] = {}
    stage.make_customers(rows)
    with beat():
        for group in groups:
            began = time.monotonic()
            try:
                results += _measured(group, rows)
            except Exception as fault:  # noqa: BLE001 (told in the report)
                missing |= {figure.key: f"{type(fault).__name__}: {fault}" for figure in group.figures}
            print(f"{group.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return results, missing


def _measured(group: Group, rows: int) -> list[Result]:
    with closing(group.measure(rows)) as measuring:
        rounds = list(islice(measuring, ROUNDS))
    return [Result(figure, tuple(each[figure.key] for each in rounds)) for figure in group.figures]
