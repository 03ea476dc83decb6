"""A consent word stands in the list once, however it is written; which of two was heard stays."""

from typing import Any

from django.db import migrations, models

from customers import plain

# As the words are looked up: whoever wants to opt out is heard first.
RANKS = {"opt_out": 0, "opt_in": 1, "help": 2}


def fill(apps: Any, _schema_editor: Any) -> None:
    """Write each word's plain form; of those that are the same the ones go that were never heard."""
    seen: set[str] = set()
    words = apps.get_model("customers", "ConsentWord").objects.all()
    for word in sorted(words, key=lambda word: (RANKS[word.wish], word.language, word.word)):
        said = plain.plain(word.word)
        if not said or said in seen:
            word.delete()
        else:
            seen.add(said)
            word.save()


class Migration(migrations.Migration):
    """Adds the column, fills it, and has the database refuse a second one."""

    dependencies = [("customers", "0006_consent_uploads")]

    operations = [
        migrations.AddField(
            "consentword", "plain", plain.PlainField(editable=False, default=""), preserve_default=False
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveConstraint("consentword", "consent_words_language_word_key"),
        migrations.AddConstraint(
            "consentword", models.UniqueConstraint(fields=("plain",), name="consent_words_plain_key")
        ),
        migrations.AddConstraint(
            "consentword",
            models.CheckConstraint(condition=~models.Q(("plain", "")), name="consent_words_plain_says_something"),
        ),
    ]
