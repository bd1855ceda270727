"""Labels worth a second look: probable errors, duplicates, and classes to merge or to split."""

from cladewise.auditing.audit_run import audit
from cladewise.auditing.classes import OneClass, TwoKinds
from cladewise.auditing.duplicates import Duplicates
from cladewise.auditing.result import Audit
from cladewise.auditing.serving import AuditServer
from cladewise.auditing.suspicion import VERDICTS, Suspicions, suspicions

__all__ = [
    "VERDICTS",
    "Audit",
    "AuditServer",
    "Duplicates",
    "OneClass",
    "Suspicions",
    "TwoKinds",
    "audit",
    "suspicions",
]
