"""`make bench`: measures on a database of its own, prints the table and writes `var/bench.json`.

BENCH_ROWS is how many messages the large figures take. `make bench ARGS="ledger_vs_copy http"` measures some only.
"""

import argparse
import logging
import os
import sys
import time
import warnings
from pathlib import Path

import django

DEFAULT_ROWS = 200_000
LEAST_ROWS = 1_000


def main() -> int:
    """Measure what the command line asks for; 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("names", nargs="*", help="figures or groups of figures; all without any")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent.parent / "var" / "bench.json")
    arguments = parser.parse_args()
    rows = int(os.environ.get("BENCH_ROWS") or DEFAULT_ROWS)
    if rows < LEAST_ROWS:
        parser.error(f"BENCH_ROWS is {rows}; it must be at least {LEAST_ROWS}")
    _enter()
    # Only now: they need Django.
    from benchmarks import report, suite
    from benchmarks.database import fresh_database, surroundings

    try:
        groups = suite.chosen(arguments.names)
    except ValueError as mistake:
        parser.error(str(mistake))
    began = time.monotonic()
    with fresh_database():
        told = surroundings()
        results, missing = suite.run(groups, rows)
    told |= {"rows": rows, "seconds": round(time.monotonic() - began, 1)}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(report.as_json(results, missing, told))
    print(report.table(results))
    for key, why in missing.items():
        print(f"{key} could not be measured: {why}", file=sys.stderr)
    return 1 if missing else 0


def _enter() -> None:
    """Set Django up with queues and a database of this run's own, whatever else uses the servers."""
    mark = f"bench_{os.getpid()}"
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CLARION_TEST_SUFFIX": f"_{mark}",
        "REDIS_PREFIX": f"{mark}-",
        "MESSAGE_ROUTES": "sms=memory,whatsapp=memory",
    }
    django.setup()
    from django.conf import settings

    from messaging import tasks

    # What runs in this process runs in a worker otherwise.
    tasks.tune_python()
    os.environ["BARE_BROKER"] = settings.CELERY_BROKER_URL
    # One line a campaign, and that no static files were collected, would bury the figures.
    logging.getLogger("messaging").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "No directory at")


if __name__ == "__main__":
    sys.exit(main())
