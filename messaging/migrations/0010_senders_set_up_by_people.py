"""Gives senders what people set up: vendor, options, credentials, channels, defaults, kind and prices.

Messages get the values that fill a WhatsApp template.
"""

import re

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import messaging.secrets


class Migration(migrations.Migration):
    """Adds columns, without rewriting a table, and the table of prices."""

    dependencies = [
        ("messaging", "0009_hooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="SenderPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "prefix",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="For example +254; empty: all others.",
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(\\+[1-9][0-9]{0,14})?$", "Write it as +254, or leave it empty for all."
                            )
                        ],
                        verbose_name="numbers that begin with",
                    ),
                ),
                (
                    "price",
                    models.DecimalField(
                        decimal_places=6,
                        max_digits=12,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="price a part",
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        max_length=3,
                        validators=[
                            django.core.validators.RegexValidator("^[A-Z]{3}$", "Three capitals, for example KES.")
                        ],
                        verbose_name="currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "verbose_name_plural": "prices",
                "db_table": "sender_prices",
                "ordering": ["sender", "prefix"],
            },
        ),
        migrations.AddField(
            model_name="outboundmessage",
            name="variables",
            field=models.JSONField(
                help_text="What fills the blanks of the campaign's WhatsApp template, in their order; else null.",
                null=True,
                verbose_name="variables",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="backend",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="It cannot be changed later: what was sent is known by this account.",
                max_length=64,
                verbose_name="vendor",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="is_default_sms",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="For campaigns that name no sender.",
                verbose_name="default for SMS",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="is_default_whatsapp",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="For campaigns that name no sender.",
                verbose_name="default for WhatsApp",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="is_enabled",
            field=models.BooleanField(db_default=False, default=False, verbose_name="enabled"),
        ),
        migrations.AddField(
            model_name="sender",
            name="kind",
            field=models.CharField(
                choices=[("promotional", "promotional"), ("transactional", "transactional")],
                db_default="promotional",
                default="promotional",
                help_text="What the vendor registered it for.",
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="options",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                editable=False,
                verbose_name="options",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="sealed",
            field=messaging.secrets.SealedField(
                db_default=models.Value(""),
                default=messaging.secrets.Sealed,
                editable=False,
                verbose_name="credentials",
            ),
        ),
        migrations.AddField(
            model_name="sender",
            name="sends_sms",
            field=models.BooleanField(db_default=False, default=False, verbose_name="sends SMS"),
        ),
        migrations.AddField(
            model_name="sender",
            name="sends_whatsapp",
            field=models.BooleanField(db_default=False, default=False, verbose_name="sends WhatsApp"),
        ),
        migrations.AlterField(
            model_name="sender",
            name="alias",
            field=models.CharField(
                help_text="Its name here: letters, digits, - and _. It cannot be changed later.",
                max_length=64,
                validators=[
                    django.core.validators.RegexValidator(
                        re.compile("^[-a-zA-Z0-9_]+\\Z"),
                        "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.",
                        "invalid",
                    )
                ],
                verbose_name="alias",
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["promotional", "transactional"])), name="senders_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default_sms", True)),
                fields=("is_default_sms",),
                name="senders_default_sms",
                violation_error_message="Another sender is the default for SMS: take that from it first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default_whatsapp", True)),
                fields=("is_default_whatsapp",),
                name="senders_default_whatsapp",
                violation_error_message="Another sender is the default for WhatsApp: take that from it first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_default_sms", False), models.Q(("is_enabled", True), ("sends_sms", True)), _connector="OR"
                ),
                name="senders_default_sms_serves",
                violation_error_message="The default for SMS must be enabled and send SMS.",
            ),
        ),
        migrations.AddConstraint(
            model_name="sender",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_default_whatsapp", False),
                    models.Q(("is_enabled", True), ("sends_whatsapp", True)),
                    _connector="OR",
                ),
                name="senders_default_whatsapp_serves",
                violation_error_message="The default for WhatsApp must be enabled and send WhatsApp.",
            ),
        ),
        migrations.AddField(
            model_name="senderprice",
            name="sender",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="prices",
                to="messaging.sender",
                verbose_name="sender",
            ),
        ),
        migrations.AddConstraint(
            model_name="senderprice",
            constraint=models.UniqueConstraint(
                fields=("sender", "prefix"),
                name="sender_prices_prefix",
                violation_error_message="There is already a price for these numbers.",
            ),
        ),
        migrations.AddConstraint(
            model_name="senderprice",
            constraint=models.CheckConstraint(condition=models.Q(("price__gte", 0)), name="sender_prices_price"),
        ),
        migrations.AddConstraint(
            model_name="senderprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("prefix__regex", "^(\\+[1-9][0-9]{0,14})?$")), name="sender_prices_numbers"
            ),
        ),
        migrations.AddConstraint(
            model_name="senderprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="sender_prices_currency"
            ),
        ),
    ]
