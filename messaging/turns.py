"""Whose turn it is: which running campaign a free thread serves next."""

from collections.abc import Sequence
from dataclasses import dataclass

# The fraction of the golden ratio: its multiples fill the interval from 0 to 1 evenly, however many are drawn, so that
# shares are right after few turns (by chance, 80 turns at weights of 3 to 1 would miss by 5 points).
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Candidate:
    """A running campaign with a batch that is due; `failures` and `hold` are its account's state."""

    campaign_id: int
    provider: str
    weight: int
    failures: int = 0
    hold: str = ""


def choose(candidates: Sequence[Candidate], turn: int) -> Candidate:
    """The candidate whose turn it is: over many turns each in proportion to its weight. Pure."""
    point = turn * GOLDEN % 1 * sum(candidate.weight for candidate in candidates)
    for candidate in candidates:
        point -= candidate.weight
        if point < 0:
            return candidate
    return candidates[-1]
