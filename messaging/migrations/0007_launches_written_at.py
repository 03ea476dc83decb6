"""Notes when a launch last wrote a page, so that nobody rings for one that is under way."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column."""

    dependencies = [
        ("messaging", "0006_cheaper_counts"),
    ]

    operations = [
        migrations.AddField(
            model_name="launch",
            name="written_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="When the last page was written, or it began.",
            ),
        ),
    ]
