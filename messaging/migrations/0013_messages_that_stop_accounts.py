"""How often a message was refused as if its account were broken, while the account took others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds one column, without writing a row."""

    dependencies = [("messaging", "0012_account_changes")]

    operations = [
        migrations.AddField(
            model_name="outboundmessage",
            name="stops",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="How often the provider refused it as if the account were broken, and took others.",
                verbose_name="stops",
            ),
        ),
    ]
