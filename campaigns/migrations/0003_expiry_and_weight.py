"""Gives campaigns an expiry and a weight beside others."""

import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds both columns."""

    dependencies = [
        ("campaigns", "0002_progress"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="expires_at",
            field=models.DateTimeField(
                blank=True,
                help_text="What has not gone out by then is never sent: rather not at all than too late.",
                null=True,
                verbose_name="expires at",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="weight",
            field=models.PositiveSmallIntegerField(
                db_default=1,
                default=1,
                help_text="Its share of the provider's rate beside other running campaigns: 1 to 100.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                verbose_name="weight",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("weight__gte", 1), ("weight__lte", 100)), name="campaigns_weight"
            ),
        ),
    ]
