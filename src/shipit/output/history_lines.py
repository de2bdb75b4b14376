"""Past deploys as people read them: a line each, newest first, and how long migrations took at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipit.events import History, PastDeploy
from shipit.output.phrases import brief
from shipit.output.sanitize import one_line

_BARS = "▁▂▃▄▅▆▇█"
_HEADINGS = ("WHEN (UTC)", "WHO", "TAG", "REVISION", "MIGRATION", "TOOK", "OUTCOME", "MESSAGE")


def history_lines(history: History) -> Iterator[str]:
    """A table of the columns that hold anything, as wide as that; nothing but a sentence when there is none."""
    if not history.deploys:
        yield one_line(f"no deploy of {history.release} is recorded in namespace {history.namespace}")
        return
    rows = [_HEADINGS, *map(_row, history.deploys)]
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    times = [_migrated(each) for each in reversed(history.deploys) if each.migrations]
    if len(times) > 1:
        yield ""
        yield f"migrations  {sparkline(times)}  {brief(min(times))} to {brief(max(times))}, the newest on the right"


def sparkline(values: Sequence[float]) -> str:
    """One character for each value, its height by the largest."""
    most = max(values) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(value / most * len(_BARS)))] for value in values)


def _row(deploy: PastDeploy) -> tuple[str, ...]:
    migrations = ", ".join(
        f"{each.name} {each.outcome} in {brief(each.duration)}" for each in deploy.migrations
    )
    tag = f"back to {deploy.tag}".rstrip() if deploy.command == "rollback" else deploy.tag
    tag = "rollback" if tag == "back to" else tag
    cells = (
        deploy.started[:19].replace("T", " "),
        deploy.who,
        f"{tag} ({deploy.environment})" if deploy.environment else tag,
        str(deploy.revision or "-"),
        migrations or "-",
        brief(deploy.duration),
        deploy.outcome,
        deploy.message,
    )
    return tuple(map(one_line, cells))


def _migrated(deploy: PastDeploy) -> float:
    return sum(each.duration for each in deploy.migrations)
