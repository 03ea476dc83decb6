"""Where lists of numbers wait that came in by the admin, until they are imported."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the table."""

    dependencies = [("customers", "0005_consent_words")]

    operations = [
        migrations.CreateModel(
            name="ConsentUpload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=200)),
                ("channel", models.CharField(choices=[("sms", "SMS"), ("whatsapp", "WhatsApp")], max_length=16)),
                (
                    "state",
                    models.CharField(choices=[("opted_out", "opted out"), ("opted_in", "opted in")], max_length=16),
                ),
                ("region", models.CharField(max_length=2)),
                ("note", models.CharField(max_length=500)),
                ("content", models.BinaryField()),
                ("refusals", models.BinaryField(default=b"")),
                ("outcome", models.JSONField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("begun_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "consent_uploads",
                "default_permissions": (),
            },
        ),
    ]
