"""The facets of the log: what its filters ask, on the row itself, kept by the database."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

FACETS = """
CREATE FUNCTION complication_facets(c complications_complication) RETURNS text[] LANGUAGE sql STABLE AS $$
  -- Each carries its site, so that one word of the index says both.
  SELECT array_agg(c.site_id || ':' || f.name || ':' || f.value) FROM clinic_procedure p, LATERAL (VALUES
    ('type', c.code),
    ('site_of_leak', c.site_of_leak),
    ('clavien', c.clavien),
    ('sir', c.sir::text),
    ('cirse', c.cirse::text),
    ('level', c.level),
    ('status', c.status),
    ('symptomatic', c.symptomatic::text),
    ('kind', p.kind),
    ('indication', p.indication),
    ('anaesthesia', p.anaesthesia),
    ('operator', p.operator_id::text)
  ) AS f(name, value) WHERE p.id = c.procedure_id AND f.value <> ''
$$;

CREATE FUNCTION complication_write_facets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.facets := coalesce(complication_facets(NEW), '{}');
  RETURN NEW;
END $$;

CREATE TRIGGER complication_write_facets BEFORE INSERT OR UPDATE ON complications_complication
  FOR EACH ROW EXECUTE FUNCTION complication_write_facets();

CREATE FUNCTION procedure_write_facets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- The row's own trigger does the work; facets are no part of a version, so none is added.
  UPDATE complications_complication SET facets = '{}' WHERE procedure_id = NEW.id;
  RETURN NULL;
END $$;

CREATE TRIGGER procedure_write_facets
  AFTER UPDATE OF kind, indication, anaesthesia, operator_id ON clinic_procedure FOR EACH ROW
  WHEN ((OLD.kind, OLD.indication, OLD.anaesthesia, OLD.operator_id)
    IS DISTINCT FROM (NEW.kind, NEW.indication, NEW.anaesthesia, NEW.operator_id))
  EXECUTE FUNCTION procedure_write_facets();

ALTER TABLE complications_complication ALTER COLUMN facets SET STATISTICS 1000;
UPDATE complications_complication SET facets = '{}';
"""
NO_FACETS = """
DROP TRIGGER procedure_write_facets ON clinic_procedure;
DROP FUNCTION procedure_write_facets;
DROP TRIGGER complication_write_facets ON complications_complication;
DROP FUNCTION complication_write_facets;
DROP FUNCTION complication_facets;
"""


class Migration(migrations.Migration):
    dependencies = [("complications", "0001_initial"), ("clinic", "0003_exports_and_checkpoints")]

    operations = [
        migrations.AddField(
            model_name="complication",
            name="facets",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(), default=list, editable=False, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="complication",
            index=django.contrib.postgres.indexes.GinIndex(fields=["facets"], name="complication_facets"),
        ),
        migrations.RunSQL(FACETS, NO_FACETS),
    ]
