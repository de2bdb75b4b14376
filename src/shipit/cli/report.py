"""`--report FILE`: the result as JSON, or as a page all that was told, whatever the output."""

from __future__ import annotations

import json
from pathlib import Path

from shipit.cli.streams import tell
from shipit.events import Ended
from shipit.model import Clock
from shipit.output import Record, result


def record_for(report: Path | None, clock: Clock) -> Record | None:
    """What has to be kept of a command for its report; None for one that needs the result alone."""
    return Record(clock) if report is not None and report.suffix.lower() in (".html", ".htm") else None


def write_report(report: Path, ended: Ended, record: Record | None, clock: Clock) -> None:
    """A report that can't be written doesn't undo a deploy: it is told. `ended` is as a file may hold it."""
    if record is None:
        text = json.dumps(result(ended), indent=2) + "\n"
    else:
        from shipit.output import page

        text = page(record, ended, clock.now())
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as error:
        tell(f"can't write the report {report}: {error.strerror}")
