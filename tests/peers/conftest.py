"""The tests against what others wrote. `make peers` installs that and names its folder in CLARION_PEERS; a run without
collects nothing here.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.hearing import Ear

HOME = os.environ.get("CLARION_PEERS", "")
collect_ignore_glob = [] if HOME else ["test_*.py"]


def peer(name: str) -> Path:
    """The folder of this peer; skips the test with the reason when it could not be had."""
    if not HOME:
        pytest.skip("make peers installs it")
    reason = missing().get(name)
    if reason:
        pytest.skip(f"no {name}: {reason}")
    return Path(HOME) / name


def missing() -> dict[str, str]:
    """Why what is missing could not be had."""
    found: dict[str, str] = json.loads((Path(HOME) / "missing.json").read_text())
    return found


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last word, after all that pytest has to say: which of them ran, and which did not and why."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if not HOME or terminal is None:
        return
    ran = {_of(report) for kind in ("passed", "failed") for report in terminal.stats.get(kind, [])}
    skipped = {_of(report): str(report.longrepr[2]) for report in terminal.stats.get("skipped", [])}
    reasons = "; ".join(f"{name} ({why.removeprefix('Skipped: ')})" for name, why in sorted(skipped.items()))
    terminal.write_line(f"peers: ran {', '.join(sorted(ran)) or 'none'}; skipped {reasons or 'none'}")


def _of(report: Any) -> str:
    return Path(report.nodeid.partition("::")[0]).stem.removeprefix("test_")


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    """A door of the test's own, that keeps what it is told."""
    ear = Ear()
    yield ear
    ear.close()
