"""Gives every campaign its row of counts at birth, and lets the database delete it with the campaign."""

from django.db import migrations

FORWARDS = """
ALTER TABLE campaign_progress ADD CONSTRAINT campaign_progress_campaign_fk
    FOREIGN KEY (campaign_id) REFERENCES campaigns (id) ON DELETE CASCADE;

CREATE FUNCTION campaigns_begin_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign_progress (campaign_id) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER campaigns_inserted AFTER INSERT ON campaigns
    FOR EACH ROW EXECUTE FUNCTION campaigns_begin_progress();
"""

BACKWARDS = """
DROP TRIGGER campaigns_inserted ON campaigns;
DROP FUNCTION campaigns_begin_progress();
ALTER TABLE campaign_progress DROP CONSTRAINT campaign_progress_campaign_fk;
"""


class Migration(migrations.Migration):
    """Adds the foreign key and the trigger."""

    dependencies = [("campaigns", "0001_campaigns")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
