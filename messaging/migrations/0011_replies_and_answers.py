"""Gives replies what was made of them: wish, campaign, message and answer."""

import django.db.models.deletion
from django.db import migrations, models

FOREIGN_KEY = (
    "ALTER TABLE replies ADD CONSTRAINT replies_campaign_id_fk"
    " FOREIGN KEY (campaign_id) REFERENCES campaigns (id) ON DELETE SET NULL"
)


class Migration(migrations.Migration):
    """Adds columns, small indexes and checks."""

    dependencies = [
        ("campaigns", "0004_sender_and_whatsapp_template"),
        ("messaging", "0010_senders_set_up_by_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="reply",
            name="answer",
            field=models.TextField(db_default="", default="", verbose_name="answer"),
        ),
        migrations.AddField(
            model_name="reply",
            name="answer_error",
            field=models.CharField(db_default="", default="", max_length=500, verbose_name="answer's error"),
        ),
        migrations.AddField(
            model_name="reply",
            name="answer_status",
            field=models.CharField(
                blank=True,
                choices=[
                    ("due", "due"),
                    ("sending", "sending"),
                    ("sent", "sent"),
                    ("failed", "failed"),
                    ("unknown", "unknown"),
                    ("expired", "expired"),
                ],
                db_default="",
                default="",
                max_length=16,
                verbose_name="answer's status",
            ),
        ),
        migrations.AddField(
            model_name="reply",
            name="answer_until",
            field=models.DateTimeField(help_text="Until then somebody is sending it.", null=True),
        ),
        migrations.AddField(
            model_name="reply",
            name="campaign",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="reply",
            name="heard",
            field=models.CharField(
                blank=True,
                choices=[
                    ("exact", "the word itself"),
                    ("typo", "the word with a slip"),
                    ("vendor", "the provider told us"),
                    ("among_others", "among other words: to be read"),
                ],
                db_default="",
                default="",
                max_length=16,
                verbose_name="heard",
            ),
        ),
        migrations.AddField(
            model_name="reply",
            name="message_id",
            field=models.BigIntegerField(null=True, verbose_name="message"),
        ),
        migrations.AlterField(
            model_name="reply",
            name="wish",
            field=models.CharField(
                blank=True,
                choices=[("opt_out", "opt out"), ("opt_in", "opt in"), ("help", "help")],
                db_default="",
                default="",
                max_length=16,
                verbose_name="wish",
            ),
        ),
        migrations.AddIndex(
            model_name="reply",
            index=models.Index(fields=["phone", "id"], name="replies_phone"),
        ),
        migrations.AddIndex(
            model_name="reply",
            index=models.Index(
                condition=models.Q(("campaign__isnull", False)), fields=["campaign", "id"], name="replies_campaign"
            ),
        ),
        migrations.AddIndex(
            model_name="reply",
            index=models.Index(
                condition=models.Q(("answer_status__in", ["due", "sending"])), fields=["id"], name="replies_to_answer"
            ),
        ),
        migrations.AddIndex(
            model_name="reply",
            index=models.Index(condition=models.Q(("heard", "among_others")), fields=["id"], name="replies_to_read"),
        ),
        migrations.AddConstraint(
            model_name="reply",
            constraint=models.CheckConstraint(
                condition=models.Q(("wish__in", ["", "opt_out", "opt_in", "help"])), name="replies_wish"
            ),
        ),
        migrations.AddConstraint(
            model_name="reply",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("answer_status__in", ["", "due", "sending", "sent", "failed", "unknown", "expired"])
                ),
                name="replies_answer_status",
            ),
        ),
        migrations.RunSQL(FOREIGN_KEY, "ALTER TABLE replies DROP CONSTRAINT replies_campaign_id_fk"),
    ]
