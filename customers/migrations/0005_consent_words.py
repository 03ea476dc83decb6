"""The words that ask for something and what is answered, with those that are shipped."""

from typing import Any

from django.db import migrations, models

import customers.places
from customers import seeds

WISHES = [("opt_out", "opt out"), ("opt_in", "opt in"), ("help", "help")]


def plant(apps: Any, _schema_editor: Any) -> None:
    """The shipped words and answers."""
    seeds.plant(apps.get_model("customers", "ConsentWord"), apps.get_model("customers", "ConsentAnswer"))


class Migration(migrations.Migration):
    """Makes and fills both tables."""

    dependencies = [("customers", "0004_opt_outs_become_consent")]

    operations = [
        migrations.CreateModel(
            name="ConsentWord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(
                        max_length=35, validators=[customers.places.validate_language], verbose_name="language"
                    ),
                ),
                (
                    "word",
                    models.CharField(
                        help_text="Case, accents, blanks around it and punctuation do not matter.",
                        max_length=64,
                        verbose_name="word",
                    ),
                ),
                ("wish", models.CharField(choices=WISHES, max_length=16, verbose_name="wish")),
            ],
            options={
                "verbose_name": "consent word",
                "verbose_name_plural": "consent words",
                "db_table": "consent_words",
                "ordering": ["language", "wish", "word"],
                "constraints": [
                    models.UniqueConstraint(fields=("language", "word"), name="consent_words_language_word_key"),
                    models.CheckConstraint(
                        condition=models.Q(("wish__in", ["opt_out", "opt_in", "help"])), name="consent_words_wish"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsentAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(
                        max_length=35, validators=[customers.places.validate_language], verbose_name="language"
                    ),
                ),
                ("wish", models.CharField(choices=WISHES, max_length=16, verbose_name="wish")),
                ("text", models.TextField(max_length=1000, verbose_name="text")),
            ],
            options={
                "verbose_name": "consent answer",
                "verbose_name_plural": "consent answers",
                "db_table": "consent_answers",
                "ordering": ["language", "wish"],
                "constraints": [
                    models.UniqueConstraint(fields=("language", "wish"), name="consent_answers_language_wish_key"),
                    models.CheckConstraint(
                        condition=models.Q(("wish__in", ["opt_out", "opt_in", "help"])), name="consent_answers_wish"
                    ),
                ],
            },
        ),
        migrations.RunPython(plant, migrations.RunPython.noop),
    ]
