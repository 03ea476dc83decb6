"""The ledger of consent, and what counts now, which its triggers keep."""

import django.core.validators
import django.db.models.functions.datetime
from django.db import migrations, models

# What counts now is kept by a statement-level trigger, by set and in the order of the phones, so that two imports, or
# an import and a delivery, do not wait for each other in a circle. The WHERE lets an older fact that comes late change
# nothing. `changed_at` is when the state changed here, and stays when the same is said again.
TRIGGERS = """
CREATE FUNCTION consent_events_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO consents AS known (phone, channel, state, event_id, at)
    SELECT DISTINCT ON (phone, channel) phone, channel, state, id, at
    FROM added ORDER BY phone, channel, at DESC, id DESC
    ON CONFLICT (phone, channel) DO UPDATE SET
        state = excluded.state,
        event_id = excluded.event_id,
        at = excluded.at,
        changed_at = CASE WHEN known.state = excluded.state THEN known.changed_at ELSE statement_timestamp() END
    WHERE (excluded.at, excluded.event_id) > (known.at, known.event_id);
    RETURN NULL;
END $$;
CREATE TRIGGER consent_events_added AFTER INSERT ON consent_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION consent_events_count();

CREATE FUNCTION consent_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'consent_events is only ever added to' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER consent_events_kept BEFORE UPDATE OR DELETE ON consent_events
    FOR EACH STATEMENT EXECUTE FUNCTION consent_events_refuse();
CREATE TRIGGER consent_events_not_emptied BEFORE TRUNCATE ON consent_events
    FOR EACH STATEMENT EXECUTE FUNCTION consent_events_refuse();
"""
NO_TRIGGERS = """
DROP TRIGGER consent_events_not_emptied ON consent_events;
DROP TRIGGER consent_events_kept ON consent_events;
DROP TRIGGER consent_events_added ON consent_events;
DROP FUNCTION consent_events_refuse();
DROP FUNCTION consent_events_count();
"""

CHANNELS = [("sms", "SMS"), ("whatsapp", "WhatsApp")]
STATES = [("opted_out", "opted out"), ("opted_in", "opted in")]
E164 = "^\\+[1-9][0-9]{6,14}$"


class Migration(migrations.Migration):
    """Makes both tables and the triggers."""

    dependencies = [("customers", "0002_attribute_names")]

    operations = [
        migrations.CreateModel(
            name="ConsentEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=CHANNELS, max_length=16, verbose_name="channel")),
                (
                    "phone",
                    models.CharField(
                        max_length=32, validators=[django.core.validators.RegexValidator(E164)], verbose_name="phone"
                    ),
                ),
                ("state", models.CharField(choices=STATES, max_length=16, verbose_name="state")),
                (
                    "source",
                    models.CharField(
                        help_text="How we learnt of it, e.g. “reply”.", max_length=64, verbose_name="source"
                    ),
                ),
                (
                    "words",
                    models.TextField(
                        blank=True, db_default="", default="", help_text="What the person wrote.", verbose_name="words"
                    ),
                ),
                ("message_id", models.BigIntegerField(blank=True, null=True, verbose_name="message")),
                ("user_id", models.BigIntegerField(blank=True, null=True, verbose_name="user")),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=500, verbose_name="note")),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="said at"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created at"
                    ),
                ),
            ],
            options={
                "verbose_name": "consent event",
                "verbose_name_plural": "consent events",
                "db_table": "consent_events",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["phone"], name="consent_events_phone")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("source", "provider")),
                        fields=("message_id",),
                        name="consent_events_once_a_message",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel__in", ["sms", "whatsapp"])), name="consent_events_channel"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["opted_out", "opted_in"])), name="consent_events_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("phone__regex", E164)), name="consent_events_phone_e164"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=CHANNELS, max_length=16, verbose_name="channel")),
                ("phone", models.CharField(max_length=32, verbose_name="phone")),
                ("state", models.CharField(choices=STATES, max_length=16, verbose_name="state")),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="customers.consentevent",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="said at")),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="changed at"
                    ),
                ),
            ],
            options={
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
                "db_table": "consents",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("phone", "channel"), include=("state",), name="consents_phone_channel_key"
                    )
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
