"""Included by each worker of a benchmark: says by a file that it takes tasks."""

import os
from pathlib import Path
from typing import Any

from celery.signals import worker_ready


@worker_ready.connect
def say_so(**_: Any) -> None:
    """Make the file that BENCH_READY names."""
    Path(os.environ["BENCH_READY"]).touch()
