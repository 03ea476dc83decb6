"""Compares the provider's log with the ledger and says whether anybody was forgotten or written to twice. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

ACCEPTED_SAYS = frozenset({"sent", "delivered", "read"})
UNFINISHED = frozenset({"pending", "sending"})
REFUSED_SAYS = frozenset({"failed", "skipped", "cancelled"})
# How long after a trouble's end a line of the log may still be its doing: an answer is awaited for some seconds.
SLACK_SECONDS = 1.0
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill -9: of what, whose slices it cut off, how many messages were in those, and whether any slice was open."""

    at: float
    what: str
    open: int = 0
    in_flight: bool = False
    workers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A trouble that lasted: the database or the provider away, or a worker standing still.

    `open` is how many messages were in slices that it could cut off; `workers` are those it hit, all when empty.
    """

    begun: float
    ended: float
    what: str
    open: int = 0
    workers: Collection[str] = ()

    def covers(self, at: float, worker: str, after: float) -> bool:
        """Whether what `worker` logged at that time may be its doing, `after` seconds after its end at the latest."""
        mine = not self.workers or worker in self.workers
        return mine and self.begun <= at <= self.ended + after + SLACK_SECONDS


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a worker's log that made messages unknown: `worker_lost` or `no_answer`, and the slice's size."""

    at: float
    event: str
    worker: str
    unknown: Collection[int]
    messages: int


@dataclass(frozen=True, slots=True)
class Resend:
    """The owner's choice to repeat these, before which the call had not been made."""

    at: float
    messages: Collection[int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at the end of a run; times are seconds since the epoch, messages are ids.

    `rows` is the ledger: status by message. `unwritten` is how many messages launches promised and never wrote.
    """

    rows: Mapping[int, str]
    accepted: Sequence[tuple[float, int]]
    mistreated: Collection[int] = ()
    kills: Sequence[Kill] = ()
    windows: Sequence[Window] = ()
    lines: Sequence[Line] = ()
    resends: Sequence[Resend] = ()
    broken_equations: Sequence[str] = ()
    unended: Sequence[int] = ()
    unwritten: int = 0
    timeout_seconds: float = 0.0
    lease_seconds: float = 0.0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of `var/chaos.json`, and a sentence for each claim that did not hold."""

    figures: dict[str, Any]
    problems: list[str]


def judge(evidence: Evidence) -> Verdict:
    """What the evidence says."""
    times = _times(evidence.accepted)
    lost = sorted(_lost(evidence.rows, times))
    doubled = sorted(_doubled(times, evidence.resends))
    contradicted = sorted(_contradicted(evidence, times))
    unknown = {message for message, status in evidence.rows.items() if status == "unknown"}
    explained = unknown & _explained(evidence)
    figures: dict[str, Any] = {
        "kills": len(evidence.kills),
        "kills_in_flight": sum(kill.in_flight for kill in evidence.kills),
        "messages": len(evidence.rows),
        "lost": len(lost) + evidence.unwritten,
        "doubled": len(doubled),
        "unknown": len(unknown),
        "unknown_bound": _bound(evidence),
        "unknown_explained": len(explained),
        "equation_held": not evidence.broken_equations and evidence.samples > 0,
        "equation_samples": evidence.samples,
        "contradicted": len(contradicted),
        "campaigns_unended": len(evidence.unended),
    }
    named = {
        "lost": lost, "doubled": doubled, "contradicted": contradicted, "unexplained": sorted(unknown - explained),
    }  # fmt: skip
    figures |= {f"{name}_messages": found[:MOST_NAMED] for name, found in named.items() if found}
    return Verdict(figures, _problems(figures, evidence))


def _problems(figures: dict[str, Any], evidence: Evidence) -> list[str]:
    says = {
        f"{figures['lost']} messages are lost.": figures["lost"],
        f"{figures['doubled']} messages were accepted twice.": figures["doubled"],
        f"{figures['contradicted']} accepted messages are failed, skipped or cancelled in the ledger.": figures[
            "contradicted"
        ],
        f"{figures['unknown']} messages are unknown, and no more than {figures['unknown_bound']} may be.": figures[
            "unknown"
        ]
        > figures["unknown_bound"],
        f"{figures['unknown'] - figures['unknown_explained']} unknown messages are explained by no line of the log.": (
            figures["unknown"] > figures["unknown_explained"]
        ),
        f"The equation was broken: {'; '.join(evidence.broken_equations[:3]) or 'never looked at'}.": (
            not figures["equation_held"]
        ),
        f"Only {figures['kills_in_flight']} of {figures['kills']} kills hit an open slice.": (
            2 * figures["kills_in_flight"] < figures["kills"]
        ),
        f"Campaigns that never ended: {', '.join(map(str, evidence.unended))}.": figures["campaigns_unended"],
    }
    return [sentence for sentence, wrong in says.items() if wrong]


def _times(accepted: Sequence[tuple[float, int]]) -> dict[int, list[float]]:
    times: dict[int, list[float]] = defaultdict(list)
    for at, message in sorted(accepted):
        times[message].append(at)
    return times


def _lost(rows: Mapping[int, str], times: Mapping[int, Sequence[float]]) -> set[int]:
    """Said to be sent and accepted by nobody, or never finished."""
    return {
        message
        for message, status in rows.items()
        if status in UNFINISHED or (status in ACCEPTED_SAYS and message not in times)
    }


def _doubled(times: Mapping[int, Sequence[float]], resends: Sequence[Resend]) -> set[int]:
    """Accepted twice, and the owner chose no resend in between."""
    return {
        message
        for message, ats in times.items()
        for earlier, later in pairwise(ats)
        if not any(earlier <= resend.at <= later and message in resend.messages for resend in resends)
    }


def _contradicted(evidence: Evidence, times: Mapping[int, Sequence[float]]) -> set[int]:
    """Accepted, never chosen for a resend, and yet not so in the ledger."""
    resent = {message for resend in evidence.resends for message in resend.messages}
    refused = {message for message, status in evidence.rows.items() if status in REFUSED_SAYS}
    return (refused & times.keys()) - resent


def _explained(evidence: Evidence) -> set[int]:
    """The messages named by lines that are the doing of a trouble of ours."""
    return {message for line in evidence.lines if _is_ours(line, evidence) for message in line.unknown}


def _is_ours(line: Line, evidence: Evidence) -> bool:
    if line.event == "worker_lost":
        killed = any(line.worker in kill.workers and kill.at <= line.at for kill in evidence.kills)
        return killed or any(
            window.what in {"postgres", "stall"} and window.covers(line.at, line.worker, evidence.lease_seconds)
            for window in evidence.windows
        )
    return any(message in evidence.mistreated for message in line.unknown) or any(
        window.what in {"away", "twice", "stall"} and window.covers(line.at, line.worker, evidence.timeout_seconds)
        for window in evidence.windows
    )


def _bound(evidence: Evidence) -> int:
    """The sum, over kills, stand-stills and time-outs that we caused, of the messages in the slices then open."""
    silences = (line for line in evidence.lines if line.event == "no_answer" and _is_ours(line, evidence))
    return (
        sum(kill.open for kill in evidence.kills)
        + sum(window.open for window in evidence.windows)
        + sum(line.messages for line in silences)
    )
