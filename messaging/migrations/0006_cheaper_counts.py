"""Counts the changed rows once instead of twice, since the counting is a tenth of what a slice costs.

The rows of counts are still locked in the order of their campaigns, so that two statements that touch the same
campaigns cannot wait for each other in a circle.
"""

from importlib import import_module

from django.db import migrations

COUNTS = import_module("messaging.migrations.0003_counts")
STATUSES = COUNTS.STATUSES

FUNCTION = f"""
CREATE OR REPLACE FUNCTION {{name}}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    delta record;
BEGIN
    FOR delta IN
        SELECT campaign_id, sum(n) AS total,
            {", ".join(f"coalesce(sum(n) FILTER (WHERE status = '{status}'), 0) AS {status}" for status in STATUSES)}
        FROM ({{changes}}) AS changes (campaign_id, status, n)
        GROUP BY campaign_id ORDER BY campaign_id
    LOOP
        UPDATE campaign_progress AS progress SET total = progress.total + delta.total,
            {", ".join(f"{status} = progress.{status} + delta.{status}" for status in STATUSES)}
        WHERE progress.campaign_id = delta.campaign_id;
    END LOOP;
    RETURN NULL;
END $$;
"""

CHANGES = {
    "outbound_messages_count_inserted": COUNTS.ADDED,
    "outbound_messages_count_updated": f"{COUNTS.ADDED} UNION ALL {COUNTS.REMOVED}",
    "outbound_messages_count_deleted": COUNTS.REMOVED,
}


def before(name: str) -> str:
    """The function as 0003 made it."""
    tables = {"inserted": ["added"], "updated": ["added", "removed"], "deleted": ["removed"]}[name.rpartition("_")[2]]
    campaigns = " UNION ".join(f"SELECT campaign_id FROM {table}" for table in tables)
    made: str = COUNTS.COUNT.format(name=name, campaigns=campaigns, changes=CHANGES[name])
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    """Replaces the functions behind the triggers."""

    dependencies = [("messaging", "0005_turns_and_ranges")]

    operations = [
        migrations.RunSQL(FUNCTION.format(name=name, changes=changes), before(name))
        for name, changes in CHANGES.items()
    ]
