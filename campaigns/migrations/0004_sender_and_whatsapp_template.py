"""Lets a campaign name its sender and the WhatsApp template that it goes out as."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the three columns."""

    dependencies = [
        ("campaigns", "0003_expiry_and_weight"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="sender",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The account that it goes out by; empty: the channel's default.",
                max_length=64,
                verbose_name="sender",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="whatsapp_language",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="As it was approved, for example en_GB.",
                max_length=16,
                verbose_name="template's language",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="whatsapp_template",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text=(
                    "The name of a template that WhatsApp approved: the values of the text's placeholders, in their"
                    " order, fill its variables. Empty: free text, which WhatsApp delivers only within 24 hours of a"
                    " person's message."
                ),
                max_length=512,
                verbose_name="WhatsApp template",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("whatsapp_language", ""), ("whatsapp_template", "")),
                    models.Q(
                        ("channel", "whatsapp"),
                        models.Q(("whatsapp_template", ""), _negated=True),
                        models.Q(("whatsapp_language", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="campaigns_whatsapp_template",
                violation_error_message="A WhatsApp template needs its language, and the channel WhatsApp.",
            ),
        ),
    ]
