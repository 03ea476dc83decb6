"""The ledger of consent takes the place of `opt_outs`: its rows are carried over, with their ids.

A migration of its own, because Django makes the indexes of the new tables when the one before it ends.
"""

from typing import Any

from django.db import migrations

# Locked first: what a web process of the older release adds meanwhile would go with the table.
CARRY_OVER = """
LOCK TABLE opt_outs IN ACCESS EXCLUSIVE MODE;
INSERT INTO consent_events (id, channel, phone, state, source, at, created_at)
SELECT id, channel, phone, 'opted_out', source, created_at, created_at FROM opt_outs ORDER BY id;
SELECT setval(sequence, greatest(max(id), nextval(sequence)))
FROM consent_events, pg_get_serial_sequence('consent_events', 'id') AS sequence GROUP BY sequence;
"""
# What counts then; what was said before it has no place in the older table.
CARRY_BACK = """
INSERT INTO opt_outs (channel, phone, source, created_at)
SELECT event.channel, event.phone, event.source, event.created_at
FROM consents JOIN consent_events AS event ON event.id = consents.event_id
WHERE consents.state = 'opted_out' ORDER BY event.id;
"""


def rename_permissions(apps: Any, _schema_editor: Any) -> None:
    """Who could see, add or delete opt-outs may do so with events; that deleting is refused is the database's word."""
    _rename(apps, "optout", "consentevent", "consent event")


def rename_back(apps: Any, _schema_editor: Any) -> None:
    """As it was."""
    _rename(apps, "consentevent", "optout", "opt-out")


def _rename(apps: Any, old: str, new: str, words: str) -> None:
    kinds = apps.get_model("contenttypes", "ContentType").objects.filter(app_label="customers")
    if not kinds.filter(model=old).exists():
        return
    kinds.filter(model=new).delete()
    kinds.filter(model=old).update(model=new)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="customers")
    for verb in ("add", "change", "delete", "view"):
        permissions.filter(codename=f"{verb}_{old}").update(codename=f"{verb}_{new}", name=f"Can {verb} {words}")


class Migration(migrations.Migration):
    """Carries over and drops `opt_outs`."""

    dependencies = [
        ("customers", "0003_consent"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(CARRY_OVER, CARRY_BACK),
        migrations.RunPython(rename_permissions, rename_back),
        migrations.DeleteModel(name="OptOut"),
    ]
