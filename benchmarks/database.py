"""The database of a run: new, migrated, a neighbour of the one that DATABASE_URL names, and gone afterwards."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

# What would make a figure worth nothing, or explains it.
TELLING = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


@contextmanager
def fresh_database() -> Iterator[None]:
    """Inside, Django's connection is to it. What a worker still has open there is closed at the end."""
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        name = str(connection.settings_dict["NAME"])
        connection.close()
        with connection._nodb_cursor() as cursor:  # noqa: SLF001 (what destroy_test_db uses; that one cannot force)
            cursor.execute(f"DROP DATABASE {connection.ops.quote_name(name)} WITH (FORCE)")


def surroundings() -> dict[str, Any]:
    """The machine's cores and the server's settings, for the report."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(TELLING)])
        return {"cores": os.cpu_count(), "postgres": dict(cursor.fetchall())}
