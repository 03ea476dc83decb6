"""Lets the database refuse batches that overlap, and hands out the turns by which campaigns share a provider."""

from django.db import migrations

# Who holds a batch's lease moves all that is `sending` in its range, so two batches over one message could send it
# twice. Boxes of (campaign, id) need no extension, as a range beside an integer would; their numbers are exact up to
# 2^53.
RANGES = """
ALTER TABLE message_batches ADD CONSTRAINT message_batches_no_overlap EXCLUDE USING gist (
    box(point(campaign_id::float8, first_id::float8), point(campaign_id::float8, last_id::float8)) WITH &&
)
"""

TURNS = "CREATE SEQUENCE message_turns CYCLE"


class Migration(migrations.Migration):
    """Adds the exclusion constraint and the sequence."""

    dependencies = [("messaging", "0004_senders_and_second_chances")]

    operations = [
        migrations.RunSQL(RANGES, "ALTER TABLE message_batches DROP CONSTRAINT message_batches_no_overlap"),
        migrations.RunSQL(TURNS, "DROP SEQUENCE message_turns"),
    ]
