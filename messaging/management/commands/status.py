"""`manage.py status`: what goes on, on a screen."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from messaging import state
from messaging.board import BUCKETS, OUTCOMES, Notices
from messaging.senders import Standing
from messaging.state import Door, Queue, State

WIDTH = 100


class Command(BaseCommand):
    help = "Print messages, campaigns, queues, senders, providers' answers and workers as they are now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            now = state.read()
        except (OperationalError, InterfaceError) as fault:
            raise CommandError(f"The database does not answer: {fault}") from fault
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(now), ensure_ascii=False, indent=2, default=str))
            return
        self.stdout.write(f"Clarion at {timezone.localtime():%Y-%m-%d %H:%M:%S %Z}\n\n")
        self.stdout.write("\n".join(_screen(now)))


def _as_json(now: State) -> dict[str, Any]:
    """The state; what Redis tells is null while it is away."""
    found = asdict(now)
    if now.notices is not None:
        by_provider: dict[str, dict[str, int]] = {}
        for (alias, name), count in sorted(now.notices.outcomes.items()):
            by_provider.setdefault(alias, {})[name] = count
        refusals: dict[str, dict[str, int]] = {}
        for (alias, why), count in sorted(now.notices.refusals.items()):
            refusals.setdefault(alias, {})[why] = count
        found["notices"] |= {"outcomes": by_provider, "refusals": refusals, "latency_buckets": BUCKETS}
        for worker, told in zip(now.notices.workers, found["notices"]["workers"], strict=True):
            told["is_alive"] = worker.is_alive
    return found


def _screen(now: State) -> Iterator[str]:
    yield _counts("Messages", now.messages)
    yield _counts("Campaigns", now.campaigns)
    yield ""
    yield from _table("Batches", ["waiting", "oldest", "later", "held", "leased", "ran out"], _queue_rows(now.queues))
    yield ""
    yield from _table("Senders", ["parts/s", "failures", "now"], _sender_rows(now.senders))
    yield ""
    yield _received(now.door)
    yield ""
    if now.notices is None:
        yield "Redis does not answer: no word of providers' answers, workers and clocks."
    else:
        yield from _notices(now.notices)


def _received(door: Door) -> str:
    oldest = f" (the oldest {door.oldest_seconds:,.0f} s)" if door.waiting else ""
    return (
        f"{'Received':<10} waiting {door.waiting:,}{oldest}   faulty {door.faulty:,}   receipts tried again"
        f" {door.early:,}   unmatched {door.unmatched:,}"
    )


def _notices(notices: Notices) -> Iterator[str]:
    names = list(OUTCOMES.values())
    rows = [
        (alias, [f"{notices.outcomes.get((alias, name), 0):,}" for name in names] + [_average(notices, alias)])
        for alias in sorted({alias for alias, _ in notices.outcomes})
    ]
    refused = {f"{alias or 'no sender'}: {why.replace('_', ' ')}": n for (alias, why), n in notices.refusals.items()}
    if refused:
        yield _counts("Refused", refused)
        yield ""
    yield from _table("Answers", [*(name.replace("_", " ") for name in names), "a call"], rows)
    yield ""
    workers = [
        (each.process, [str(each.threads), f"{_ago(each.silent_seconds)}{'' if each.is_alive else ': silent'}"])
        for each in notices.workers
    ]
    yield from _table("Workers", ["threads", "last sign"], workers)
    yield ""
    clocks = {"Beat rang": "beat", "A sweep ran": "sweep"}
    yield "  ".join(f"{words} {_ago(notices.clocks.get(name))}." for words, name in clocks.items())


def _queue_rows(queues: Sequence[Queue]) -> list[tuple[str, list[str]]]:
    return [
        (
            each.provider,
            [f"{each.waiting:,}", f"{each.oldest_seconds:,.0f} s", *(f"{n:,}" for n in (each.later, each.held))]
            + [f"{n:,}" for n in (each.leased, each.ran_out)],
        )
        for each in queues
    ]


def _sender_rows(standings: Sequence[Standing]) -> list[tuple[str, list[str]]]:
    return [
        (each.alias, ["no limit" if each.rate is None else f"{each.rate:,g}", str(each.failures), each.sentence])
        for each in standings
    ]


def _counts(title: str, counts: Mapping[str, int]) -> str:
    told = [f"{name} {count:,}" for name, count in counts.items() if count]
    return f"{title:<10} {'   '.join(told) or 'none'}"


def _table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Lines of a table that is as wide as its cells and no wider than the screen; the last column may be words."""
    if not rows:
        yield f"{title:<10} none"
        return
    first = max(len(title), *(len(name) for name, _ in rows))
    widths = [max(len(column), *(len(cells[n]) for _, cells in rows)) for n, column in enumerate(columns)]
    for name, cells in [(title, columns), *rows]:
        *numbers, words = cells
        line = [f"{cell:>{width}}" for cell, width in zip(numbers, widths, strict=False)]
        yield "  ".join([f"{name:<{first}}", *line, words])[:WIDTH].rstrip()


def _average(notices: Notices, alias: str) -> str:
    latency = notices.latencies.get(alias)
    return f"{latency.seconds / sum(latency.counts):.2f} s" if latency and sum(latency.counts) else "–"


def _ago(seconds: float | None) -> str:
    return "at no known time" if seconds is None else f"{seconds:,.0f} s ago"
