"""Adds senders and where they stand, who holds a batch, where an owner's retry began, and whom to look up."""

import django.core.validators
import django.db.models.functions.datetime
from django.db import migrations, models

import campaigns.indexes


class Migration(migrations.Migration):
    """Adds tables, columns and an index."""

    dependencies = [
        ("campaigns", "0003_expiry_and_weight"),
        ("customers", "0002_attribute_names"),
        ("messaging", "0003_counts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sender",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alias", models.CharField(max_length=64, verbose_name="alias")),
                (
                    "rate",
                    models.FloatField(
                        blank=True,
                        help_text=(
                            "Parts a second, over all workers; empty: as MESSAGE_PROVIDERS says, or without a limit."
                        ),
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0.01)],
                        verbose_name="rate",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created at"
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="updated at"
                    ),
                ),
            ],
            options={
                "verbose_name": "sender",
                "verbose_name_plural": "senders",
                "db_table": "senders",
                "ordering": ["alias"],
            },
        ),
        migrations.CreateModel(
            name="SenderState",
            fields=[
                ("alias", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "free_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="Before this time the limiter lets nothing more out.",
                    ),
                ),
                ("urgent_until", models.DateTimeField(help_text="Until then a test or a reply goes first.", null=True)),
                ("held_until", models.DateTimeField(help_text="Before this time nobody takes its batches.", null=True)),
                (
                    "hold",
                    models.CharField(
                        db_default="", default="", help_text="throttled, breaker or empty.", max_length=16
                    ),
                ),
                (
                    "failures",
                    models.IntegerField(db_default=0, default=0, help_text="Messages in a row that came to nothing."),
                ),
                (
                    "holds",
                    models.IntegerField(
                        db_default=0, default=0, help_text="How often in a row the breaker has opened."
                    ),
                ),
            ],
            options={
                "db_table": "sender_states",
            },
        ),
        migrations.AddField(
            model_name="messagebatch",
            name="worker",
            field=models.CharField(
                db_default="", default="", help_text="Who holds or last held the lease.", max_length=255
            ),
        ),
        migrations.AddField(
            model_name="outboundmessage",
            name="retries_before",
            field=models.IntegerField(
                db_default=0,
                default=0,
                help_text="What the count was at the owner's last retry: the limit counts from there.",
                verbose_name="retries before",
            ),
        ),
        migrations.AddIndex(
            model_name="outboundmessage",
            index=campaigns.indexes.LongNamedIndex(
                condition=models.Q(("due_at__isnull", False), ("status", "unknown")),
                fields=["provider", "due_at"],
                name="idx_outbound_messages_look_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="outboundmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(("retries_before__gte", 0)),
                name="outbound_messages_retries_before",
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.UniqueConstraint(fields=("alias",), name="senders_alias_key"),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate__isnull", True), ("rate__gte", 0.01), _connector="OR"),
                name="senders_rate",
                violation_error_message="The rate must be at least one part in a hundred seconds.",
            ),
        ),
        migrations.AddConstraint(
            model_name="senderstate",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold__in", ["", "throttled", "breaker"])), name="sender_states_hold"
            ),
        ),
    ]
