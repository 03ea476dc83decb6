"""How the tables of the ledger are stored and vacuumed; docs/performance.md has the measurements."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

# A delivered message leaves two dead rows and their index entries. By default autovacuum waits for a fifth of the
# table: ten million of them in a ledger of fifty million. With a fiftieth it comes after every campaign of a million at
# the latest; no speed was seen to go with it. A fillfactor below 100 gives the ledger nothing, since its status is
# indexed and so no update of it is HOT.
# The few batches are updated with every slice, and with room on their page all those updates are HOT.
FORWARD = """
ALTER TABLE outbound_messages SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE message_batches SET (fillfactor = 50);
"""
BACK = """
ALTER TABLE message_batches RESET (fillfactor);
ALTER TABLE outbound_messages RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor
);
"""


class Migration(migrations.Migration):
    """Sets storage parameters; no table is rewritten."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("messaging", "0007_launches_written_at")]
    operations: ClassVar[list[Operation]] = [migrations.RunSQL(FORWARD, BACK)]
