"""Notes since when an alias stands for the account of a vendor that it stands for now."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """Adds a table of a row an alias."""

    dependencies = [("messaging", "0011_replies_and_answers")]

    operations = [
        migrations.CreateModel(
            name="AccountChange",
            fields=[
                ("alias", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="alias")),
                ("digest", models.CharField(help_text="Of vendor, options and credentials, keyed.", max_length=64)),
                ("noticed_at", models.DateTimeField(db_default=Now())),
                (
                    "changed_at",
                    models.DateTimeField(help_text="Empty: it is still what it was when it was first seen.", null=True),
                ),
            ],
            options={"db_table": "account_changes"},
        ),
    ]
