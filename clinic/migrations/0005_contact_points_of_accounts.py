"""Everybody's e-mail and telephone become their first contact points, trusted as they were until now."""

from django.db import migrations

FORWARD = """
INSERT INTO clinic_contactpoint (public_id, user_id, kind, address, label, secrets, position, created_at, verified_at,
                                 code_tries, disabled_reason)
SELECT gen_random_uuid(), id, 'email', email, '', '{}'::jsonb, 0, statement_timestamp(), statement_timestamp(), 0, ''
FROM clinic_user WHERE email <> '';
INSERT INTO clinic_contactpoint (public_id, user_id, kind, address, label, secrets, position, created_at, verified_at,
                                 code_tries, disabled_reason)
SELECT gen_random_uuid(), id, 'sms', phone, '', '{}'::jsonb, 1, statement_timestamp(), NULL, 0, ''
FROM clinic_user WHERE phone <> '';
"""


class Migration(migrations.Migration):

    dependencies = [("clinic", "0004_channels")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
