"""The temporary tables of an import, and the statements that take it from there to `customers` by set.

They belong to the connection: nobody else sees them, and they vanish with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

from customers.attributes import LARGEST_JSON, MOST_NAMES
from customers.columns import TEXT_FIELDS

_TEXTS = ", ".join(TEXT_FIELDS)
_COLUMNS = ("line", "phone", *TEXT_FIELDS, "attributes")
_LAST = ", ".join(
    f"(array_agg({name} ORDER BY line DESC) FILTER (WHERE {name} <> ''))[1] AS {name}" for name in TEXT_FIELDS
)

_CREATE = f"""
DROP TABLE IF EXISTS pg_temp.import_lines, pg_temp.import_customers;
CREATE TEMPORARY TABLE import_lines (
    line bigint NOT NULL,
    phone text COLLATE "C" NOT NULL,
    {" ".join(f"{name} text NOT NULL," for name in TEXT_FIELDS)}
    attributes jsonb NOT NULL
)
"""

# The last line of each phone, numbered in the order of the phones.
_LAY_TOGETHER = """
CREATE TEMPORARY TABLE import_customers AS
SELECT row_number() OVER (ORDER BY phone) AS n, lasts.*
FROM (SELECT DISTINCT ON (phone) * FROM import_lines ORDER BY phone, line DESC) AS lasts
"""

# What the last line leaves empty is taken from the last line before it that does not.
_FILL_GAPS = f"""
WITH repeated AS (
    SELECT * FROM import_lines
    WHERE phone IN (SELECT phone FROM import_lines GROUP BY phone HAVING count(*) > 1)
), texts AS (
    SELECT phone, {_LAST} FROM repeated GROUP BY phone
), pairs AS (
    SELECT phone, jsonb_object_agg(key, value ORDER BY line) AS attributes
    FROM repeated CROSS JOIN LATERAL jsonb_each(attributes) GROUP BY phone
)
UPDATE import_customers AS mine SET
    {", ".join(f"{name} = coalesce(texts.{name}, '')" for name in TEXT_FIELDS)},
    attributes = coalesce(pairs.attributes, '{{}}')
FROM texts LEFT JOIN pairs USING (phone)
WHERE mine.phone = texts.phone
"""  # noqa: S608  (all names are ours)

# 101 of the shortest names take more than 600 bytes, so hardly any row is looked at twice.
_REMOVE_TOO_LARGE = """
WITH joined AS (
    SELECT mine.n, mine.line, coalesce(stored.attributes, '{}') || mine.attributes AS attributes
    FROM import_customers AS mine LEFT JOIN customers AS stored ON stored.phone = mine.phone
    WHERE mine.n BETWEEN %s AND %s
      AND octet_length(mine.attributes::text) + coalesce(octet_length(stored.attributes::text), 0) > 600
)
DELETE FROM import_customers AS mine USING joined
WHERE mine.n = joined.n AND (
    octet_length(joined.attributes::text) > %s
    OR (SELECT count(*) FROM jsonb_object_keys(joined.attributes)) > %s
)
RETURNING mine.line
"""


def _differs(mine: str) -> str:
    """SQL: whether `mine` holds something that the customer `stored` does not."""
    texts = " OR ".join(f"{mine}.{name} NOT IN ('', stored.{name})" for name in TEXT_FIELDS)
    return f"({texts} OR NOT stored.attributes @> {mine}.attributes)"


_NEWS = f"""
    SELECT mine.*, stored.id AS stored_id
    FROM import_customers AS mine LEFT JOIN customers AS stored ON stored.phone = mine.phone
    WHERE mine.n BETWEEN %s AND %s AND (stored.id IS NULL OR {_differs("mine")})
"""  # noqa: S608  (all names are ours)

_PREVIEW = f"SELECT count(*) FILTER (WHERE stored_id IS NULL), count(stored_id) FROM ({_NEWS}) AS news"  # noqa: S608

# What is stored already is left out before the upsert, which would lock every row and use up an id for each. The upsert
# asks again, for what others stored meanwhile.
_WRITE = f"""
WITH written AS (
    INSERT INTO customers AS stored (phone, {_TEXTS}, attributes)
    SELECT phone, {_TEXTS}, attributes FROM ({_NEWS}) AS news ORDER BY phone
    ON CONFLICT (phone) DO UPDATE SET
        {", ".join(f"{name} = coalesce(nullif(excluded.{name}, ''), stored.{name})" for name in TEXT_FIELDS)},
        attributes = stored.attributes || excluded.attributes,
        updated_at = now()
    WHERE {_differs("excluded")}
    RETURNING stored.xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""  # noqa: S608  (all names are ours)


@dataclass(frozen=True, slots=True)
class Written:
    """How many customers are new, and how many were changed."""

    created: int
    updated: int


@contextmanager
def begin() -> Iterator[Any]:
    """Make the table and open the COPY into it: `write_row((line, phone, *texts, attributes))`."""
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        with cursor.copy(f"COPY import_lines ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
            yield copy


def lay_repeats_together() -> int:
    """Make one customer of all the lines with the same phone; how many lines went into a later one."""
    with connection.cursor() as cursor:
        cursor.execute(_LAY_TOGETHER)
        customers = cursor.rowcount
        cursor.execute("SELECT count(*) FROM import_lines")
        repeats: int = cursor.fetchone()[0] - customers
        if repeats:
            cursor.execute(_FILL_GAPS)
        # Nobody else does this for a temporary table, and without it the slices are joined the slow way.
        cursor.execute("CREATE INDEX ON import_customers (n)")
        cursor.execute("ANALYZE import_customers")
    return repeats


def count() -> int:
    """How many customers are laid out, numbered from 1."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM import_customers")
        total: int = cursor.fetchone()[0]
    return total


def remove_too_large(first: int, last: int) -> list[int]:
    """Take out whoever would end with more attributes than a customer may have; their lines."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE_TOO_LARGE, [first, last, LARGEST_JSON, MOST_NAMES])
        return [line for (line,) in cursor.fetchall()]


def write(first: int, last: int) -> Written:
    """Store the customers of these numbers, in the order of their phones. May be repeated, and by several at once."""
    return _counts(_WRITE, first, last)


def preview(first: int, last: int) -> Written:
    """What `write` would do now."""
    return _counts(_PREVIEW, first, last)


def drop() -> None:
    """Remove the tables."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.import_lines, pg_temp.import_customers")


def _counts(statement: str, first: int, last: int) -> Written:
    with connection.cursor() as cursor:
        cursor.execute(statement, [first, last])
        return Written(*cursor.fetchone())
