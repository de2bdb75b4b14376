"""Which keys of a `[migration]` exclude one another, or need another."""

from __future__ import annotations

from msgspec import UNSET

from shipit.config.structure import MigrationSpec

OF_FROM = ("container", "command", "args", "resources", "lift")
"""Keys that say how a Job is made from a workload."""


def conflicting(spec: MigrationSpec) -> tuple[str, str] | None:
    """The key that can't stand beside the others, and why; None when all is well."""
    if spec.workload:
        for key, value in (("template", spec.template), ("job", spec.job)):
            if value:
                return (
                    key,
                    f"excludes from: the migration is a Job of the chart, or is made from {spec.workload}",
                )
        return None
    for key in OF_FROM:
        if getattr(spec, key) not in (UNSET, "", False):
            return key, 'is for a Job that is made from a workload; for example: from = "deployment/shop"'
    return None
