"""Keeps `customer_attributes`, the names that some customer's attributes have, by statement-level triggers."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION customers_note_attribute_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The anti-join keeps the usual case, no new name, free of writes and so of locks between two imports.
    INSERT INTO customer_attributes (name)
    SELECT DISTINCT names.name
    FROM changed CROSS JOIN LATERAL jsonb_object_keys(changed.attributes) AS names (name)
    WHERE NOT EXISTS (SELECT 1 FROM customer_attributes known WHERE known.name = names.name)
    ORDER BY names.name
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER customers_inserted AFTER INSERT ON customers
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION customers_note_attribute_names();
CREATE TRIGGER customers_updated AFTER UPDATE ON customers
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION customers_note_attribute_names();
"""

BACKWARDS = """
DROP TRIGGER customers_updated ON customers;
DROP TRIGGER customers_inserted ON customers;
DROP FUNCTION customers_note_attribute_names();
"""


class Migration(migrations.Migration):
    """Adds the triggers."""

    dependencies = [("customers", "0001_customers")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
