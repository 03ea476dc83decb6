"""Adds the door's secrets, what comes in there, and the receipts and replies that it says."""

import django.contrib.postgres.functions
import django.db.models.functions.datetime
from django.db import migrations, models

# Each event leaves a dead entry in the small indexes of those that wait.
STORAGE = "ALTER TABLE hook_events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)"


class Migration(migrations.Migration):
    """Adds three tables and a column; PostgreSQL makes a secret for each sender that is there already."""

    dependencies = [
        ("messaging", "0008_storage"),
    ]

    operations = [
        migrations.AddField(
            model_name="sender",
            name="hook_token",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                editable=False,
                help_text="Who knows it may knock at the door for this account's receipts.",
                verbose_name="secret of its address",
            ),
        ),
        migrations.CreateModel(
            name="HookEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.CharField(max_length=64, verbose_name="sender")),
                ("method", models.CharField(max_length=8, verbose_name="method")),
                (
                    "query",
                    models.TextField(
                        db_default="", default="", help_text="What stood behind the “?”.", verbose_name="query"
                    ),
                ),
                (
                    "headers",
                    models.JSONField(default=dict, help_text="The few that reading needs.", verbose_name="headers"),
                ),
                ("body", models.BinaryField(verbose_name="body")),
                (
                    "digest",
                    models.BinaryField(help_text="SHA-256 of all that it said.", max_length=32, verbose_name="digest"),
                ),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="received at"
                    ),
                ),
                ("done_at", models.DateTimeField(null=True, verbose_name="done at")),
                ("fault", models.CharField(db_default="", default="", max_length=255, verbose_name="fault")),
            ],
            options={
                "verbose_name": "received request",
                "verbose_name_plural": "received requests",
                "db_table": "hook_events",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at__isnull", True)), fields=["id"], name="hook_events_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("fault", ""), _negated=True), fields=["id"], name="hook_events_faulty"
                    ),
                    models.Index(
                        condition=models.Q(("done_at__isnull", True)),
                        fields=["alias", "id"],
                        name="hook_events_waiting_of_alias",
                    ),
                    models.Index(fields=["received_at"], name="hook_events_received_at"),
                ],
                "constraints": [models.UniqueConstraint(fields=("digest",), name="hook_events_digest_key")],
            },
        ),
        migrations.CreateModel(
            name="Reply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.CharField(max_length=64, verbose_name="sender")),
                (
                    "channel",
                    models.CharField(
                        choices=[("sms", "SMS"), ("whatsapp", "WhatsApp")], max_length=16, verbose_name="channel"
                    ),
                ),
                ("phone", models.CharField(max_length=32, verbose_name="phone")),
                ("text", models.TextField(verbose_name="text")),
                ("at", models.DateTimeField(help_text="When it was written, as the provider says.", verbose_name="at")),
                (
                    "provider_message_id",
                    models.CharField(db_default="", default="", max_length=255, verbose_name="provider's id"),
                ),
                ("to", models.CharField(db_default="", default="", max_length=255, verbose_name="to")),
                ("wish", models.CharField(db_default="", default="", max_length=16, verbose_name="wish")),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="received at"
                    ),
                ),
            ],
            options={
                "verbose_name": "reply",
                "verbose_name_plural": "replies",
                "db_table": "replies",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("provider_message_id", ""), _negated=True),
                        fields=("alias", "provider_message_id"),
                        name="replies_provider_message_id_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel__in", ["sms", "whatsapp"])), name="replies_channel"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UnmatchedReceipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.CharField(max_length=64, verbose_name="sender")),
                ("reference", models.CharField(db_default="", default="", max_length=255, verbose_name="reference")),
                (
                    "provider_message_id",
                    models.CharField(db_default="", default="", max_length=255, verbose_name="provider's id"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("sent", "sent"), ("delivered", "delivered"), ("read", "read"), ("failed", "failed")],
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("at", models.DateTimeField(help_text="When it happened, as the provider says.", verbose_name="at")),
                ("error", models.TextField(db_default="", default="", verbose_name="error")),
                ("opted_out", models.BooleanField(db_default=False, default=False, verbose_name="opted out")),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="received at"
                    ),
                ),
                (
                    "tried_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="tried at"),
                ),
                ("next_try_at", models.DateTimeField(null=True, verbose_name="next try at")),
            ],
            options={
                "verbose_name": "unmatched receipt",
                "verbose_name_plural": "unmatched receipts",
                "db_table": "unmatched_receipts",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at"],
                        name="unmatched_receipts_due",
                    ),
                    models.Index(fields=["received_at"], name="unmatched_receipts_received_at"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["sent", "delivered", "read", "failed"])),
                        name="unmatched_receipts_status",
                    )
                ],
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
