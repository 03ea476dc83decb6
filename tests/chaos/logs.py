"""Reads what the workers and the provider wrote: who became unknown and why, what was accepted, who complained."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.verdict import Line

# The last line of a traceback: where an exception is named.
_FAULT = re.compile(r"^([\w.]*[a-z]\w*): ", re.MULTILINE)
_NAMED = {"worker_lost", "no_answer"}


def lines(folder: Path) -> list[Line]:
    """Every line of the workers that made messages unknown."""
    return [
        Line(
            datetime.fromisoformat(event["timestamp"]).timestamp(),
            event["event"],
            event["worker"],
            frozenset(event["unknown"]),
            event.get("messages", len(event["unknown"])),
        )
        for event in events(folder)
        if event.get("event") in _NAMED and event["unknown"]
    ]


def complaints(folder: Path) -> Counter[str]:
    """How often each warning and error was logged by web, workers and beat; tracebacks outside of events count too."""
    found: Counter[str] = Counter()
    for event in events(folder):
        if event.get("level") in {"warning", "error", "critical"}:
            faults = _FAULT.findall(str(event.get("exception", "")))
            fault = faults[-1] if faults else ""
            found[" ".join(filter(None, [event["level"], _short(str(event.get("event"))), fault]))] += 1
    for path in folder.glob("[wb]*.log"):
        with path.open(errors="replace") as file:
            found["bare traceback"] += sum(line.startswith("Traceback ") for line in file)
    return +found


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """The structured events of all logs; a line that a kill cut short is passed over."""
    for path in sorted(folder.glob("*.log")):
        with path.open(errors="replace") as file:
            for line in file:
                if line.startswith("{"):
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(event, dict):
                        yield event


def provider(log: Path) -> tuple[list[tuple[float, int]], set[int]]:
    """What the provider accepted, with the time, and the messages to which it gave no proper answer."""
    accepted: list[tuple[float, int]] = []
    mistreated: set[int] = set()
    with log.open() as file:
        for event in map(json.loads, file):
            if event["event"] == "accepted":
                accepted.append((event["at"], int(event["reference"])))
            else:
                mistreated.add(int(event["reference"]))
    return accepted, mistreated


def _short(text: str) -> str:
    return text.splitlines()[0][:60] if text else ""
