"""Reads of the ground floor that span tables."""

from clinic.queries.audit import AuditFault, AuditResult, verify_audit

__all__ = ["AuditFault", "AuditResult", "verify_audit"]
