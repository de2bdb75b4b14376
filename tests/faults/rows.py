"""All rows of the table, by importing the files that hold them."""

from __future__ import annotations

from tests.faults import (
    rows_again,
    rows_api,
    rows_courses,
    rows_crowd,
    rows_during,
    rows_helm,
    rows_jobs,
    rows_lock,
    rows_logs,
    rows_machine,
    rows_own,
    rows_prerequisites,
    rows_restarts,
    rows_rollback,
    rows_several,
    rows_signals,
    rows_start,
    rows_sweep,
)
from tests.faults.case import CASES

__all__ = [
    "CASES",
    "rows_again",
    "rows_api",
    "rows_courses",
    "rows_crowd",
    "rows_during",
    "rows_helm",
    "rows_jobs",
    "rows_lock",
    "rows_logs",
    "rows_machine",
    "rows_own",
    "rows_prerequisites",
    "rows_restarts",
    "rows_rollback",
    "rows_several",
    "rows_signals",
    "rows_start",
    "rows_sweep",
]
