"""Foreign keys whose ON DELETE CASCADE is the database's own: deleting a campaign loads no row into Python."""

from django.db import migrations

# Not deferrable: a mistake shows at the statement that makes it, not at COMMIT.
KEYS = [
    ("outbound_messages", "campaign_id", "campaigns"),
    ("outbound_messages", "customer_id", "customers"),
    ("message_batches", "campaign_id", "campaigns"),
    ("launches", "campaign_id", "campaigns"),
    ("campaign_alerts", "campaign_id", "campaigns"),
]


class Migration(migrations.Migration):
    """Adds the foreign keys."""

    dependencies = [("messaging", "0001_ledger")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fk"
            f" FOREIGN KEY ({column}) REFERENCES {target} (id) ON DELETE CASCADE",
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fk",
        )
        for table, column, target in KEYS
    ]
