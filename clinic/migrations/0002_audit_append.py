"""The one way into the audit trail.

`audit_append` runs with its owner's rights, so the service's role needs no INSERT on the tables. It locks the stream's
head, which orders the writers of one stream and no others.
"""

from django.db import migrations

APPEND = """
CREATE FUNCTION audit_append(in_stream text, entries text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    last_seq bigint;
    last_hash bytea;
    next_hash bytea;
    entry text;
BEGIN
    INSERT INTO clinic_audithead (stream, seq, hash)
        VALUES (in_stream, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT (stream) DO NOTHING;
    SELECT seq, hash INTO STRICT last_seq, last_hash FROM clinic_audithead WHERE stream = in_stream FOR UPDATE;
    FOREACH entry IN ARRAY entries LOOP
        last_seq := last_seq + 1;
        next_hash := sha256(
            '\\x02'::bytea || sha256(convert_to(in_stream, 'UTF8')) || int8send(last_seq) || last_hash
            || sha256(convert_to(entry, 'UTF8')));
        INSERT INTO clinic_auditentry (stream, seq, prev, hash, canonical)
            VALUES (in_stream, last_seq, last_hash, next_hash, entry);
        last_hash := next_hash;
    END LOOP;
    UPDATE clinic_audithead SET seq = last_seq, hash = last_hash WHERE stream = in_stream;
    RETURN last_seq;
END
$$;
REVOKE ALL ON FUNCTION audit_append(text, text[]) FROM PUBLIC;

CREATE FUNCTION clinic_refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: the audit trail is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON clinic_auditentry
    FOR EACH ROW EXECUTE FUNCTION clinic_refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON clinic_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION clinic_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("clinic", "0001_initial")]
    operations = [
        migrations.RunSQL(
            APPEND,
            "DROP TRIGGER no_truncate ON clinic_auditentry; DROP TRIGGER append_only ON clinic_auditentry; "
            "DROP FUNCTION clinic_refuse_change(); DROP FUNCTION audit_append(text, text[]);",
        )
    ]
