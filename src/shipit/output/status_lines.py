"""How a release is, as people read it: a line for each thing that there is to say."""

from __future__ import annotations

from collections.abc import Iterator

from shipit.events import PastDeploy, Status
from shipit.output.phrases import brief
from shipit.output.sanitize import one_line


def status_lines(status: Status) -> Iterator[str]:
    """`label      text`, without control codes; a label stands once, above all that belongs to it."""
    before = ""
    for label, text in _rows(status):
        yield one_line(f"{'' if label == before else label:<11}{text}").rstrip()
        before = label


def _rows(status: Status) -> Iterator[tuple[str, str]]:
    where = f"namespace {status.namespace}"
    if status.revision:
        since = f" since {_moment(status.updated)}" if status.updated else ""
        yield "release", f"{status.release}, revision {status.revision}, {status.helm_status}{since}, {where}"
        yield "tag", status.tag or "not known"
    elif any(each.startswith("Helm's") for each in status.unknown):
        yield "release", f"{status.release}, {where}"
    else:
        yield "release", f"{status.release} is not installed, {where}"
    if status.last_deploy is not None:
        yield from _last(status.last_deploy)
    for each in status.running:
        pods = f", {', '.join(each.pods)}" if each.pods else ""
        yield "running", f"{each.object} of {each.tag or 'an unknown tag'} since {_moment(each.since)}{pods}"
    yield "lock", status.lock or "free"
    if status.frozen:
        yield "frozen", status.frozen
    for workload in status.rollout:
        counts = f"{workload.ready}/{workload.desired} ready, {workload.updated}/{workload.desired} updated"
        yield "rollout", f"{workload.object} {counts}"
    for change in status.by_hand:
        field = f", {change.field}" if change.field else ""
        yield "drift", f"{change.object}{field}: {change.message}"
    yield from (("owed", each) for each in status.owed)
    yield from (("not known", each) for each in status.unknown)


def _last(past: PastDeploy) -> Iterator[tuple[str, str]]:
    what = (
        f"rollback to {past.tag}".removesuffix(" to ")
        if past.command == "rollback"
        else f"deploy of {past.tag}"
    )
    why = f" ({past.message})" if past.message else ""
    yield (
        "last",
        f"{what} by {past.who}, {_moment(past.started)}: {past.outcome} in {brief(past.duration)}{why}",
    )
    for each in past.migrations:
        yield "migration", f"{each.name} {each.outcome} in {brief(each.duration)}, Job {each.job}"


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
