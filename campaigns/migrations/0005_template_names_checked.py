"""Has the names and languages of WhatsApp templates looked at; the database itself changes nothing."""

from django.db import migrations, models

from campaigns import whatsapp


class Migration(migrations.Migration):
    """Adds validators, which Django only notes down."""

    dependencies = [("campaigns", "0004_sender_and_whatsapp_template")]

    operations = [
        migrations.AlterField(
            model_name="campaign",
            name="whatsapp_language",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="As it was approved, for example en_GB.",
                max_length=16,
                validators=[whatsapp.validate_language],
                verbose_name="template's language",
            ),
        ),
        migrations.AlterField(
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
                validators=[whatsapp.validate_template],
                verbose_name="WhatsApp template",
            ),
        ),
    ]
