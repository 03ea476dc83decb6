"""Prepares the database of a run: the tables, the API's token, and customers to write to."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from devstack.environment import BASE

ALIAS = "chaos"
_CUSTOMERS = """
INSERT INTO customers (phone, first_name)
SELECT '+2547' || lpad(n::text, 8, '0'), 'Wanjiru' FROM generate_series(1, %s) AS n
"""


def provision(env: Mapping[str, str], var: Path, customers: int) -> None:
    """Migrate, make the token of `API_TOKEN` and this many customers; ends the program when that fails."""
    log = var / "log" / "setup.log"
    for command in (["migrate", "--no-color"], ["bootstrap", "--no-color"]):
        with log.open("ab") as output:
            done = subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=BASE, env={**env, "DEMO_CUSTOMERS": "0"}, stdout=output, stderr=output, check=False,
            )  # fmt: skip
        if done.returncode:
            sys.exit(f"The database could not be prepared:\n{log.read_text()[-3000:]}")
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        connection.execute(_CUSTOMERS, [customers])
