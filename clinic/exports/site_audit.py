"""The site's part of the audit trail, in keyset pages, and whether one chain is whole."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection

from clinic.exports.ground import streams_of_sites
from clinic.models import AuditEntry, Site
from clinic.queries.audit import AuditResult, verify_audit

PAGE = 60
COLUMNS = ("action", "stream", "subject", "actor")


def audit_page(site: Site, asked: Mapping[str, str], before: int | None) -> tuple[list[AuditEntry], bool]:
    """Return the site's newest entries below the key `before` that fit `asked`, and whether there are more.

    Only streams that belong to the site are read: another site's entries are not there.
    """
    conditions = ["owner.site_id = %s"]
    values: list[object] = [site.pk]
    if before is not None:
        conditions.append("entry.id < %s")
        values.append(before)
    for name in COLUMNS:
        if asked.get(name):
            conditions.append(f"entry.{name} = %s")
            values.append(asked[name])
    query = (
        "SELECT entry.* FROM clinic_auditentry entry "  # noqa: S608 - column names of our own, values are parameters
        f"JOIN ({streams_of_sites()}) AS owner (stream, site_id) ON owner.stream = entry.stream "
        f"WHERE {' AND '.join(conditions)} ORDER BY entry.id DESC LIMIT {PAGE + 1}"
    )
    found = list(AuditEntry.objects.raw(query, values))
    return found[:PAGE], len(found) > PAGE


def chain_of(site: Site, stream: str) -> AuditResult | None:
    """Return whether one chain of the site is whole; None where the site has no such stream."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM ({streams_of_sites()}) AS owner (stream, site_id) "  # noqa: S608 - our own text
            "WHERE owner.stream = %s AND owner.site_id = %s LIMIT 1",
            [stream, site.pk],
        )
        if cursor.fetchone() is None:
            return None
    return verify_audit(stream)
